"""Silences of API v2: make, change, list, expire.

≠ what a silence silences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from alerts.config import KeyConfig
from alerts.errors import SilenceError
from alerts.overview import listed
from alerts.silences import Silence, SilenceMatcher, SilenceState

from ...storage.errors import DatabaseError
from ..alerts import ask
from ..auth import actor_of, require
from ..problems import Problem, refuses
from .answers import V2Route, answer
from .asked import Flag, Matchers, read_flag, read_matchers
from .forms import PostableSilence, silence_form
from .sent import decoded, read, refused, seconds

router = APIRouter(route_class=V2Route)

_read = Depends(require("read"))
AdminKey = Annotated[KeyConfig | None, Depends(require("admin"))]

_REFUSED = {
    400: "it cannot be put in force, or the body is no JSON",
    404: "there is no silence with the id that was posted",
    413: "the body is too large",
    415: "its `Content-Type` or `Content-Encoding` is not spoken",
    422: "a member is missing",
    500: "the disk takes nothing: nothing has changed",
    503: "Claxon has too much to do: send again after `Retry-After`",
}
_ONE = {404: "there is none with this id", 422: "the id is no UUID"}
_MOST_TEXT = 16 * 1024  # characters of a silence
_BODY = {"requestBody": {"required": True, "content": {"application/json": {}}}}


@router.get(
    "/silences",
    dependencies=[_read],
    summary="Silences: active, pending, and those that have expired",
    responses=refuses({400: "a matcher cannot be understood"}),
)
async def get_silences(
    request: Request,
    matchers: Matchers = None,
    active: Flag = "true",
    pending: Flag = "true",
    expired: Flag = "true",
) -> Response:
    """Answer [{id, status, matchers, ...}]: active ones by their end, then pending ones, then the latest expired."""
    service = request.app.state.service
    wanted = read_matchers(matchers)
    asked = {SilenceState.ACTIVE: active, SilenceState.PENDING: pending, SilenceState.EXPIRED: expired}
    states = [state for state, said in asked.items() if read_flag(said)]

    def find() -> bytes:
        now = service.dispatch.now
        silences = service.core.notifier.state.silences.values()
        found = listed(silences, now, matchers=wanted, states=states)
        return msgspec.json.encode([silence_form(one, now) for one in found])

    return answer(await ask(request, find))


@router.post(
    "/silences",
    summary="Make a silence, or change one",
    openapi_extra=_BODY,
    responses=refuses(_REFUSED),
)
async def post_silence(request: Request, key: AdminKey) -> Response:
    """Answer {"silenceID": ...}; one with an id changes that silence, or ends it and makes another."""
    body = await read(request)
    try:
        wanted = _wanted(await decoded(body, PostableSilence))
    except msgspec.ValidationError as fault:
        raise refused(fault) from fault
    dispatch, actor = request.app.state.service.dispatch, actor_of(request, key)
    made: Silence = await _done(request, wanted.id, lambda: dispatch.silence(wanted, actor=actor))
    return answer(msgspec.json.encode({"silenceID": made.id}))


def _wanted(form: PostableSilence) -> Silence:
    annotations = form.annotations or {}
    texts = [form.created_by, form.comment, *annotations, *annotations.values()]
    texts += [text for m in form.matchers for text in (m.name, m.value)]
    if sum(map(len, texts)) > _MOST_TEXT:
        raise Problem(400, f"silence: over {_MOST_TEXT} characters: shorten its comment or its matchers")
    return Silence(
        id=form.id or "",
        matchers=[
            SilenceMatcher(name=m.name, value=m.value, is_regex=m.is_regex, is_equal=m.is_equal is not False)
            for m in form.matchers
        ],
        # No beginning is now: the notifier puts no silence in force before it was asked for.
        starts_at=seconds(form.starts_at) or 0.0,
        ends_at=seconds(form.ends_at) or 0.0,
        updated_at=0.0,
        created_by=form.created_by,
        comment=form.comment,
        annotations=annotations,
    )


@router.get("/silence/{silence_id}", dependencies=[_read], summary="One silence", responses=refuses(_ONE))
async def get_silence(request: Request, silence_id: str) -> Response:
    """Answer it, over or not."""
    service = request.app.state.service
    name = _uuid(silence_id)

    def find() -> bytes:
        silence = service.core.notifier.state.silences[name]
        return msgspec.json.encode(silence_form(silence, service.dispatch.now))

    return answer(await _done(request, name, find))


@router.delete(
    "/silence/{silence_id}",
    summary="End a silence",
    responses=refuses(_ONE | {500: "the disk takes nothing: nothing has changed"}),
)
async def delete_silence(request: Request, silence_id: str, key: AdminKey) -> Response:
    """Answer 200 once it has ended, or if it had."""
    service = request.app.state.service
    name, actor = _uuid(silence_id), actor_of(request, key)

    def end() -> None:
        silence = service.core.notifier.state.silences[name]
        if silence.state(service.dispatch.now) is not SilenceState.EXPIRED:
            service.dispatch.expire(name, actor=actor)

    await _done(request, name, end)
    return Response(status_code=200)


async def _done(request: Request, name: str, function: Callable[[], Any]) -> Any:
    """Return what a function does, run in the core's thread.

    Raises:
        Problem: There is no silence with this id, it cannot be put in force, or it cannot be written.
    """
    try:
        return await ask(request, function)
    except KeyError as fault:
        raise Problem(404, f"silence: {name[:40]}: not found: GET /api/v2/silences lists those there are") from fault
    except SilenceError as fault:
        raise Problem(400, str(fault)) from fault
    except DatabaseError as fault:
        raise Problem(500, f"database: cannot be written: {fault}: nothing has changed") from fault


def _uuid(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError as fault:
        raise Problem(422, f"silenceID: {text[:40]!r}: not a UUID") from fault
