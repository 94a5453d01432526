"""A line on a terminal that says how far a backtest is; nothing where no person looks.

≠ files, events.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from math import inf
from typing import TextIO

from alerts.durations import format_duration

from ..colour import is_terminal
from .sources import Source

_EVERY_S = 0.2
_WIDTH = 24


class Progress:
    """Rewrites one line of a stream, at most five times a second, if the stream is a terminal."""

    def __init__(self, stream: TextIO, sources: Sequence[Source], *, quiet: bool = False) -> None:
        self._stream = stream
        self._sources = sources
        self._shows = not quiet and is_terminal(stream)
        self._begun = time.monotonic()
        self._shown = -inf

    def __call__(self, events: int) -> None:
        """Say that so many events have been taken."""
        if not self._shows:
            return
        now = time.monotonic()
        if now - self._shown >= _EVERY_S:
            self._shown = now
            self._stream.write("\r" + line(self._sources, events, now - self._begun) + "\x1b[K")
            self._stream.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._shows:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def line(sources: Sequence[Source], events: int, seconds: float) -> str:
    """Return how far it is: a bar and what is left where the sizes are known, and the pace."""
    pace = f"{events:,} events, {events / seconds:,.0f}/s" if seconds > 0 else f"{events:,} events"
    sizes = [source.size for source in sources]
    total = sum(size for size in sizes if size is not None)
    if None in sizes or not total:
        return pace
    share = min(1.0, sum(source.read for source in sources) / total)
    bar = "█" * round(share * _WIDTH)
    left = f", {format_duration(seconds / share - seconds)} left" if share > 0.01 else ""
    return f"{bar:░<{_WIDTH}} {share * 100:3.0f} %  {pace}{left}"
