"""Whether a stream is to be coloured."""

from __future__ import annotations

import os
from typing import TextIO


def wants_colour(stream: TextIO) -> bool:
    """Whether the stream is a terminal that may be coloured. https://no-color.org"""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def is_terminal(stream: TextIO) -> bool:
    """Whether the stream is a terminal that understands more than text."""
    return not stream.closed and stream.isatty() and os.environ.get("TERM") != "dumb"
