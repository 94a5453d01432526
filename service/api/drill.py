"""POST a fire drill.

≠ what it does.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from alerts.config import KeyConfig

from ..storage.errors import DatabaseError
from ..watch.drill import MAX_WAIT_S, WAIT_S, DrillError
from .auth import actor_of, require
from .bodies import read_body
from .problems import Problem, refuses

router = APIRouter(tags=["alerts"])

MAX_BODY = 10_000


class Wanted(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What is asked for: the receiver, and how long each of the two messages may take."""

    receiver: str
    wait_s: float = WAIT_S


@router.post(
    "/v1/fire-drill",
    summary="Send a marked test page to a receiver, and its end",
    responses=refuses(
        {404: "there is no such receiver", 413: "the body is too large", 422: "the body is not as it should be"}
        | {507: "the disk is full: nothing is sent"}
    ),
)
async def fire_drill(request: Request, key: Annotated[KeyConfig | None, Depends(require("admin"))]) -> Response:
    """Answer how each integration took both, once all have or the wait is over."""
    wanted = _wanted(await read_body(request))
    drills, actor = request.app.state.service.drills, actor_of(request, key)
    try:
        drill = await drills.run(wanted.receiver, wait_s=wanted.wait_s, actor=actor)
    except DrillError as fault:
        raise Problem(404, str(fault)) from fault
    except DatabaseError as fault:
        raise Problem(507, f"outbox: {fault}: free some disk space") from fault
    return Response(msgspec.json.encode(drill), media_type="application/json")


def _wanted(body: bytes) -> Wanted:
    try:
        wanted = msgspec.json.decode(body[:MAX_BODY], type=Wanted)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Problem(422, f'body: {fault}: send {{"receiver": "NAME"}}') from fault
    if not 0 < wanted.wait_s <= MAX_WAIT_S:
        raise Problem(422, f"wait_s: {wanted.wait_s:g}: more than 0 and at most {MAX_WAIT_S:g}")
    return wanted
