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
from .taking import NOT_TAKEN, refuse_when_busy

if TYPE_CHECKING:
    from .doors import Doors

PATH = "/v1/events"

OPERATION: dict[str, Any] = {
    "tags": ["events"],
    "summary": "Take events: one JSON object, an array, or one object a line",
    "operationId": "post_events",
    "description": 'Answer {"accepted": n, "rejected": [...]} once the good events are durable; bad ones are refused '
    "one by one. docs/reference/events.md says what an event is.",
    "security": [{"ingest": []}],
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "Makes a re-post harmless for 24 h: it gets the first answer",
            "schema": {"type": "string"},
        },
    ],
    "responses": {"202": {"description": "The good events are durable; the others are named"}}
    | {str(status): {"description": when} for status, when in NOT_TAKEN.items()},
}
"""What the OpenAPI document says of the route."""


def install_events(app: FastAPI, service: Doors) -> None:
    """Add the route to an application."""
    # First: it is asked for a thousand times more often than the others.
    app.router.routes.insert(0, Route(PATH, PostEvents(service), methods=["POST"]))


class PostEvents:
    """The route, as an ASGI application."""

    def __init__(self, service: Doors) -> None:
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
