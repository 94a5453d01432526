"""JSON bodies of API v2: read, expanded and decoded, within limits.

≠ what they mean.
"""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Annotated, TypeAlias, TypeVar

import msgspec
from fastapi import Request

from ...decoding import BadBody, BodyTooLarge, UnknownEncoding, expand
from ..bodies import read_body
from ..problems import Problem

T = TypeVar("T")

_OFF_LOOP = 256 * 1024  # bytes from which a body is decoded beside the event loop
_BUSY = 512  # what waits for the core, at most
_TYPES = ("", "application/json", "text/plain", "application/octet-stream", "application/x-www-form-urlencoded")
_AT = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`")

Instant: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]
"""RFC 3339 with a time zone."""


async def read(request: Request) -> bytes:
    """Return the body of a request, without its Content-Encoding.

    Raises:
        Problem: It cannot be read, or Claxon has too much to do.
    """
    if request.app.state.service.core.waiting > _BUSY:
        raise Problem(503, "queue: full: send again after a second", headers={"Retry-After": "1"})
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _TYPES:
        raise Problem(415, f"Content-Type: {kind[:100]}: send application/json")
    body = await read_body(request)
    encoding = request.headers.get("content-encoding", "")
    try:
        return await asyncio.to_thread(expand, body, encoding) if encoding else body
    except BodyTooLarge as fault:
        raise Problem(413, str(fault)) from fault
    except UnknownEncoding as fault:
        raise Problem(415, str(fault)) from fault
    except BadBody as fault:
        raise Problem(400, str(fault)) from fault


async def decoded(body: bytes, kind: type[T]) -> T:
    """Return what a JSON body holds.

    Raises:
        msgspec.ValidationError: It is JSON of another form.
        Problem: It is not JSON.
    """

    def decode() -> T:
        return msgspec.json.decode(body, type=kind)

    try:
        return await asyncio.to_thread(decode) if len(body) > _OFF_LOOP else decode()
    except msgspec.ValidationError:
        raise
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as fault:
        said = "too deeply nested" if isinstance(fault, RecursionError) else str(fault)
        raise Problem(400, f"body: not valid JSON: {said}: send one whole JSON document") from fault


def refused(fault: msgspec.ValidationError, where: str = "") -> Problem:
    """Return a problem for JSON of another form: 422 where something is missing, as Alertmanager's schema has it."""
    text = str(fault)
    at = _AT.search(text)
    place = ".".join(part for part in (where, at[1].replace("[...]", "") if at is not None else "") if part)
    said = _AT.sub("", text)
    status = 422 if "missing required" in said or "length" in said else 400
    return Problem(status, f"{place or 'body'}: {said[:1].lower()}{said[1:]}")


def seconds(at: datetime | None) -> float | None:
    """Return Unix seconds; None for no instant, and for the year 1, which is how Go writes none."""
    if at is None or at.year <= 1:
        return None
    return (at - _EPOCH).total_seconds()


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS = -62_135_596_800_000
_LAST_MS = 253_402_300_799_999


def moment(at: float) -> str:
    """Return Unix seconds as RFC 3339 with milliseconds, cut, as Alertmanager writes them."""
    ms = int(min(max(at * 1000 + 0.001, _FIRST_MS), _LAST_MS) // 1)
    return f"{datetime.fromtimestamp(ms // 1000, UTC).isoformat()[:19]}.{ms % 1000:03d}Z"
