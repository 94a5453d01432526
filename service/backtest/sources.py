"""Where events come from: a file or standard input; plain, gzip or zstd by its first bytes, never by its name.

≠ lines, events.
"""

from __future__ import annotations

import os
import select
import stat
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from .ahead import read_ahead

CHUNK = 96 * 1024
"""Bytes of a plain file that are read at once: near 128 KiB the C library asks the system for each piece anew."""

COMPRESSED = 256 * 1024
"""Bytes of a compressed file that are read at once."""

# One call that expands much costs the interpreter's lock less often than many calls that expand little.
EXPANDED = 2 * 1024 * 1024

# Seconds for which a silent pipe is waited for before signals are looked for.
_LOOK = 0.2

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_MAX_WINDOW = 2**27

# The decompressor says nothing when its data end inside a frame. So a frame of our own is put behind them: it comes out
# whole only if all before it was whole.
_MARK = b"\0claxon-end-of-zstd-data\0"
_MARK_FRAME = zstandard.ZstdCompressor().compress(_MARK)


class SourceError(Exception):
    """A source that cannot be read, or not further; the text is *where: value: remedy*."""


class Source:
    """One file, or standard input.

    Attributes:
        name: As it was given; "stdin" for standard input.
        size: In bytes, as stored; None where nobody knows.
        read: Bytes of it that have been read.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.name = "stdin" if path is None else str(path)
        self.size: int | None = None
        self.read = 0
        self.repeatable = False
        if path is not None:
            self._look(path)

    def _look(self, path: Path) -> None:
        try:
            found = path.stat()
        except OSError as fault:
            raise SourceError(f"{path}: {fault.strerror}: name a file of events, or - for standard input") from fault
        if stat.S_ISDIR(found.st_mode):
            raise SourceError(f"{path}: a directory: name the files in it")
        # A pipe can be read once only, and has no size.
        self.repeatable = stat.S_ISREG(found.st_mode)
        if self.repeatable:
            self.size = found.st_size

    def chunks(self) -> Iterator[bytes]:
        """Yield the content, decompressed, in pieces; a regular file can be read again.

        Raises:
            SourceError: It cannot be read, or is not what its first bytes say.
        """
        self.read = 0
        try:
            if self.path is None:
                yield from self._expanded(cast("BinaryIO", _Interruptible(sys.stdin.fileno())))
                return
            with self.path.open("rb", buffering=0) as file:
                yield from self._expanded(file)
        except OSError as fault:
            raise SourceError(f"{self.name}: cannot be read: {fault.strerror or fault}") from fault

    def _expanded(self, file: BinaryIO) -> Iterator[bytes]:
        first = b""
        while len(first) < len(_ZSTD) and (more := self._take(file)):
            first += more
        if first.startswith(_GZIP):
            yield from read_ahead(self._inflated(file, first))
        elif first.startswith(_ZSTD):
            yield from read_ahead(self._unzstd(file, first))
        else:
            yield first
            while more := self._take(file):
                yield more

    def _take(self, file: BinaryIO, size: int = CHUNK) -> bytes:
        piece = file.read(size)
        self.read += len(piece)
        return piece

    def _inflated(self, file: BinaryIO, first: bytes) -> Iterator[bytes]:
        inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        data = first
        try:
            while data or (data := self._take(file, COMPRESSED)):
                if expanded := inflater.decompress(data, EXPANDED):
                    yield expanded
                data = inflater.unconsumed_tail
                if inflater.eof:
                    # Rotated logs are often several gzip files, one behind the other; zeros between them are padding.
                    data = inflater.unused_data.lstrip(b"\0")
                    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
                    while not data and (data := self._take(file, COMPRESSED)):
                        data = data.lstrip(b"\0")
                    if not data:
                        return
            yield inflater.flush()
        except zlib.error as fault:
            raise SourceError(f"{self.name}: not valid gzip: {fault}: compress it anew, or give it plain") from fault
        if not inflater.eof:
            raise SourceError(f"{self.name}: the gzip data end too early: copy the whole file")

    def _unzstd(self, file: BinaryIO, first: bytes) -> Iterator[bytes]:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
        marked = _Marked(self, file, first)
        reader = decompressor.stream_reader(marked, read_size=COMPRESSED, read_across_frames=True)  # type: ignore[arg-type]
        held = b""
        try:
            while expanded := reader.read1(EXPANDED):
                held += expanded
                yield held[: -len(_MARK)]
                held = held[-len(_MARK) :]
        except zstandard.ZstdError as fault:
            if not marked.ended:
                said = f"{self.name}: not valid zstd: {fault}: compress it anew, or give it plain"
                raise SourceError(said) from fault
        if held != _MARK:
            raise SourceError(f"{self.name}: the zstd data end too early: copy the whole file")


class _Interruptible:
    """A descriptor, read so that an interrupt is heard within `_LOOK` while it is silent.

    A buffered read asks the system several times without looking for signals between: one that comes there is
    seen only when more data do, from a silent pipe never.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, size: int) -> bytes:
        while not select.select([self._descriptor], [], [], _LOOK)[0]:
            pass
        return os.read(self._descriptor, size)


class _Marked:
    """A compressed file with the mark's frame behind it."""

    def __init__(self, source: Source, file: BinaryIO, first: bytes) -> None:
        self._source, self._file, self._first = source, file, first
        self.ended = False

    def read(self, _size: int) -> bytes:
        piece, self._first = self._first, b""
        piece = piece or self._source._take(self._file, COMPRESSED)  # noqa: SLF001 — one subject
        if piece or self.ended:
            return piece
        self.ended = True
        return _MARK_FRAME
