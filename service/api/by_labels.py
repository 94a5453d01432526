"""GET /alerts?alertname=…: leads from a dashboard to an alert's page.

≠ what the page says.
"""

from __future__ import annotations

from functools import partial
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from ..labelled import LABELS, find_by_labels
from ..pages.render import HEADERS
from .auth import require
from .html import READS, Busy, ask_in_time, busy

router = APIRouter(include_in_schema=False)


@router.api_route("/alerts", methods=READS, dependencies=[Depends(require("read"))])
async def go_to_alert(request: Request) -> Response:
    """Lead to the alert with these labels; to what fires in the app where it has ended meanwhile."""
    # Grafana leaves a variable's name where no alert of the table has that label.
    wanted = {name: value for name, value in request.query_params.items() if not value.startswith("${")}
    core = request.app.state.service.core
    try:
        found = await ask_in_time(request, partial(find_by_labels, core, wanted))
    except Busy:
        return await busy(root="./")
    if found is not None:
        return RedirectResponse(f"alerts/{quote(found, safe='')}", 303, headers=HEADERS)
    rest = {name: wanted[name] for name in LABELS if name in ("app", "environment") and wanted.get(name)}
    return RedirectResponse(f"./?{urlencode(rest)}" if rest else "./", 303, headers=HEADERS)
