"""POST /v1/events: JSON, an array or lines -> the log -> 202.

A route below FastAPI's: what that does for each request takes as long as 400 events. ≠ SQL, rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from starlette.routing import Route

from .auth import Receive, Scope, Send, admitted
from .batches import take_body
from .problems import Problem, problem_response
from .taking import refuse_when_busy

if TYPE_CHECKING:
    from ..app import Service

PATH = "/v1/events"

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
        service = self._service
        key = admitted(request, "ingest")
        received_at = service.clock()
        refuse_when_busy(service)
        return await take_body(request, key=key, received_at=received_at)
