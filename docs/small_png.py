"""Makes a screenshot small: the same picture with a palette of 256 colours. No library needed.

A page is flat areas and anti-aliased text, so few colours are lost, and none that matters.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def shrink(path: Path) -> None:
    """Rewrite an opaque 8-bit RGB file, as Chromium writes it, with a palette."""
    width, height, rows = _read(path.read_bytes())
    used = Counter(row[i : i + 3] for row in rows for i in range(0, len(row), 3))
    palette = [colour for colour, _ in used.most_common(256)]
    place = {colour: _nearest(colour, palette) for colour in used}
    packed = b"".join(b"\0" + bytes(place[row[i : i + 3]] for i in range(0, len(row), 3)) for row in rows)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", b"".join(palette)),
        (b"IDAT", zlib.compress(packed, 9)),
        (b"IEND", b""),
    ]
    path.write_bytes(_SIGNATURE + b"".join(_chunk(kind, body) for kind, body in parts))


def _nearest(colour: bytes, palette: list[bytes]) -> int:
    return min(range(len(palette)), key=lambda i: sum((a - b) ** 2 for a, b in zip(colour, palette[i], strict=True)))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _read(png: bytes) -> tuple[int, int, list[bytes]]:
    chunks = list(_chunks(png))
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", chunks[0][1])
    if (depth, colour) != (8, 2):
        raise ValueError(f"depth {depth}, colour type {colour}: only 8-bit RGB is known here")
    filtered = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    return width, height, list(_unfiltered(filtered, width * 3))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(png):
        length = int.from_bytes(png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def _unfiltered(filtered: bytes, stride: int) -> Iterator[bytes]:
    """Yield the rows. Source: the PNG specification, section 9."""
    above = bytes(stride)
    for start in range(0, len(filtered), stride + 1):
        row = bytearray(filtered[start + 1 : start + 1 + stride])
        kind = filtered[start]
        for x in range(stride) if kind else ():
            left = row[x - 3] if x > 2 else 0
            corner = above[x - 3] if x > 2 else 0
            row[x] = (row[x] + _predicted(kind, left, above[x], corner)) & 255
        above = bytes(row)
        yield above


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 1:
        return left
    if kind == 2:
        return up
    if kind == 3:
        return (left + up) // 2
    guess = left + up - corner
    return min((left, up, corner), key=lambda value: abs(guess - value))
