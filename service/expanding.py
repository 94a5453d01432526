"""Bodies without their Content-Encoding, never more than a limit, in bounded memory.

≠ what they hold.
"""

from __future__ import annotations

import zlib
from enum import StrEnum

import zstandard
from claxon.event import shown

MAX_BODY = 64 * 1024 * 1024
"""Bytes of a body, decompressed."""

MAX_MEMBERS = 1_000
"""gzip files one after another in one body."""

MAX_WINDOW = 8 * 1024 * 1024
"""Bytes of zstd's window: what every decoder of HTTP must know, and no more; a frame may ask for gigabytes."""

ENCODINGS = ("gzip", "x-gzip", "deflate", "zstd", "identity")
"""What `expand` knows."""

_PIECE = 64 * 1024
# Of a stream without a stated size nothing says whether its end is missing: a frame of our own after it does.
_END = b"\x00claxon: the end\x00"
_END_FRAME = zstandard.ZstdCompressor(write_content_size=True).compress(_END)


class Reason(StrEnum):
    """Why an event, or a whole body, was refused: a closed set, for metrics and `/v1/rejects`."""

    NOT_JSON = "not_json"
    NOT_OBJECT = "not_object"
    NO_MODEL = "no_model"
    BAD_VALUE = "bad_value"
    TOO_FAR_AHEAD = "too_far_ahead"
    CONTRADICTION = "contradiction"
    TOO_LARGE = "too_large"
    BAD_ENCODING = "bad_encoding"
    BAD_TYPE = "bad_type"
    EMPTY = "empty"
    UNREADABLE = "unreadable"


class BadBody(ValueError):
    """A body of which nothing can be read; the text is *where: value: remedy*."""

    reason = Reason.NOT_JSON


class EmptyBody(BadBody):
    """A body without a byte."""

    reason = Reason.EMPTY


class BodyTooLarge(BadBody):
    """A body, or what it expands to, is over the limit."""

    reason = Reason.TOO_LARGE


class UnknownEncoding(BadBody):
    """A Content-Encoding or Content-Type that is not spoken here."""

    reason = Reason.BAD_ENCODING


class BadEncoding(BadBody):
    """A body that is not what its Content-Encoding says."""

    reason = Reason.BAD_ENCODING


def expand(body: bytes, encoding: str, *, most: int = MAX_BODY) -> bytes:
    """Return a body without its Content-Encoding, never more than `most` bytes.

    Raises:
        BodyTooLarge: It expands to more.
        UnknownEncoding: The encoding is none of gzip, deflate, zstd, identity.
        BadBody: It is not what the encoding says.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _inflate(body, zlib.MAX_WBITS | 16, most)
        case "deflate":
            return _inflate(body, zlib.MAX_WBITS, most)
        case "zstd":
            return _unzstd(body, most)
    raise UnknownEncoding(f"Content-Encoding: {shown(encoding)}: use gzip, zstd or none")


def _inflate(body: bytes, bits: int, most: int) -> bytes:
    inflater = zlib.decompressobj(bits)
    try:
        expanded = inflater.decompress(body, most + 1)
        if len(expanded) > most:
            raise _too_large(most)
        if not inflater.eof:
            raise BadEncoding("body: the gzip data end too early: send all of them")
        rest = inflater.unused_data.lstrip(b"\0")
        return expanded + _inflate_more(rest, bits, most - len(expanded)) if rest else expanded
    except zlib.error as fault:
        raise BadEncoding("body: not valid gzip: compress it whole, or send it plain") from fault


def _inflate_more(rest: bytes, bits: int, most: int) -> bytes:
    """Return what further members hold; as one, for some senders append."""
    parts: list[bytes] = []
    members, place, begun = 0, 0, False
    inflater = zlib.decompressobj(bits)
    while place < len(rest):
        # In pieces: what is left over is copied each time.
        piece = rest[place : place + _PIECE]
        if not begun and not piece.strip(b"\0"):
            # Padding.
            place += len(piece)
            continue
        part = inflater.decompress(piece, most + 1)
        most -= len(part)
        if most < 0:
            raise _too_large(MAX_BODY)
        parts.append(part)
        place += len(piece) - len(inflater.unused_data)
        begun = not inflater.eof
        if inflater.eof:
            members += 1
            if members > MAX_MEMBERS:
                raise BadEncoding(f"body: over {MAX_MEMBERS} gzip members: compress it whole")
            inflater = zlib.decompressobj(bits)
    if begun:
        raise BadEncoding("body: the gzip data end too early: send all of them")
    return b"".join(parts)


def _unzstd(body: bytes, most: int) -> bytes:
    try:
        stated = zstandard.frame_content_size(body)
        if stated > most:
            raise _too_large(most)
        if stated > 0 and (whole := _one_frame(body)) is not None:
            return whole
        return _unzstd_stream(body, most)
    except zstandard.ZstdError as fault:
        if "memory" in str(fault):
            raise BadEncoding(f"body: zstd: its window is over {MAX_WINDOW} bytes: use a lower level") from fault
        raise BadEncoding("body: not valid zstd: compress it whole, or send it plain") from fault


def _one_frame(body: bytes) -> bytes | None:
    """Return what a frame that states its size holds: the usual case; None if there is more than one."""
    try:
        return zstandard.ZstdDecompressor().decompress(body, allow_extra_data=False)
    except zstandard.ZstdError:
        return None


def _unzstd_stream(body: bytes, most: int) -> bytes:
    reader = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW).stream_reader(
        body + _END_FRAME, read_across_frames=True
    )
    expanded: bytes = reader.read(most + len(_END) + 1)
    if len(expanded) > most + len(_END):
        raise _too_large(most)
    if not expanded.endswith(_END):
        raise BadEncoding("body: the zstd data end too early: send all of them")
    return expanded[: -len(_END)]


def _too_large(most: int) -> BodyTooLarge:
    return BodyTooLarge(f"body: over {most} bytes decompressed: send smaller batches")
