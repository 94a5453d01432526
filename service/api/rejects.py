"""GET /v1/rejects: what was refused lately, and why.

≠ SQL.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from ..instants import InstantError, parse_instant
from .alerts import Instant, ask
from .auth import require
from .problems import Problem

router = APIRouter(tags=["events"])


@router.get(
    "/v1/rejects", dependencies=[Depends(require("read"))], summary="Events and bodies that were refused, and why"
)
async def get_rejects(
    request: Request,
    app: Annotated[str | None, Query(max_length=64, description="Only of this app")] = None,
    since: Instant = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Answer {"rejects": [...]}, newest first: of an event the fields that are known, of a body the error alone."""
    service = request.app.state.service
    try:
        oldest = parse_instant(since, now=service.clock())
    except InstantError as fault:
        raise Problem(422, f"since: {fault}") from fault
    log = service.reject_log
    body = await ask(request, lambda: log.find(app=app, since=oldest, limit=limit))
    return Response(body, media_type="application/json")
