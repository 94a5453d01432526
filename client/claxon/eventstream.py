"""EventStreamScanner: Amazon's event-stream frames, in which Bedrock wraps the API's events.

A frame is: total length and header length (4 bytes each, big-endian), a CRC of
those, headers, payload, and a CRC of all. The payload is `{"bytes": "<base64>"}`
with one event of the Messages API; a frame with an `:exception-type` header is
an error.
"""

from __future__ import annotations

import base64
import struct

import msgspec

from .failures import Failure
from .scanners import BOUND, Frames

_PRELUDE = 12
_CRC = 4
_STRING = 7  # the header type of a string, the only one Bedrock uses
_LARGEST = 32 * 1024 * 1024
_PEEK = 120


class _Chunk(msgspec.Struct, gc=False):
    data: bytes = msgspec.field(default=b"", name="bytes")


class _Trouble(msgspec.Struct, gc=False):
    message: str | None = None


_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_trouble = msgspec.json.Decoder(_Trouble).decode


class EventStreamScanner(Frames):
    """Scans `application/vnd.amazon.eventstream`."""

    def __init__(self, *, off: bool = False) -> None:
        super().__init__(off=off)
        self._rest = b""
        self._skip = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes."""
        if self.off:
            return
        if self._skip:
            passed = min(self._skip, len(chunk))
            self._skip -= passed
            chunk = chunk[passed:]
        data = self._rest + chunk
        start = 0
        while len(data) - start >= _PRELUDE:
            total, headers = struct.unpack_from(">II", data, start)
            if not _PRELUDE + headers + _CRC <= total <= _LARGEST:
                self.off, self._rest = True, b""
                return
            if len(data) - start < total:
                break
            self._one(data[start : start + total], headers)
            start += total
        self._keep(data[start:])

    def _keep(self, rest: bytes) -> None:
        """Keep an unfinished frame, but never a large one: no event that is read is large."""
        if len(rest) >= _PRELUDE:
            total = struct.unpack_from(">I", rest)[0]
            if total > BOUND:
                self._skip, rest = total - len(rest), b""
        self._rest = rest

    def _one(self, frame: bytes, headers: int) -> None:
        payload = frame[_PRELUDE + headers : -_CRC]
        exception = _header(frame[_PRELUDE : _PRELUDE + headers], b":exception-type")
        if exception is not None:
            self.failure = Failure(type=exception, message=_decode_trouble(payload).message)
        elif _is_content(payload):
            self._content()
        elif event := _decode_chunk(payload).data:
            self._frame(event)


def _is_content(payload: bytes) -> bool:
    """Return whether a payload begins like a content delta, reading no further than its type."""
    start = payload.find(b'"bytes":"') + 9
    head = payload[start : start + _PEEK]
    try:
        return b"content_block_delta" in base64.b64decode(head[: len(head) // 4 * 4])
    except ValueError:
        return False


def _header(headers: bytes, wanted: bytes) -> str | None:
    """Return a string header's value; None when it is not there."""
    at = 0
    while at < len(headers):
        size = headers[at]
        name = headers[at + 1 : at + 1 + size]
        at += 1 + size
        if headers[at] != _STRING:
            return None
        (length,) = struct.unpack_from(">H", headers, at + 1)
        value = headers[at + 3 : at + 3 + length]
        if name == wanted:
            return value.decode()
        at += 3 + length
    return None
