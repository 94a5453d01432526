"""Alerts of API v2: post them, list them, list them in groups, and list who is told.

≠ the notifier.
"""

from __future__ import annotations

import asyncio
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from alerts.overview import Grouped, Standing, Wanted, grouped, in_group_order, standing

from ..alerts import ask
from ..auth import require
from ..problems import refuses
from .answers import V2Route, answer
from .asked import ReceiverMatchers, any_receiver, read_wanted
from .forms import Named, PostableAlert, alert_form, group_form
from .sent import decoded, read, refused
from .taking import Taking, check_number, take

router = APIRouter(route_class=V2Route)

_read = Depends(require("read"))
WantedAlerts = Annotated[Wanted | None, Depends(read_wanted)]

_REFUSED = {
    400: "some alerts are not as they should be; the others are taken",
    413: "there are too many, or the body is too large",
    415: "its `Content-Type` or `Content-Encoding` is not spoken",
    422: "a member is missing, or an URL is none; the others are taken",
    500: "the disk takes nothing: send again",
    503: "Claxon has too much to do: send again after `Retry-After`",
}
_ASKED = {400: "a matcher or an expression cannot be understood"}
_BODY = {"requestBody": {"required": True, "content": {"application/json": {}}}}


@router.post(
    "/alerts",
    dependencies=[Depends(require("ingest"))],
    summary="Post alerts, as Prometheus does",
    openapi_extra=_BODY,
    responses=refuses(_REFUSED),
)
async def post_alerts(request: Request) -> Response:
    """Answer 200 once all are on disk."""
    await take(request, await _taking(await read(request)))
    return Response(status_code=200)


async def _taking(body: bytes) -> Taking:
    try:
        alerts = await decoded(body, list[PostableAlert])
    except msgspec.ValidationError:
        return await _one_by_one(body)
    check_number(len(alerts))
    taking = Taking()
    for index, alert in enumerate(alerts):
        taking.add(index, alert)
    return taking


async def _one_by_one(body: bytes) -> Taking:
    """Read what is not all of the right form: one bad alert must not lose the others."""
    try:
        raws = await decoded(body, list[msgspec.Raw])
    except msgspec.ValidationError as fault:
        raise refused(fault) from fault
    check_number(len(raws))
    taking = Taking()
    for index, raw in enumerate(raws):
        try:
            taking.add(index, msgspec.json.decode(raw, type=PostableAlert))
        except msgspec.ValidationError as fault:
            taking.refuse(index, refused(fault))
    return taking


@router.get(
    "/alerts",
    dependencies=[_read],
    summary="The alerts that fire, posted ones and Claxon's own",
    responses=refuses(_ASKED),
)
async def get_alerts(request: Request, wanted: WantedAlerts) -> Response:
    """Answer [{labels, annotations, status, ...}], by fingerprint."""
    service = request.app.state.service

    def find() -> list[Standing]:
        if wanted is None:
            return []
        core = service.core
        return standing(core.notifier, core.engine.firing(), service.dispatch.now, wanted)

    found = await ask(request, find)
    return answer(await asyncio.to_thread(lambda: msgspec.json.encode([alert_form(one) for one in found])))


@router.get(
    "/alerts/groups",
    dependencies=[_read],
    summary="The alerts that fire, as receivers are told of them",
    responses=refuses(_ASKED),
)
async def get_groups(request: Request, wanted: WantedAlerts) -> Response:
    """Answer [{labels, receiver, alerts}]; what is told alone is a group of one."""
    service = request.app.state.service

    def find() -> list[Grouped]:
        if wanted is None:
            return []
        core = service.core
        return grouped(core.notifier, core.engine.firing(), service.dispatch.now, wanted)

    found = await ask(request, find)
    return answer(await asyncio.to_thread(lambda: msgspec.json.encode([group_form(g) for g in in_group_order(found)])))


@router.get(
    "/receivers",
    dependencies=[_read],
    summary="The receivers of the configuration",
    responses=refuses(_ASKED),
)
async def get_receivers(request: Request, receiver_matchers: ReceiverMatchers = None) -> Response:
    """Answer [{name}], as they stand in the file."""
    receivers = (
        request.app.state.service.configuration.loaded.config.receivers if any_receiver(receiver_matchers) else ()
    )
    return answer(msgspec.json.encode([Named(receiver.name) for receiver in receivers]))
