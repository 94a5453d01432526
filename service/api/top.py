"""GET /v1/top: Claxon itself, the alerts and the models in one answer, for `claxon top`.

≠ what is in it.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from ..top.gather import Gathered, gather, top
from ..top.view import Sort
from .auth import require
from .html import Busy, ask_in_time
from .problems import Problem, refuses

router = APIRouter(tags=["alerts"])


@router.get(
    "/v1/top",
    dependencies=[Depends(require("read"))],
    summary="Claxon itself, the alerts and the models",
    responses=refuses({503: "the core is busy"}),
)
async def get_top(
    request: Request,
    sort: Sort = Sort.ERRORS,
    alerts: Annotated[int, Query(ge=1, le=1000)] = 100,
    models: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Response:
    """Answer how all stands now: what fires first, then what the models' attempts came to in the last 5 minutes."""
    service = request.app.state.service

    async def find() -> bytes:
        found: Gathered = await ask_in_time(request, partial(gather, service, most_alerts=alerts))
        return await asyncio.to_thread(lambda: msgspec.json.encode(top(found, sort=sort, most_models=models)))

    try:
        body = await service.shared.ask(("top", sort, alerts, models, int(service.clock())), find)
    except Busy as fault:
        raise Problem(503, "core: busy: try again in a second", headers={"Retry-After": "1"}) from fault
    return Response(body, media_type="application/json")
