"""POST /v1/events: JSON, an array or lines -> the log -> 202.

≠ SQL, rules.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from alerts.config import KeyConfig

from ..decoding import BadBody, Batch, BodyTooLarge, UnknownEncoding, decode, expand
from .auth import require
from .bodies import read_body
from .problems import Problem
from .taking import app_of, refuse_when_busy, take

_OFF_LOOP = 512 * 1024  # bytes from which a body is decoded beside the event loop
_NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
_TYPES = (
    "",
    "application/json",
    "text/plain",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    *_NDJSON,
)

DROPPED_HEADER = "claxon-client-dropped"
"""How many events a client gave up before this batch; a re-post repeats it, so it counts with the batch."""

router = APIRouter(tags=["events"])

_ingest_key = require("ingest")


@router.post(
    "/v1/events",
    status_code=202,
    summary="Take events: one JSON object, an array, or one object a line",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {}, "application/x-ndjson": {}}}},
)
async def post_events(request: Request, key: Annotated[KeyConfig | None, Depends(_ingest_key)]) -> Response:
    """Answer once the good events are durable; bad ones are refused one by one."""
    service = request.app.state.service
    received_at: float = service.clock()
    refuse_when_busy(service)
    body = await read_body(request)
    batch = await _decode(request, body, received_at, app_of(key))
    service.intake.took(batch)
    if not batch.events:
        raise Problem(
            400,
            batch.refusals[0].error,
            more={"accepted": 0, "rejected": msgspec.to_builtins(batch.refusals)},
        )
    said = await take(
        service,
        batch,
        key=key,
        received_at=received_at,
        idempotency=request.headers.get("idempotency-key"),
        client_dropped=_client_dropped(request),
    )
    return Response(said, 202, media_type="application/json")


def _client_dropped(request: Request) -> int:
    said = request.headers.get(DROPPED_HEADER, "")
    return int(said) if said.isdecimal() and said.isascii() and len(said) < 12 else 0


async def _decode(request: Request, body: bytes, received_at: float, app: str) -> Batch:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _TYPES:
        raise Problem(415, f"Content-Type: {kind}: send application/json or application/x-ndjson")
    encoding = request.headers.get("content-encoding", "")

    def read() -> Batch:
        return decode(expand(body, encoding), ndjson=kind in _NDJSON, received_at=received_at, app=app)

    try:
        return await asyncio.to_thread(read) if len(body) > _OFF_LOOP else read()
    except BodyTooLarge as fault:
        raise Problem(413, str(fault)) from fault
    except UnknownEncoding as fault:
        raise Problem(415, str(fault)) from fault
    except BadBody as fault:
        raise Problem(400, str(fault)) from fault
