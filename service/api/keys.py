"""GET, POST and DELETE /v1/keys, and the rotation of one.

≠ SQL, what a key may.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Query, Request, Response

from alerts.config import KeyConfig
from alerts.durations import parse_milliseconds
from alerts.errors import DurationError

from ..keys.book import Asked, Fault, KeyFault, Made
from ..keys.listing import Listed
from ..storage.errors import DatabaseError
from .alerts import ask
from .auth import actor_of, require
from .problems import Problem, refuses

router = APIRouter(tags=["keys"])

AdminKey = Annotated[KeyConfig | None, Depends(require("admin"))]

T = TypeVar("T")

_MAX_BODY = 10_000
_STATUS = {Fault.INVALID: 422, Fault.TAKEN: 409, Fault.UNKNOWN: 404, Fault.ELSEWHERE: 409}
_REFUSED = {
    404: "there is no key of this name",
    409: "its name is taken, or it is kept elsewhere",
    413: "the body is too large",
    422: "the body, or a parameter, is not as it should be",
    507: "the disk is full: nothing has changed",
}
_NEW = {status: when for status, when in _REFUSED.items() if status != 404}
_REVOKED = {status: when for status, when in _REFUSED.items() if status != 413}
_SECRET_HEADERS = {"Cache-Control": "no-store"}


class NewKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is posted for a new key; durations as in the configuration.

    Attributes:
        name: What it is known by; of no other key that is in force.
        scope: ingest, read or admin; the first key of a Claxon is of scope admin.
        app: Of events that name none.
        only_app: Refuses events of another app.
        events_per_second, requests_per_second: In the long run; 0: any number.
        burst: For so long it may hurry.
        expires_in: After this it ends; left out, never.
    """

    name: str
    scope: str = "ingest"
    app: str = ""
    only_app: bool = False
    events_per_second: float = 0.0
    requests_per_second: float = 0.0
    burst: str = "10s"
    expires_in: str = ""


class Rotation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is posted for a rotation.

    Attributes:
        overlap: How long the old key goes on; `0s`: it ends at once.
    """

    overlap: str = "24h"


_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {"application/json": {}}}}


@router.get(
    "/v1/keys",
    dependencies=[Depends(require("admin"))],
    summary="Keys: of the configuration, of the environment, of the database",
)
async def get_keys(request: Request) -> Response:
    """Answer {"keys": [...]}; a key itself is never shown."""
    return Response(msgspec.json.encode({"keys": await _listed(request)}), media_type="application/json")


async def _listed(request: Request) -> list[Listed]:
    service = request.app.state.service

    found: list[Listed] = await ask(request, lambda: service.key_book.listed(service.keys.uses()))
    return found


@router.post(
    "/v1/keys",
    status_code=201,
    summary="Make a key; it is shown once",
    openapi_extra=_BODY,
    responses=refuses(_NEW),
)
async def post_key(request: Request, key: AdminKey) -> Response:
    """Answer {"key": the key itself, "id", "name", ...}."""
    posted = await _read(request, NewKey)
    asked = Asked(
        name=posted.name,
        scope=posted.scope,
        app=posted.app,
        only_app=posted.only_app,
        events_per_second=posted.events_per_second,
        requests_per_second=posted.requests_per_second,
        burst_s=_seconds("burst", posted.burst),
        expires_in_s=_seconds("expires_in", posted.expires_in) if posted.expires_in else None,
    )
    book, actor = request.app.state.service.key_book, actor_of(request, key)
    made = await _done(request, lambda: book.create(asked, actor=actor))
    return await _shown_once(request, made)


@router.post(
    "/v1/keys/{name}/rotate",
    status_code=201,
    summary="Make a new key in place of one",
    openapi_extra=_BODY,
    responses=refuses(_REFUSED),
)
async def post_rotation(request: Request, name: str, key: AdminKey) -> Response:
    """Answer as for a new key, and {"replaced": [...]}: those that go on for the overlap."""
    overlap_s = _seconds("overlap", (await _read(request, Rotation)).overlap)
    book, actor = request.app.state.service.key_book, actor_of(request, key)
    made = await _done(request, lambda: book.rotate(name, overlap_s=overlap_s, actor=actor))
    return await _shown_once(request, made)


@router.delete("/v1/keys/{name}", summary="Revoke a key, from the next request on", responses=refuses(_REVOKED))
async def delete_key(
    request: Request,
    name: str,
    key: AdminKey,
    which: Annotated[str, Query(alias="id", pattern="^[0-9a-f]*$", max_length=64)] = "",
) -> Response:
    """Answer {"revoked": [...], "warning": ...}; with `id` only that one of its name."""
    book, actor = request.app.state.service.key_book, actor_of(request, key)

    def revoke() -> tuple[list[str], str]:
        revoked = book.revoke(name, actor=actor, which=which)
        return [one.key.sha256 for one in revoked], book.warning()

    revoked, warning = await _done(request, revoke)
    digests = {digest[:8] for digest in revoked}
    shown = [one for one in await _listed(request) if one.id in digests and one.name == name]
    return Response(msgspec.json.encode({"revoked": shown, "warning": warning}), media_type="application/json")


async def _shown_once(request: Request, made: Made) -> Response:
    ids = {one.key.sha256[:8]: one for one in (made.stored, *made.replaced)}
    shown = {one.id: one for one in await _listed(request) if one.id in ids and one.source == "database"}
    mine = shown.pop(made.stored.key.sha256[:8])
    body = {"key": made.secret} | msgspec.to_builtins(mine) | {"replaced": list(shown.values())}
    return Response(msgspec.json.encode(body), 201, media_type="application/json", headers=_SECRET_HEADERS)


async def _done(request: Request, function: Callable[[], T]) -> T:
    try:
        done: T = await ask(request, function)
    except KeyFault as fault:
        raise Problem(_STATUS[fault.kind], str(fault)) from fault
    except DatabaseError as fault:
        raise Problem(507, f"database: {fault}: free some disk space; nothing has changed") from fault
    return done


async def _read(request: Request, kind: type[T]) -> T:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise Problem(413, f"body: over {_MAX_BODY} bytes: no key needs as many")
    try:
        return msgspec.json.decode(bytes(body) or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise Problem(422, f"body: {fault}: docs/reference/keys.md says what is posted") from fault


def _seconds(name: str, text: str) -> float:
    try:
        return parse_milliseconds(text) / 1000
    except DurationError as fault:
        raise Problem(422, f"{name}: {fault}") from fault
