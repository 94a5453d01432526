"""GET /v1/events: failures, newest first; those behind an alert.

≠ SQL, how they are found.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from claxon.event import to_wire
from fastapi import APIRouter, Depends, Query, Request, Response

from alerts.lifecycle import Alert
from alerts.rules import Rule

from ..instants import InstantError, parse_instant
from ..search.asking import Busy
from ..search.behind import narrowed
from ..search.looking import Answer, Found
from ..search.places import Cursor, parse_cursor
from ..search.scanning import UnreadableRow
from ..search.wanted import Outcome, Wanted
from ..storage.database import StorageError
from ..storage.errors import DatabaseError
from .auth import require
from .problems import Problem, refuses

if TYPE_CHECKING:
    from ..app import Service

router = APIRouter(tags=["events"])

_read = Depends(require("read"))

Instant = Annotated[str, Query(description="RFC 3339, Unix seconds, or how long ago, such as 1h", max_length=40)]
Text = Annotated[str | None, Query(max_length=500)]


@router.get(
    "/v1/events",
    dependencies=[_read],
    summary="Failed events, newest first; those behind an alert",
    responses=refuses({404: "the alert never fired", 503: "too many search, or the log cannot be read"}),
)
async def get_events(
    request: Request,
    app: Text = None,
    environment: Text = None,
    category: Text = None,
    path: Text = None,
    model: Text = None,
    error_type: Text = None,
    status: Annotated[int | None, Query(ge=100, le=599)] = None,
    request_id: Text = None,
    call_id: Text = None,
    alert: Annotated[str, Query(max_length=64, description="Fingerprint: the failures behind it")] = "",
    outcome: Outcome | None = None,
    since: Instant = "",
    until: Instant = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str, Query(max_length=200, description="`next` of the page before")] = "",
) -> Response:
    """Answer {"events": [...], "next": ..., "looked_back_to": ...}; the last is null unless the time was over."""
    service: Service = request.app.state.service
    now = service.clock()
    wanted = Wanted(
        app=app,
        environment=environment,
        category=category,
        path=path,
        model=model,
        error_type=error_type,
        status=status,
        request_id=request_id,
        call_id=call_id,
        outcome=outcome or (Outcome.OK if category == "ok" else Outcome.FAILED),
    )
    earliest, latest = _instant("since", since, now=now), _instant("until", until, now=now)
    if earliest is not None:
        wanted = replace(wanted, since=earliest)
    if latest is not None:
        wanted = replace(wanted, until=latest)
    if alert:
        wanted = narrowed(wanted, *await _alert(service, alert))
    answer = await _search(service, wanted, limit=limit, after=_cursor(cursor))
    return Response(msgspec.json.encode(_shown(answer)), media_type="application/json")


async def _search(service: Service, wanted: Wanted, *, limit: int, after: Cursor | None) -> Answer:
    try:
        return await service.searcher.ask(wanted, limit=limit, after=after)
    except Busy as fault:
        raise Problem(503, "search: busy: ask again after a second", headers={"Retry-After": "1"}) from fault
    except UnreadableRow as fault:
        raise Problem(503, str(fault)) from fault
    except (DatabaseError, StorageError) as fault:
        raise Problem(503, f"log: cannot be read: {fault}: ask again later", headers={"Retry-After": "5"}) from fault


async def _alert(service: Service, fingerprint: str) -> tuple[Alert, Rule | None]:
    page = await asyncio.wrap_future(service.core.submit(lambda: service.views.alert(fingerprint)))
    if page is None:
        raise Problem(404, f"alert: {fingerprint[:40]}: never fired; GET /v1/alerts lists those that do")
    return page.current.alert, page.rule


def _shown(answer: Answer) -> dict[str, Any]:
    stopped = answer.stopped_at
    return {
        "events": [_event(found) for found in answer.found],
        "next": answer.next.text() if answer.next is not None else None,
        "looked_back_to": datetime.fromtimestamp(stopped, UTC).isoformat() if stopped is not None else None,
    }


def _event(found: Found) -> dict[str, Any]:
    said = to_wire(found.event)
    return said | {"provisional": True} if found.event.provisional else said


def _cursor(text: str) -> Cursor | None:
    try:
        return parse_cursor(text) if text else None
    except ValueError as fault:
        raise Problem(422, f"cursor: {text[:40]}: {fault}") from fault


def _instant(name: str, text: str, *, now: float) -> float | None:
    try:
        return parse_instant(text, now=now)
    except InstantError as fault:
        raise Problem(422, f"{name}: {fault}") from fault
