"""compression: the best encoding that this process has for a request body."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from importlib import import_module
from typing import Any

LEVEL = 3
"""zstd's default: a batch of 500 events shrinks about tenfold in about a millisecond.

With a checksum, so that the service can keep what it was sent, and see later that the disk has not changed it.
"""


def best() -> tuple[str, Callable[[bytes], bytes]]:
    """Return (value of Content-Encoding, how to encode): zstd where there is a module for it, else gzip."""
    compress = _standard_zstd() or _zstandard()
    if compress is not None:
        return "zstd", compress
    return "gzip", lambda body: gzip.compress(body, 5)


def _standard_zstd() -> Callable[[bytes], bytes] | None:
    try:
        zstd: Any = import_module("compression.zstd")  # Python 3.14
    except ImportError:
        return None
    options = {zstd.CompressionParameter.compression_level: LEVEL, zstd.CompressionParameter.checksum_flag: 1}
    return lambda body: zstd.compress(body, options=options)


def _zstandard() -> Callable[[bytes], bytes] | None:
    try:
        zstandard: Any = import_module("zstandard")
    except ImportError:
        return None
    # Anew each time: a compressor that two threads use at once makes rubbish, and a flush may be in another one.
    return lambda body: bytes(zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compress(body))


def undo(encoding: str, body: bytes) -> bytes:
    """Return what was compressed, here or in another process.

    Raises:
        ValueError: This process has no module for the encoding.
    """
    if encoding == "gzip":
        return gzip.decompress(body)
    for name in ("compression.zstd", "zstandard"):
        try:
            zstd: Any = import_module(name)
        except ImportError:
            continue
        return bytes(zstd.decompress(body))
    raise ValueError(f"{encoding}: no module for it: install zstandard")
