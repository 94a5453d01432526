"""The silences' pages: GET /silences and /silences/new, and the forms that preview, make, extend and end one.

≠ what a silence means, HTML.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from alerts.config import KeyConfig
from alerts.durations import parse_duration
from alerts.errors import DurationError, SilenceError

from .. import silence_views
from ..audit import Actor
from ..pages import gather
from ..pages import silences as page
from ..pages.render import HEADERS
from ..pages.silences import Draft
from .auth import actor_of, require
from .html import NOBODY, READS, Busy, ask_in_time, busy, html, one_line, read_form, said
from .previews import preview_of

router = APIRouter(include_in_schema=False)

ReadKey = Annotated[KeyConfig | None, Depends(require("read"))]
AdminKey = Annotated[KeyConfig | None, Depends(require("admin"))]


@router.api_route("/silences", methods=READS)
async def get_silences(request: Request, key: ReadKey) -> Response:
    """Answer the list: in force, to come, over."""
    return await _list(request, key, root="./")


async def _list(
    request: Request, key: KeyConfig | None, *, root: str, problem: str = "", status: int = 200
) -> Response:
    service = request.app.state.service
    try:
        found = await ask_in_time(request, partial(silence_views.silences, service.core, service.views))
    except Busy:
        return await busy(root=root)
    may = key is None or key.scope == "admin"
    known_as = key.name if key is not None else ""
    context = partial(page.context, found, clock=service.clock(), may=may, known_as=known_as, problem=problem)
    return await html("silences.html", context, root=root, status=status)


@router.api_route("/silences/new", methods=READS)
async def get_new(request: Request, key: AdminKey, alert: str = "", silence: str = "") -> Response:
    """Answer the form: for an alert, with what it would hide; for a silence that is over; or empty."""
    service = request.app.state.service
    by = key.name if key is not None else ""
    try:
        draft: Draft = await ask_in_time(request, lambda: _begin(service, alert=alert, silence=silence, by=by))
    except Busy:
        return await busy(root="../")
    return await _form(request, draft)


def _begin(service: Any, *, alert: str, silence: str, by: str) -> Draft:
    if alert:
        found = gather.one(service.core, service.views, fingerprint=alert)
        if found is not None:
            return page.prefilled(found.page.current.alert.labels, by=by)
    if silence:
        known = silence_views.silence(service.core, silence)
        if known is not None:
            return page.renewed(known, by=by)
    return page.empty(by=by)


@router.api_route("/silences/preview", methods=READS, dependencies=[Depends(require("read"))])
async def go_to_new() -> Response:
    """Answer the way to the form, for who reloads a preview."""
    return RedirectResponse("new", 303, headers=HEADERS)


@router.post("/silences/preview")
async def post_preview(request: Request, key: AdminKey) -> Response:
    """Answer the form again, with what the silence would hide; nothing is made."""
    return await _form(request, await _draft(request, key))


@router.post("/silences")
async def post_silence(request: Request, key: AdminKey) -> Response:
    """Make the silence, then lead to it; what was not previewed is previewed first."""
    service = request.app.state.service
    draft = await _draft(request, key)
    if draft.problem or not draft.previewed:
        return await _form(request, draft, root="./")
    wanted = draft.silence(now=service.clock())
    try:
        made = await ask_in_time(request, partial(service.dispatch.silence, wanted, actor=_actor(request, key)))
    except SilenceError as fault:
        return await _form(request, draft, root="./", problem=str(fault))
    except Busy:
        return await busy(root="./")
    return RedirectResponse(f"silences#silence-{made.id}", 303, headers=HEADERS)


async def _draft(request: Request, key: KeyConfig | None) -> Draft:
    fields = await read_form(request)
    by = one_line(fields.get("by", "")) or (key.name if key is not None else "")
    return page.read(fields | {"by": by})


async def _form(request: Request, draft: Draft, *, root: str = "../", problem: str = "") -> Response:
    """Return the form; with what its matchers would hide, where they are understood and there are any."""
    service = request.app.state.service
    found = None
    try:
        firing = await ask_in_time(request, partial(gather.firing, service.core))
        if draft.matchers:
            found = await preview_of(request, draft.matchers, by=ask_in_time)
    except Busy:
        return await busy(root=root)
    wrong = problem or draft.problem
    longest_s = service.core.notifier.policy.silence_max_s
    context = partial(
        page.new_context, draft, found, clock=service.clock(), firing=firing, longest_s=longest_s, problem=wrong
    )
    return await html("silence_new.html", context, root=root, status=422 if wrong else 200)


@router.post("/silences/{name}/extend")
async def post_extend(request: Request, name: str, key: AdminKey) -> Response:
    """Let a silence last longer, then lead back to it."""
    fields = await read_form(request)
    by = _who(fields, key)
    try:
        by_s = parse_duration(fields.get("for", ""))
    except DurationError as fault:
        return await _list(request, key, root="../../", problem=f"extend: {fault}", status=422)
    dispatch = request.app.state.service.dispatch
    return await _change(
        request, key, name, partial(dispatch.extend, name, by_s=float(by_s), by=by, actor=_actor(request, key))
    )


@router.post("/silences/{name}/expire")
async def post_expire(request: Request, name: str, key: AdminKey) -> Response:
    """End a silence, then lead back to it: what it hid is told now."""
    by = _who(await read_form(request), key)
    dispatch = request.app.state.service.dispatch
    return await _change(request, key, name, partial(dispatch.expire, name, by=by, actor=_actor(request, key)))


async def _change(request: Request, key: KeyConfig | None, name: str, change: Callable[[], Any]) -> Response:
    root = "../../"
    try:
        changed = await ask_in_time(request, change)
    except KeyError:
        detail = "It ended over a month ago, or never was. The list shows those of the last week."
        return await said(heading="No such silence", quoted=name[:80], detail=detail, root=root, status=404)
    except SilenceError as fault:
        return await _list(request, key, root=root, problem=str(fault), status=422)
    except Busy:
        return await busy(root=root)
    return RedirectResponse(f"../../silences#silence-{changed.id}", 303, headers=HEADERS)


def _actor(request: Request, key: KeyConfig | None) -> Actor:
    return actor_of(request, key, via="page")


def _who(fields: dict[str, str], key: KeyConfig | None) -> str:
    return one_line(fields.get("name", "")) or (key.name if key is not None else NOBODY)
