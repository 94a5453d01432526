"""What is stored, compressed.

Each thread has coders of its own: they let other threads run while they work, and one coder at work
for two threads makes rubbish. ≠ what clients send.
"""

from __future__ import annotations

import threading

import zstandard


class _Coders(threading.local):
    def __init__(self) -> None:
        # With a checksum: SQLite has none, and what a disk changed must not count as something else.
        self.compress = zstandard.ZstdCompressor(level=1, write_checksum=True).compress
        self.expand = zstandard.ZstdDecompressor().decompress


_CODERS = _Coders()


def compress(body: bytes) -> bytes:
    """Return a body as it is stored."""
    return _CODERS.compress(body)


def expand(stored: bytes) -> bytes:
    """Return what was compressed.

    Raises:
        zstandard.ZstdError: It is not what was written.
    """
    return _CODERS.expand(stored)
