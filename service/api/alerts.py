"""GET alerts, rules, ledger; POST an acknowledgement, DELETE it.

≠ SQL, HTML.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from alerts.config import KeyConfig

from ..instants import InstantError, parse_instant
from ..storage.ledger import Wanted
from .auth import actor_of, require
from .problems import Problem, refuses

router = APIRouter(tags=["alerts"])

_read = Depends(require("read"))
_admin_key = require("admin")


async def ask(request: Request, function: Callable[[], Any]) -> Any:
    """Return what a function finds, run in the core's thread."""
    return await asyncio.wrap_future(request.app.state.service.core.submit(function))


async def _told(request: Request, name: str, function: Callable[[], Any]) -> Response:
    """Answer {name: what a function finds}; encoded in the core's thread, for alerts change there."""
    body = await ask(request, lambda: msgspec.json.encode({name: function()}))
    return Response(body, media_type="application/json")


@router.get("/v1/alerts", dependencies=[_read], summary="Alerts that fire or are pending, with their evidence")
async def get_alerts(request: Request) -> Response:
    """Answer {"alerts": [...]}, those of the configuration's rules, posted ones and Claxon's own."""
    views = request.app.state.service.views
    return await _told(request, "alerts", views.alerts)


@router.get(
    "/v1/alerts/{fingerprint}",
    dependencies=[_read],
    summary="One alert: episodes, why, and who was told",
    responses=refuses({404: "it never fired"}),
)
async def get_alert(request: Request, fingerprint: str) -> Response:
    """Answer the alert as it is or was last, its rule, its decisions, and who is told."""
    views = request.app.state.service.views

    def find() -> bytes | None:
        found = views.explained(fingerprint)
        return msgspec.json.encode(found) if found is not None else None

    body = await ask(request, find)
    if body is None:
        raise Problem(404, f"alert: {fingerprint[:40]}: never fired; GET /v1/alerts lists those that do")
    return Response(body, media_type="application/json")


@router.post(
    "/v1/alerts/{fingerprint}/ack",
    summary="Acknowledge an alert that fires",
    responses=refuses({404: "it does not fire"}),
)
async def acknowledge(
    request: Request,
    fingerprint: str,
    key: Annotated[KeyConfig | None, Depends(_admin_key)],
    by: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """Answer the alert; whoever was to be told next is not, until the acknowledgement ends."""
    dispatch = request.app.state.service.dispatch
    who = by or (key.name if key is not None else "somebody")
    actor = actor_of(request, key)

    def note() -> bytes | None:
        alert = dispatch.acknowledge(fingerprint, by=who, actor=actor)
        return msgspec.json.encode(alert) if alert is not None else None

    body = await ask(request, note)
    if body is None:
        raise Problem(404, f"alert: {fingerprint[:40]}: does not fire; there is nothing to acknowledge")
    return Response(body, media_type="application/json")


@router.delete(
    "/v1/alerts/{fingerprint}/ack",
    status_code=204,
    summary="Take an acknowledgement back",
    responses=refuses({404: "nobody has acknowledged it"}),
)
async def unacknowledge(
    request: Request,
    fingerprint: str,
    key: Annotated[KeyConfig | None, Depends(_admin_key)],
    by: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """Answer 204; those who were told of it are told again."""
    dispatch = request.app.state.service.dispatch
    who = by or (key.name if key is not None else "somebody")
    actor = actor_of(request, key)
    if not await ask(request, lambda: dispatch.unacknowledge(fingerprint, by=who, actor=actor)):
        raise Problem(404, f"alert: {fingerprint[:40]}: not acknowledged; there is nothing to take back")
    return Response(status_code=204)


Instant = Annotated[str, Query(description="RFC 3339, Unix seconds, or how long ago, such as 1h", max_length=40)]


@router.get("/v1/ledger", dependencies=[_read], summary="Why something was, or was not, told to people")
async def get_ledger(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    subject: str | None = None,
    what: str | None = None,
    app: str | None = None,
    environment: str | None = None,
    rule: str | None = None,
    since: Instant = "",
    until: Instant = "",
) -> Response:
    """Answer {"ledger": [...], "hash": ..., "decisions": ...}, newest first; the hash is of all decisions so far."""
    service = request.app.state.service
    now = service.clock()
    wanted = Wanted(
        subject=subject,
        what=what,
        app=app,
        environment=environment,
        rule=rule,
        since=_instant("since", since, now=now),
        until=_instant("until", until, now=now),
    )
    views = service.views
    body = await ask(
        request, lambda: msgspec.json.encode({"ledger": views.ledger(wanted, limit=limit)} | views.proof())
    )
    return Response(body, media_type="application/json")


def _instant(name: str, text: str, *, now: float) -> float | None:
    try:
        return parse_instant(text, now=now)
    except InstantError as fault:
        raise Problem(422, f"{name}: {fault}") from fault


@router.get("/v1/rules", dependencies=[_read], summary="The rules in force")
async def get_rules(request: Request) -> Response:
    """Answer {"rules": [...]}, each with its definition and how it does."""
    return await _told(request, "rules", request.app.state.service.views.rules)


@router.get("/v1/budgets", dependencies=[_read], summary="Error budgets: how fast they burn, and when they are gone")
async def get_budgets(request: Request) -> Response:
    """Answer {"budgets": [...]}, those that are spent most first."""
    return await _told(request, "budgets", request.app.state.service.views.budgets)


@router.get("/v1/deliveries", dependencies=[_read], summary="Notifications, and how their delivery went")
async def get_deliveries(request: Request, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> Response:
    """Answer {"deliveries": [...]}, newest first, each with its latest tries and what the vendor said."""
    views = request.app.state.service.views
    return await _told(request, "deliveries", lambda: views.deliveries(limit=limit))
