"""Answers and errors as Alertmanager gives them: an error is a JSON string, or an object where its schema refuses.

≠ what is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ..problems import Problem, query_problem

_log = structlog.get_logger(__name__)

_KIND = "application/json"
_HEADERS = {"Cache-Control": "no-store"}


def answer(body: bytes) -> Response:
    """Return a JSON body as an answer."""
    return Response(body, media_type=_KIND, headers=_HEADERS)


def refusal(problem: Problem) -> Response:
    """Return an error: amtool prints the string, and of 422 both members."""
    said: object = problem.detail
    if problem.status == 422:
        said = {"code": problem.status, "message": problem.detail}
    body = msgspec.json.encode(said)
    return Response(body, problem.status, media_type=_KIND, headers=_HEADERS | problem.headers)


class V2Route(APIRoute):
    """A route whose errors are Alertmanager's."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, with whatever it raises answered."""
        handle = super().get_route_handler()

        async def handler(request: Request) -> Response:
            try:
                return await handle(request)
            except Problem as fault:
                return refusal(fault)
            except RequestValidationError as fault:
                return refusal(query_problem(fault))
            except ClientDisconnect:
                return refusal(Problem(400, "body: not complete: the sender hung up"))
            except HTTPException as fault:
                return refusal(Problem(fault.status_code, str(fault.detail), headers=fault.headers))
            except Exception as fault:  # noqa: BLE001 — whatever it is, it is answered
                _log.error("request.faulted", path=request.url.path, exc_info=fault)
                return refusal(Problem(500, "a fault of Claxon's own: its log says more"))

        return handler
