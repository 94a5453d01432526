"""The pages behind an alert: GET /delivery, what was sent, and /explorer, failures by filter.

≠ how failures are found, HTML.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, Request, Response

from .. import delivery_views
from ..pages import delivery as delivery_page
from ..pages import explorer as explorer_page
from ..pages import gather
from ..pages.explorer import Asked, Seen
from ..search import asking
from ..search.behind import narrowed
from ..search.looking import Answer
from ..search.scanning import UnreadableRow
from ..search.wanted import Wanted
from ..shown_places import places
from ..storage.database import StorageError
from ..storage.errors import DatabaseError
from .auth import require
from .html import READS, Busy, ask_in_time, busy, html

if TYPE_CHECKING:
    from ..app import Service

router = APIRouter(include_in_schema=False)

LOOK_S = 0.5
"""How long a page looks among the failures, which have an index; few questions need a tenth of it."""

LOOK_IN_LOG_S = 1.5
"""How long it looks for what has none."""

_TURN_S = 1.0


@router.api_route("/delivery", methods=READS, dependencies=[Depends(require("read"))])
async def get_delivery(request: Request) -> Response:
    """Answer the outbox as the form of the page asks; what cannot be understood is said, and left out."""
    service: Service = request.app.state.service
    clock = service.clock()

    def look() -> tuple[delivery_page.Asked, delivery_views.Outbox]:
        targets = delivery_views.known_targets(service.core, service.deliverer)
        asked = delivery_page.read(request.query_params, targets=targets)
        return asked, delivery_views.look(service.core, service.deliverer, asked.sought, limit=delivery_page.ROWS)

    try:
        asked, found = await ask_in_time(request, look)
    except Busy:
        return await busy(root="./")
    loaded = service.configuration.loaded

    def context() -> dict[str, Any]:
        shown = places(loaded.config, loaded.written)
        return delivery_page.context(found, asked, places=shown, clock=clock)

    return await html("delivery.html", context, root="./")


@router.api_route("/explorer", methods=READS, dependencies=[Depends(require("read"))])
async def get_explorer(request: Request) -> Response:
    """Answer failures as the form of the page asks; what cannot be understood is said, and left out."""
    service: Service = request.app.state.service
    clock = service.clock()
    asked = explorer_page.read(request.query_params, now=clock)
    try:
        asked, alert = await _behind(request, asked)
        firing = await ask_in_time(request, partial(gather.firing, service.core))
    except Busy:
        return await busy(root="./")
    seen = await _seen(service, asked, firing=firing, alert=alert)
    context = partial(explorer_page.context, seen, asked, clock=clock)
    return await html("explorer.html", context, root="./", status=503 if seen.fault else 200)


async def _behind(request: Request, asked: Asked) -> tuple[Asked, str]:
    """Return the question narrowed to the failures behind an alert, where one is named, and that alert in words."""
    fingerprint = asked.fields["alert"]
    if not fingerprint:
        return asked, ""
    views = request.app.state.service.views
    page = await ask_in_time(request, lambda: views.alert(fingerprint))
    if page is None:
        said = f"alert: {fingerprint[:40]!r}: never fired; copy the fingerprint from its page"
        return replace(asked, problems=[*asked.problems, said], fields=asked.fields | {"alert": ""}), ""
    wanted = narrowed(asked.wanted, page.current.alert, page.rule)
    return replace(asked, wanted=wanted), page.current.message.summary


async def _seen(service: Service, asked: Asked, *, firing: int, alert: str) -> Seen:
    wanted, newest = asked.wanted, None
    try:
        page = await _look(service, wanted, asked)
        if asked.after is None and wanted.indexed:
            newest = await ask_failures(service, wanted, limit=explorer_page.COUNTED)
    except asking.Busy:
        return Seen(page=None, newest=None, firing=firing, alert=alert, fault="Others search: reload after a second.")
    except (DatabaseError, StorageError, UnreadableRow):
        fault = "The log cannot be read now: reload in a moment, and look at what Claxon itself logs."
        return Seen(page=None, newest=None, firing=firing, alert=alert, fault=fault)
    return Seen(page=page, newest=newest, firing=firing, alert=alert)


async def _look(service: Service, wanted: Wanted, asked: Asked) -> Answer:
    at_most_s = LOOK_S if wanted.indexed else LOOK_IN_LOG_S
    return await service.searcher.ask(
        wanted, limit=explorer_page.ROWS, after=asked.after, at_most_s=at_most_s, patience_s=_TURN_S
    )


async def ask_failures(service: Service, wanted: Wanted, *, limit: int) -> Answer:
    """Return the newest failures that are wanted, as far as they are found in a moment."""
    return await service.searcher.ask(wanted, limit=limit, at_most_s=LOOK_S, patience_s=_TURN_S)
