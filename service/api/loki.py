"""POST /loki/api/v1/push: lines as Loki's clients push them -> those that are events -> the log -> 204.

≠ what a line says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request, Response

from alerts.config import KeyConfig

from .. import loki
from ..decoding import Batch, expand
from ..otlp.taking import take_lines
from .auth import require
from .batches import note_batch, read_body_as, receive_body
from .problems import refuses
from .taking import NOT_TAKEN, app_of, none_good, refuse_when_busy, take

if TYPE_CHECKING:
    from .doors import Doors

router = APIRouter(tags=["Loki"])

_ingest_key = require("ingest")
_CONTENT = {"requestBody": {"required": True, "content": {"application/json": {}, "application/x-protobuf": {}}}}


@router.post(
    "/loki/api/v1/push",
    status_code=204,
    summary="Take lines that are events",
    openapi_extra=_CONTENT,
    responses=refuses(NOT_TAKEN),
)
async def push(request: Request, key: Annotated[KeyConfig | None, Depends(_ingest_key)]) -> Response:
    """Answer 204 once the events are durable; lines that are none are left out."""
    service: Doors = request.app.state.service
    received_at: float = service.clock()
    refuse_when_busy(service)
    body = await receive_body(request, key=key)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "")
    lines, batch = await read_body_as(
        request, body, lambda: _read(body, kind, encoding, received_at, app_of(key)), key=key
    )
    note_batch(request, batch, key=key)
    service.intake.saw(not_ours=lines - len(batch.events) - len(batch.refusals))
    if batch.events:
        await take(service, batch, key=key, received_at=received_at)
    elif batch.refusals:
        raise none_good(batch, 400)
    return Response(status_code=204)


def _read(body: bytes, kind: str, encoding: str, received_at: float, app: str) -> tuple[int, Batch]:
    if kind == "application/json":
        records = loki.from_json(expand(body, encoding))
    else:
        # Loki's clients name the compression only some of the time; the protobuf form has no other.
        records = loki.from_protobuf(body if encoding == "snappy" else expand(body, encoding))
    return len(records), take_lines(loki.events(records), received_at=received_at, app=app)
