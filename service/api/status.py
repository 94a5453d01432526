"""Is it up, is it ready, what does it count.

≠ what a metric means.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from alerts.config import KeyConfig

from ..clock import monotonic
from ..reloading import ReloadError
from ..roles import READY, STANDBY
from .auth import actor_of, require
from .problems import Problem, refuses

router = APIRouter(tags=["status"])


@router.head("/-/healthy", include_in_schema=False)
@router.get(
    "/-/healthy", summary="200 while the process works", responses=refuses({503: "a part has died: a restart helps"})
)
async def healthy(request: Request) -> Response:
    """Answer ok."""
    dead = request.app.state.service.dead_parts()
    if dead:
        raise Problem(503, f"{', '.join(dead)}: not running: restart Claxon, and read its log")
    return Response("ok\n", media_type="text/plain")


@router.head("/-/ready", include_in_schema=False)
@router.get(
    "/-/ready",
    summary="200 once events are taken",
    responses=refuses({503: "the core is busy for over a second, or what comes cannot be written"}),
)
async def ready(request: Request) -> Response:
    """Answer ready."""
    service = request.app.state.service
    try:
        async with asyncio.timeout(1):
            unready = await asyncio.wrap_future(service.core.submit(service.unready))
    except TimeoutError as fault:
        raise Problem(503, "core: busy: try again in a second", headers={"Retry-After": "1"}) from fault
    if service.by_role is not None:
        return answer_ready(service.by_role(unready))
    if unready:
        raise Problem(503, unready, headers={"Retry-After": "10"})
    return Response("ready\n", media_type="text/plain")


def answer_ready(by_role: Mapping[str, str]) -> Response:
    """Return the answer of one of several nodes to whether each of its roles can work.

    Raises:
        Problem: 503: one of them cannot.
    """
    wrong = "; ".join(f"{role}: {said}" for role, said in by_role.items() if said not in (READY, STANDBY))
    if wrong:
        raise Problem(503, wrong, headers={"Retry-After": "1"}, more={"roles": dict(by_role)})
    return Response(msgspec.json.encode({"roles": by_role}), media_type="application/json")


@router.head("/-/elected", include_in_schema=False)
@router.get(
    "/-/elected",
    summary="200 on the node that people and scripts talk to",
    responses=refuses({503: "another node of the same database is elected: `elected` says which"}),
)
async def elected() -> Response:
    """Answer elected: whoever has an API has been."""
    return Response("elected\n", media_type="text/plain")


@router.post(
    "/-/reload",
    summary="Read configuration and rule files again",
    responses=refuses({422: "something is wrong: `problems` has all of it, and nothing has changed"}),
)
async def reload(request: Request, key: Annotated[KeyConfig | None, Depends(require("admin"))]) -> Response:
    """Answer what changed."""
    try:
        difference = await request.app.state.service.reload(actor_of(request, key))
    except ReloadError as fault:
        said = f"configuration: {fault.problems[0]}; nothing has changed"
        raise Problem(422, said, more={"problems": fault.problems}) from fault
    return Response(msgspec.json.encode(difference), media_type="application/json")


@router.get("/metrics", dependencies=[Depends(require("read"))], summary="Prometheus metrics")
async def metrics(request: Request) -> Response:
    """Answer in the format that Prometheus asks for: text, OpenMetrics or protobuf."""
    service = request.app.state.service
    began_at = monotonic()
    sample = await asyncio.wrap_future(service.core.submit(service.metrics.sample))
    body, kind = await asyncio.to_thread(service.metrics.render, sample, request.headers.get("accept", ""))
    service.metrics.took(monotonic() - began_at)
    return Response(body, media_type=kind)
