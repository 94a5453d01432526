"""The pages about rules: GET /history, what fired and how it ended.

≠ what a page shows, HTML.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends, Request, Response

from .. import history
from ..pages import gather
from ..pages import history as history_page
from ..readers import NotReadError
from .auth import require
from .html import READS, Busy, ask_in_time, busy, html

if TYPE_CHECKING:
    from ..app import Service

router = APIRouter(include_in_schema=False)

_read_key = Depends(require("read"))


@router.api_route("/history", methods=READS, dependencies=[_read_key])
async def get_history(request: Request) -> Response:
    """Answer what fired as the form of the page asks; what cannot be understood is said, and left out."""
    service: Service = request.app.state.service
    clock = service.clock()
    asked = history_page.read(request.query_params, now=clock)
    core = service.core
    try:
        firing, posted, rules = await ask_in_time(
            request, lambda: (gather.firing(core), service.views.posted(), dict(core.engine.rules))
        )
    except Busy:
        return await busy(root="./")
    look = partial(
        history.read,
        sought=asked.sought,
        posted=posted,
        rules=rules,
        now=clock,
        limit=history_page.ROWS,
        before=asked.before,
    )
    found, fault = None, ""
    try:
        found = await service.readers.ask(look)
    except NotReadError as why:
        fault = str(why)
    context = partial(history_page.context, found, asked, firing=firing, clock=clock, fault=fault)
    return await html("history.html", context, root="./", status=503 if fault else 200)
