"""POST /v1/traces and /v1/logs: OTLP/HTTP, protobuf or JSON -> the log -> an export response.

Errors are google.rpc.Status in the encoding of the request, as OTLP has it, not problem+json.

≠ what a span means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from fastapi import APIRouter, Request, Response

from ..decoding import expand
from ..otlp.answers import JSON, PROTOBUF, answer, failure
from ..otlp.taking import Taken, take_records, take_spans
from ..storage.errors import DatabaseError
from .auth import admitted
from .batches import note_batch, read_body_as, receive_body
from .problems import Problem, refuses
from .taking import NOT_TAKEN, Told, app_of, refuse_when_busy, take

if TYPE_CHECKING:
    from .doors import Doors

_JSON_TYPES = (JSON,)
_PROTOBUF_TYPES = (PROTOBUF, "application/protobuf", "application/vnd.google.protobuf")

router = APIRouter(tags=["OTLP"])

# The key is asked for inside: a refusal is in the form of the request, too.
_CONTENT = {"requestBody": {"required": True, "content": {PROTOBUF: {}, JSON: {}}}, "security": [{"ingest": []}]}
_REFUSED = {status: when for status, when in NOT_TAKEN.items() if status != 507}


class _Reads(Protocol):
    def __call__(self, body: bytes, *, json: bool, received_at: float, app: str) -> Taken: ...


@router.post(
    "/v1/traces",
    summary="Take spans (OTLP): those that are calls to Claude",
    openapi_extra=_CONTENT,
    responses=refuses(_REFUSED),
)
async def post_traces(request: Request) -> Response:
    """Answer once the calls among the spans are durable."""
    return await _answer(request, take_spans, what="Spans")


@router.post(
    "/v1/logs",
    summary="Take log records (OTLP): those that are events",
    openapi_extra=_CONTENT,
    responses=refuses(_REFUSED),
)
async def post_logs(request: Request) -> Response:
    """Answer once the events among the records are durable."""
    return await _answer(request, take_records, what="LogRecords")


async def _answer(request: Request, read: _Reads, *, what: str) -> Response:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    json = kind in _JSON_TYPES
    try:
        if not json and kind not in _PROTOBUF_TYPES:
            raise Problem(415, f"Content-Type: {kind or 'none'}: send {PROTOBUF} or {JSON}")
        taken = await _take(
            request, lambda body, received_at, app: read(body, json=json, received_at=received_at, app=app)
        )
    except Problem as problem:
        return _refused(problem, json=json)
    return Response(answer(taken.batch.refusals, what=what, json=json), 200, media_type=JSON if json else PROTOBUF)


def _refused(problem: Problem, *, json: bool) -> Response:
    # 507 is none of the answers after which a sender of OTLP tries again, and it should.
    status = 503 if problem.status == 507 else problem.status
    body = failure(status, problem.detail, json=json)
    return Response(body, status, problem.headers, media_type=JSON if json else PROTOBUF)


async def _take(request: Request, read: Callable[[bytes, float, str], Taken]) -> Taken:
    service: Doors = request.app.state.service
    key = admitted(request, "ingest")
    received_at: float = service.clock()
    refuse_when_busy(service)
    body = await receive_body(request, key=key)
    encoding = request.headers.get("content-encoding", "")
    taken = await read_body_as(request, body, lambda: read(expand(body, encoding), received_at, app_of(key)), key=key)
    note_batch(request, taken.batch, key=key)
    service.intake.saw(not_ours=taken.not_ours, twins=taken.twins)
    if taken.batch.events:
        await _spans_come(service, received_at)
        await take(service, taken.batch, Told(spans=True), key=key, received_at=received_at)
    return taken


async def _spans_come(service: Doors, now: float) -> None:
    try:
        await service.taker.spans_come(now)
    except DatabaseError as fault:
        raise Problem(
            503, f"log: cannot be written: {fault}: send again later", headers={"Retry-After": "5"}
        ) from fault
