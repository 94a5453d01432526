"""POST /v1/events: JSON, an array or lines -> the log -> 202.

≠ SQL, rules.
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Annotated

import msgspec
from claxon.event import DEFAULT_APP
from fastapi import APIRouter, Depends, Request, Response

from alerts.config import KeyConfig

from ..decoding import BadBody, Batch, BodyTooLarge, UnknownEncoding, decode, expand
from ..work import Ingest
from .auth import require
from .bodies import read_body
from .problems import Problem

_BUSY = 512  # batches in the queue; each waits at most for a commit or two
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
    app = key.app if key is not None and key.app else DEFAULT_APP
    if service.core.waiting > _BUSY:
        raise Problem(503, "queue: full: send again after a second", headers={"Retry-After": "1"})
    body = await read_body(request)
    batch = await _decode(request, body, received_at, app)
    service.intake.took(batch)
    if not batch.events:
        raise Problem(
            400,
            batch.refusals[0].error,
            more={"accepted": 0, "rejected": msgspec.to_builtins(batch.refusals)},
        )
    answer = msgspec.json.encode({"accepted": len(batch.events), "rejected": batch.refusals}).decode()
    idempotency = request.headers.get("idempotency-key")
    work = Ingest(
        batch=batch,
        received_at=received_at,
        app=app,
        key=f"{key.name if key is not None else ''}\0{idempotency[:200]}" if idempotency else None,
        answer=answer,
        client_dropped=_client_dropped(request),
    )
    try:
        said = await asyncio.wrap_future(service.core.ingest(work))
    except sqlite3.Error as fault:
        raise _storage_problem(fault) from fault
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


def _storage_problem(fault: sqlite3.Error) -> Problem:
    if "full" in str(fault):
        return Problem(
            507, "disk: full: free some space; nothing of this batch was kept", headers={"Retry-After": "30"}
        )
    return Problem(503, f"log: cannot be written: {fault}: send again later", headers={"Retry-After": "5"})
