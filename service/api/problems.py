"""RFC 9457 problem+json: the one error format.

≠ what went wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from claxon.event import shown
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

_log = structlog.get_logger(__name__)


class Problem(Exception):
    """An answer that is an error.

    Attributes:
        status: The HTTP status.
        detail: *Where: value: remedy*.
        headers: Such as Retry-After.
        more: Further members of the answer.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.more = dict(more or {})


class SeeOther(Exception):
    """What was asked for is elsewhere.

    Attributes:
        address: Relative to the request.
    """

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


def problem_response(problem: Problem) -> JSONResponse:
    """Return the answer for a problem."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        **problem.more,
    }
    return JSONResponse(body, problem.status, problem.headers, media_type="application/problem+json")


def refuses(said: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """Return, for a route's `responses`, with which statuses it refuses, and when; what holds of many is not said."""
    return {status: {"description": when} for status, when in said.items()}


def query_problem(fault: RequestValidationError) -> Problem:
    """Return the problem of a query, or of a path, that is not as it should be."""
    said = "; ".join(f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in fault.errors())
    return Problem(422, shown(said, limit=1000))


def install_problems(app: FastAPI) -> None:
    """Have every error of an app answered as problem+json."""

    @app.exception_handler(Problem)
    async def _ours(_: Request, fault: Problem) -> JSONResponse:
        return problem_response(fault)

    @app.exception_handler(HTTPException)
    async def _http(_: Request, fault: HTTPException) -> JSONResponse:
        return problem_response(Problem(fault.status_code, str(fault.detail), headers=fault.headers))

    @app.exception_handler(RequestValidationError)
    async def _query(_: Request, fault: RequestValidationError) -> JSONResponse:
        return problem_response(query_problem(fault))

    @app.exception_handler(ClientDisconnect)
    async def _gone(_: Request, __: ClientDisconnect) -> JSONResponse:
        # Nobody reads this.
        return problem_response(Problem(400, "body: not complete: the sender hung up"))

    @app.exception_handler(Exception)
    async def _fault(request: Request, fault: Exception) -> JSONResponse:
        _log.error("request.faulted", path=request.url.path, exc_info=fault)
        return problem_response(Problem(500, "a fault of Claxon's own: its log says more"))
