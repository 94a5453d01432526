"""The on-call page: GET /, /ledger and /alerts/{fingerprint}, and the forms that acknowledge and take that back.

≠ what a page shows, HTML.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from alerts.config import KeyConfig

from ..pages import alert as alert_page
from ..pages import gather
from ..pages import ledger as ledger_page
from ..pages import now as now_page
from ..pages.dashboard import dashboard_of
from ..pages.render import ASSETS, HEADERS, VERSION
from .auth import actor_of, require
from .behind_alert import failures_behind
from .html import NOBODY, READS, Busy, ask_in_time, busy, html, one_line, read_form, unknown
from .problems import Problem

router = APIRouter(include_in_schema=False)

_read_key = require("read")
_admin_key = require("admin")
ReadKey = Annotated[KeyConfig | None, Depends(_read_key)]
AdminKey = Annotated[KeyConfig | None, Depends(_admin_key)]


@router.api_route("/", methods=READS)
async def get_now(request: Request, key: ReadKey) -> Response:
    """Answer the front page; `?all=1` shows every alert and app."""
    service = request.app.state.service
    clock, everything = service.clock(), "all" in request.query_params

    choose = partial(now_page.chosen, everything=everything)

    async def find() -> dict[str, Any]:
        found = await ask_in_time(request, partial(gather.now, service.core, service.views, clock=clock, choose=choose))
        return await asyncio.to_thread(now_page.context, found, clock=clock, everything=everything)

    try:
        context = await service.shared.ask(("now", everything, int(clock)), find)
    except Busy:
        return await busy(root="./")
    url = service.views.external_url.rstrip("/")
    return await html("now.html", lambda: context, root="./", url=url, keyed=key is not None)


@router.api_route("/ledger", methods=READS, dependencies=[Depends(_read_key)])
async def get_ledger(request: Request) -> Response:
    """Answer the ledger, filtered as the form of the page asks; what cannot be understood is said, and left out."""
    service = request.app.state.service
    clock = service.clock()
    asked = ledger_page.read(request.query_params, now=clock)
    look = partial(gather.ledger, service.core, service.views, wanted=asked.wanted, limit=ledger_page.ROWS)
    try:
        found = await ask_in_time(request, look)
    except Busy:
        return await busy(root="./")
    return await html("ledger.html", partial(ledger_page.context, found, asked, clock=clock), root="./")


@router.api_route("/alerts/{fingerprint}", methods=READS)
async def get_alert(request: Request, fingerprint: str, key: ReadKey) -> Response:
    """Answer one alert's page; looking at it never acknowledges."""
    service = request.app.state.service
    try:
        found = await ask_in_time(request, partial(gather.one, service.core, service.views, fingerprint=fingerprint))
        if found is None:
            return await unknown(request, fingerprint, root="../")
    except Busy:
        return await busy(root="../")
    may, clock = key is None or key.scope == "admin", service.clock()
    behind = await failures_behind(service, found.page, clock=clock)
    context = partial(alert_page.context, found, clock=clock, may_acknowledge=may, behind=behind)
    dashboard = dashboard_of(service.views.grafana_url, found.page.current.alert)
    return await html(
        "alert.html", context, root="../", dashboard=dashboard, known_as=key.name if key is not None else ""
    )


@router.api_route("/alerts/{fingerprint}/acknowledge", methods=READS, dependencies=[Depends(_read_key)])
@router.api_route("/alerts/{fingerprint}/unacknowledge", methods=READS, dependencies=[Depends(_read_key)])
async def go_to_form(fingerprint: str) -> Response:
    """Answer the way to the form: an address that a mail scanner follows must change nothing."""
    return _back(fingerprint, "#acknowledge")


@router.post("/alerts/{fingerprint}/acknowledge")
async def post_acknowledge(request: Request, fingerprint: str, key: AdminKey) -> Response:
    """Acknowledge, then lead back; an alert that has resolved meanwhile is shown as it is."""
    dispatch = request.app.state.service.dispatch
    who, actor = await _who(request, key), actor_of(request, key, via="page")
    try:
        if await ask_in_time(request, partial(dispatch.acknowledge, fingerprint, by=who, actor=actor)) is not None:
            return _back(fingerprint)
        return await _back_if_known(request, fingerprint)
    except Busy:
        return await busy(root="../../")


@router.post("/alerts/{fingerprint}/unacknowledge")
async def post_unacknowledge(request: Request, fingerprint: str, key: AdminKey) -> Response:
    """Take an acknowledgement back, then lead back; those who were told are told again."""
    dispatch = request.app.state.service.dispatch
    who, actor = await _who(request, key), actor_of(request, key, via="page")
    try:
        if await ask_in_time(request, partial(dispatch.unacknowledge, fingerprint, by=who, actor=actor)):
            return _back(fingerprint)
        return await _back_if_known(request, fingerprint)
    except Busy:
        return await busy(root="../../")


async def _back_if_known(request: Request, fingerprint: str) -> Response:
    service = request.app.state.service
    known = await ask_in_time(request, partial(gather.one, service.core, service.views, fingerprint=fingerprint))
    return _back(fingerprint) if known is not None else await unknown(request, fingerprint, root="../../")


def mount_static(app: FastAPI) -> None:
    """Serve the style sheet, the script and the icons; they hold no secrets, so they need no key."""
    app.add_api_route("/static/{name}", _asset, methods=READS, include_in_schema=False)


async def _asset(name: str, v: str = "") -> Response:
    """Answer the style sheet, the script or an icon."""
    if name not in ASSETS:
        raise Problem(404, f"static: {name[:40]}: no such file")
    body, kind = ASSETS[name]
    keep = "public, max-age=31536000, immutable" if v == VERSION else "no-cache"
    return Response(body, media_type=kind, headers=HEADERS | {"Cache-Control": keep})


async def _who(request: Request, key: KeyConfig | None) -> str:
    """Return who posts a form: the name they gave, else their key's."""
    name = one_line((await read_form(request)).get("name", ""))
    return name or (key.name if key is not None else NOBODY)


def _back(fingerprint: str, fragment: str = "") -> Response:
    return RedirectResponse(f"../{quote(fingerprint, safe='')}{fragment}", 303, headers=HEADERS)
