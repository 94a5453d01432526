"""GET /v1/audit: who changed what, the newest first.

≠ SQL.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from ..audit import Wanted
from ..instants import InstantError, parse_instant
from ..storage import audit
from .alerts import Instant, ask
from .auth import require
from .problems import Problem

router = APIRouter(tags=["keys"])


@router.get("/v1/audit", dependencies=[Depends(require("read"))], summary="Who changed what, the newest first")
async def get_audit(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    who: Annotated[str | None, Query(max_length=200)] = None,
    what: Annotated[str | None, Query(pattern=r"^[a-z]+(\.[a-z]+)?$", max_length=40)] = None,
    subject: Annotated[str | None, Query(max_length=500)] = None,
    since: Instant = "",
    until: Instant = "",
) -> Response:
    """Answer {"audit": [...]}."""
    service = request.app.state.service
    wanted = Wanted(
        who=who,
        what=what,
        subject=subject,
        since=_instant(service, "since", since),
        until=_instant(service, "until", until),
    )

    def find() -> bytes:
        return msgspec.json.encode({"audit": audit.find(service.core.connection, wanted, limit=limit)})

    return Response(await ask(request, find), media_type="application/json")


def _instant(service: Any, name: str, text: str) -> float | None:
    try:
        return parse_instant(text, now=service.clock())
    except InstantError as fault:
        raise Problem(422, f"{name}: {fault}") from fault
