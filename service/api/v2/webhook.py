"""POST /api/v2/webhook: takes what an Alertmanager sends to a webhook, version 4, as posted alerts.

≠ API v2 of Alertmanager, which has no such thing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from ..auth import require
from ..problems import Problem, refuses
from .answers import V2Route
from .forms import PostableAlert
from .sent import decoded, read, refused
from .taking import Taking, check_number, take

router = APIRouter(route_class=V2Route)

FIRES_ON = timedelta(hours=25)
"""How long an alert is taken to fire of which nothing more is heard: longer than any usual `repeat_interval`."""


class _Message(msgspec.Struct, kw_only=True):
    """The part of a webhook's message that matters here: the rest says how its sender grouped and routed it."""

    version: str
    alerts: list[msgspec.Raw]


class _Alert(PostableAlert, kw_only=True):
    """An alert of a message.

    Attributes:
        status: "firing" or "resolved".
    """

    status: str = "firing"


@router.post(
    "/webhook",
    dependencies=[Depends(require("ingest"))],
    summary="Take alerts from an Alertmanager in front",
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {}}}},
    responses=refuses(
        {400: "it is no message of version 4, or an alert is wrong; the others are taken", 413: "it is too large"}
        | {415: "its `Content-Type` or `Content-Encoding` is not spoken", 503: "send again"}
    ),
)
async def post_webhook(request: Request) -> Response:
    """Answer 200 once all are taken; an Alertmanager tries again after 5xx, and after 4xx never."""
    body = await read(request)
    try:
        message = await decoded(body, _Message)
    except msgspec.ValidationError as fault:
        raise Problem(400, refused(fault).detail) from fault
    if message.version != "4":
        raise Problem(400, f"version: {message.version[:20]!r}: this takes version 4, Alertmanager's since 0.14")
    check_number(len(message.alerts))
    taking = Taking()
    now = datetime.fromtimestamp(request.app.state.service.clock(), UTC)
    for index, raw in enumerate(message.alerts):
        _add(taking, index, raw, now=now)
    try:
        await take(request, taking)
    except Problem as fault:
        # An Alertmanager tries again after any 5xx, and after 4xx never.
        raise Problem(503 if fault.status >= 500 else 400, fault.detail, headers=fault.headers) from fault
    return Response(status_code=200)


def _add(taking: Taking, index: int, raw: msgspec.Raw, *, now: datetime) -> None:
    try:
        alert = msgspec.json.decode(raw, type=_Alert)
    except msgspec.ValidationError as fault:
        taking.refuse(index, refused(fault))
        return
    if alert.status == "firing":
        # Nothing is said of it until its end, or until it is repeated.
        alert.ends_at = now + FIRES_ON
    elif alert.status != "resolved" or alert.ends_at is None:
        taking.refuse(index, Problem(400, "status: firing, or resolved with an endsAt"))
        return
    taking.add(index, alert)
