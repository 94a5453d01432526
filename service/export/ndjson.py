"""NDJSON: one event a line, in the shape it was posted in with what was derived, plain or compressed.

≠ which events.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import msgspec
import zstandard
from claxon.event import Event, to_wire

_ENCODER = msgspec.json.Encoder()


class LinesFile:
    """A file of lines; use it as a context manager."""

    def __init__(self, path: Path, *, zstd: bool) -> None:
        """Begin a file.

        Raises:
            OSError: It cannot be written.
        """
        self._file: Any = path.open("wb")
        if zstd:
            self._file = zstandard.ZstdCompressor(level=3).stream_writer(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Of a compressed one this ends the frame, and closes the file below.
        self._file.close()

    def add(self, events: Iterable[Event], *, received_at: float) -> None:  # noqa: ARG002 — a line holds what was posted
        """Append events."""
        self._file.write(_ENCODER.encode_lines([to_wire(event) for event in events]))
