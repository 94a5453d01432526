"""The on-call page: GET /, /ledger and /alerts/{fingerprint}, and the form that acknowledges.

≠ what a page shows, HTML.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from alerts.config import KeyConfig

from ..pages import alert as alert_page
from ..pages import gather
from ..pages import ledger as ledger_page
from ..pages import now as now_page
from ..pages.render import ASSETS, HEADERS, VERSION, render
from .alerts import ask
from .auth import require
from .problems import Problem

router = APIRouter(include_in_schema=False)

_READS = ["GET", "HEAD"]
_PATIENCE_S = 5.0
_MAX_FORM = 4096
_MAX_NAME = 100
_NOBODY = "somebody"

_read_key = require("read")
_admin_key = require("admin")
ReadKey = Annotated[KeyConfig | None, Depends(_read_key)]
AdminKey = Annotated[KeyConfig | None, Depends(_admin_key)]


class _Busy(Exception):
    """The core did not answer in time."""


@router.api_route("/", methods=_READS)
async def get_now(request: Request, key: ReadKey) -> Response:
    """Answer the front page; `?all=1` shows every alert and app."""
    service = request.app.state.service
    clock = service.clock()
    try:
        found = await _ask(request, partial(gather.now, service.core, service.views, clock=clock))
    except _Busy:
        return await _busy(root="./")
    context = partial(now_page.context, found, clock=clock, everything="all" in request.query_params)
    url = service.views.external_url.rstrip("/")
    return await _page("now.html", context, root="./", url=url, keyed=key is not None)


@router.api_route("/ledger", methods=_READS, dependencies=[Depends(_read_key)])
async def get_ledger(request: Request) -> Response:
    """Answer the ledger, filtered as the form of the page asks; what cannot be understood is said, and left out."""
    service = request.app.state.service
    clock = service.clock()
    asked = ledger_page.read(request.query_params, now=clock)
    look = partial(gather.ledger, service.core, service.views, wanted=asked.wanted, limit=ledger_page.ROWS)
    try:
        found = await _ask(request, look)
    except _Busy:
        return await _busy(root="./")
    return await _page("ledger.html", partial(ledger_page.context, found, asked, clock=clock), root="./")


@router.api_route("/alerts/{fingerprint}", methods=_READS)
async def get_alert(request: Request, fingerprint: str, key: ReadKey) -> Response:
    """Answer one alert's page; looking at it never acknowledges."""
    service = request.app.state.service
    try:
        found = await _ask(request, partial(gather.one, service.core, service.views, fingerprint=fingerprint))
        if found is None:
            return await _unknown(request, fingerprint, root="../")
    except _Busy:
        return await _busy(root="../")
    may = key is None or key.scope == "admin"
    context = partial(alert_page.context, found, clock=service.clock(), may_acknowledge=may)
    return await _page("alert.html", context, root="../", known_as=key.name if key is not None else "")


@router.api_route("/alerts/{fingerprint}/acknowledge", methods=_READS, dependencies=[Depends(_read_key)])
async def go_to_form(fingerprint: str) -> Response:
    """Answer the way to the form: an address that a mail scanner follows must change nothing."""
    return _back(fingerprint, "#acknowledge")


@router.post("/alerts/{fingerprint}/acknowledge")
async def post_acknowledge(request: Request, fingerprint: str, key: AdminKey) -> Response:
    """Acknowledge, then lead back; an alert that has resolved meanwhile is shown as it is."""
    core = request.app.state.service.core
    who = await _name(request) or (key.name if key is not None else _NOBODY)
    try:
        if (
            await _ask(request, partial(request.app.state.service.dispatch.acknowledge, fingerprint, by=who))
            is not None
        ):
            return _back(fingerprint)
        views = request.app.state.service.views
        known = await _ask(request, partial(gather.one, core, views, fingerprint=fingerprint))
        return _back(fingerprint) if known is not None else await _unknown(request, fingerprint, root="../../")
    except _Busy:
        return await _busy(root="../../")


def mount_static(app: FastAPI) -> None:
    """Serve the style sheet, the script and the icons; they hold no secrets, so they need no key."""
    app.add_api_route("/static/{name}", _asset, methods=_READS, include_in_schema=False)


async def _asset(name: str, v: str = "") -> Response:
    if name not in ASSETS:
        raise Problem(404, f"static: {name[:40]}: no such file")
    body, kind = ASSETS[name]
    keep = "public, max-age=31536000, immutable" if v == VERSION else "no-cache"
    return Response(body, media_type=kind, headers=HEADERS | {"Cache-Control": keep})


async def _ask(request: Request, function: Callable[[], Any]) -> Any:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await ask(request, function)
    except TimeoutError as fault:
        raise _Busy from fault


async def _page(template: str, context: Callable[[], dict[str, Any]], *, status: int = 200, **more: Any) -> Response:
    # Beside the event loop: a long page must not hold up the events that arrive.
    html = await asyncio.to_thread(lambda: render(template, **context(), **more))
    return HTMLResponse(html, status, headers=HEADERS)


async def _unknown(request: Request, fingerprint: str, *, root: str) -> Response:
    core = request.app.state.service.core
    firing = await _ask(request, partial(gather.firing, core))
    said = {
        "firing": firing,
        "heading": "No such alert",
        "quoted": fingerprint[:80],
        "detail": "It never fired, or its rule is gone. Look at what fires now, or at the link you followed.",
    }
    return await _page("message.html", lambda: said, status=404, root=root)


async def _busy(*, root: str) -> Response:
    said = {
        "firing": "?",
        "heading": "Claxon does not answer",
        "quoted": "",
        "detail": f"Its core has been busy for {_PATIENCE_S:g} seconds, so nothing here would be true. "
        "Reload; if it lasts, look at its log, its disk and /-/healthy. Alerts may be late.",
    }
    return await _page("message.html", lambda: said, status=503, root=root)


async def _name(request: Request) -> str:
    """Return who acknowledges, from the form; "" where nobody said."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_FORM:
            raise Problem(413, f"form: over {_MAX_FORM} bytes: a name of at most {_MAX_NAME} characters")
    fields = parse_qs(body.decode("utf-8", "replace"))
    name = "".join(c for c in fields.get("name", [""])[0] if c.isprintable())
    return " ".join(name.split())[:_MAX_NAME]


def _back(fingerprint: str, fragment: str = "") -> Response:
    return RedirectResponse(f"../{quote(fingerprint, safe='')}{fragment}", 303, headers=HEADERS)
