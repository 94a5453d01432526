"""What the sender of OTLP is told, in the encoding it sent.

Source:
    OpenTelemetry Protocol Specification 1.9, "OTLP/HTTP Response"; `google/rpc/code.proto`.
"""

from __future__ import annotations

import msgspec

from ..decoding import Refusal
from .wire import Answer, Status

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 413: 3, 415: 3, 429: 8, 500: 13, 503: 14}
"""google.rpc.Code by HTTP status; 2 is unknown."""


def answer(refusals: list[Refusal], *, what: str, json: bool) -> bytes:
    """Return an export response; a partial success where some were refused.

    Args:
        refusals: Those of the body.
        what: `Spans` or `LogRecords`, as the response names its number.
        json: Whether it was sent so.
    """
    said = f"{what} {refusals[0].index}: {refusals[0].error}" if refusals else ""
    if json:
        partial = {f"rejected{what}": str(len(refusals)), "errorMessage": said}
        return msgspec.json.encode({"partialSuccess": partial} if refusals else {})
    message = Answer()
    if refusals:
        message.partial_success.rejected = len(refusals)
        message.partial_success.error_message = said
    encoded: bytes = message.SerializeToString()
    return encoded


def failure(status: int, detail: str, *, json: bool) -> bytes:
    """Return the google.rpc.Status of an answer that is an error."""
    code = _CODES.get(status, 2)
    if json:
        return msgspec.json.encode({"code": code, "message": detail})
    encoded: bytes = Status(code=code, message=detail).SerializeToString()
    return encoded
