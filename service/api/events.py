"""POST /v1/events: JSON, an array or lines -> the log -> 202.

A route below FastAPI's: what that does for each request takes as long as 400 events. ≠ SQL, rules.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from starlette.routing import Route

from ..decoding import BadBody, Batch, BodyTooLarge, decode, expand
from ..storage import event_log
from ..work import Posted
from .auth import Receive, Scope, Send, address_of, admit
from .bodies import read_body
from .problems import Problem, problem_response
from .taking import app_of, body_problem, refuse_when_busy, take

if TYPE_CHECKING:
    from ..app import Service

PATH = "/v1/events"

_LARGE = 1024 * 1024  # bytes, expanded, of a body that neither the event loop nor the core should stand still for
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


_PROBLEM = {"content": {"application/problem+json": {"schema": {"type": "object"}}}}
_OPERATION: dict[str, Any] = {
    "tags": ["events"],
    "summary": "Take events: one JSON object, an array, or one object a line",
    "operationId": "post_events",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"anyOf": [{"type": "object"}, {"type": "array"}]}},
            "application/x-ndjson": {"schema": {"type": "string"}},
        },
    },
    "responses": {
        "202": {
            "description": "The good events are durable; the others are named",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        "400": {"description": "None of it can be taken", **_PROBLEM},
        "401": {"description": "No key, or an unknown one", **_PROBLEM},
        "403": {"description": "A key of another scope", **_PROBLEM},
        "413": {"description": "Too large", **_PROBLEM},
        "415": {"description": "An unknown Content-Type or Content-Encoding", **_PROBLEM},
        "429": {"description": "More than the key may send; see Retry-After", **_PROBLEM},
        "503": {"description": "Busy, or the log cannot be written; see Retry-After", **_PROBLEM},
        "507": {"description": "The disk is full; see Retry-After", **_PROBLEM},
    },
}


def install_events(app: FastAPI, service: Service) -> None:
    """Add the route to an application, and to what that says of itself."""
    # First: it is asked for a thousand times more often than the others.
    app.router.routes.insert(0, Route(PATH, PostEvents(service), methods=["POST"]))
    others = app.openapi

    def described() -> dict[str, Any]:
        schema = others()
        schema["paths"].setdefault(PATH, {})["post"] = _OPERATION
        return schema

    app.openapi = described  # type: ignore[method-assign]


class PostEvents:
    """The route, as an ASGI application."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._large = asyncio.Semaphore(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer once the good events are durable; bad ones are refused one by one."""
        request = Request(scope, receive)
        try:
            said = await self._take(request)
        except Problem as problem:
            await problem_response(problem)(scope, receive, send)
            return
        await Response(said, 202, media_type="application/json")(scope, receive, send)

    async def _take(self, request: Request) -> str:
        service, headers = self._service, request.headers
        key = admit(service.keys, headers.get("authorization", ""), "ingest", address=address_of(request))
        received_at = service.clock()
        refuse_when_busy(service)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _TYPES:
            raise Problem(415, f"Content-Type: {kind}: send application/json or application/x-ndjson")
        body = await read_body(request)
        posted = await self._read(
            body, headers.get("content-encoding", ""), ndjson=kind in _NDJSON, received_at=received_at, app=app_of(key)
        )
        return await take(
            service,
            posted,
            key=key,
            received_at=received_at,
            idempotency=headers.get("idempotency-key"),
            client_dropped=_client_dropped(headers.get(DROPPED_HEADER, "")),
        )

    async def _read(self, body: bytes, encoding: str, *, ndjson: bool, received_at: float, app: str) -> Posted | Batch:
        try:
            if len(body) <= _LARGE:
                try:
                    plain = expand(body, encoding, most=_LARGE)
                    return Posted(plain, event_log.stored_from(body, plain), ndjson)
                except BodyTooLarge:
                    pass
            # One at a time: each may take a few hundred megabytes of memory, and nobody else may wait for it.
            async with self._large:
                return await asyncio.to_thread(
                    _decoded, body, encoding, ndjson=ndjson, received_at=received_at, app=app
                )
        except BadBody as fault:
            raise body_problem(fault) from fault


def _decoded(body: bytes, encoding: str, *, ndjson: bool, received_at: float, app: str) -> Batch:
    batch = decode(expand(body, encoding), ndjson=ndjson, received_at=received_at, app=app)
    batch.stored = event_log.compress(batch.body)
    return batch


def _client_dropped(said: str) -> int:
    return int(said) if said.isdecimal() and said.isascii() and len(said) < 12 else 0
