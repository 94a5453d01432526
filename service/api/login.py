"""GET and POST /login, POST /logout: a key for a session, and back; and what a browser is shown when it may not.

≠ what a session is, who may do what.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import RedirectResponse

from alerts.config import KeyConfig

from ..keys.in_force import Denied, Why
from ..pages.render import HEADERS
from ..storage.errors import DatabaseError
from .auth import actor_of, address_of
from .html import READS, html, read_form, said, wants_page
from .problems import Problem, SeeOther, problem_response
from .visit import Visit, present

router = APIRouter(include_in_schema=False)

_LONGEST = 1_000
_ABOVE = re.compile(r"(?:^|/)\.\.(?:/|$)")
_PLAIN = re.compile(r"[A-Za-z0-9_.~/?&=%+:;,@!$*()'\-]*")

_log = structlog.get_logger(__name__)


@router.api_route("/login", methods=READS)
async def get_login(request: Request, next: str = "") -> Response:  # noqa: A002 — as it is called in the address
    """Answer the form; where no key is needed, the front page."""
    if not request.app.state.keys.needed:
        return _to(next)
    return await _form(next)


@router.post("/login")
async def post_login(request: Request) -> Response:
    """Begin a session with the key of the form, and lead to where somebody wanted to be."""
    fields = await read_form(request)
    back = fields.get("next", "")
    if not request.app.state.keys.needed:
        return _to(back)
    try:
        key = _key(request, fields.get("key", "").strip())
    except Problem as problem:
        return await _form(back, problem=problem)
    visit = _visit()
    visit.log_in(key.sha256)
    actor = actor_of(request, key, via="page")
    _log.info("session.begun", key=key.name, address=address_of(request))
    await _write(request, partial(request.app.state.service.session_book.begun, actor))
    return _to(back)


@router.post("/logout")
async def post_logout(request: Request) -> Response:
    """End the session, and lead to the form."""
    await read_form(request)
    _visit().end_session()
    await _write(request, request.app.state.service.session_book.write)
    return RedirectResponse("./login", 303, headers=HEADERS)


def _visit() -> Visit:
    visit = present()
    assert visit is not None
    return visit


def _key(request: Request, presented: str) -> KeyConfig:
    try:
        key: KeyConfig = request.app.state.keys.find(presented, address_of(request))
    except Denied as fault:
        if fault.why is Why.GUESSING:
            wait = {"Retry-After": str(max(1, round(fault.wait_s)))}
            raise Problem(429, f"too many unknown keys: wait {fault.wait_s:.0f} s", headers=wait) from fault
        words = {Why.MISSING: "paste a key", Why.UNKNOWN: "there is no such key: copy all of it"}
        raise Problem(401, words.get(fault.why, str(fault).removeprefix("Authorization: "))) from fault
    if key.scope not in ("read", "admin"):
        raise Problem(403, f"key {key.name!r}: its scope is {key.scope}, and that opens no page")
    return key


async def _write(request: Request, write: Callable[[], None]) -> None:
    """Have a session kept over a restart; one that cannot be written counts all the same: the page must open."""
    core = request.app.state.service.core
    try:
        async with asyncio.timeout(2.0):
            await asyncio.wrap_future(core.submit(write))
    except (TimeoutError, DatabaseError) as fault:
        _log.warning("session.not_written", error=str(fault) or "the core is busy")


async def _form(back: str, *, problem: Problem | None = None) -> Response:
    context = {"firing": "?", "next": back[:_LONGEST], "problem": problem.detail if problem is not None else ""}
    status, headers = (problem.status, problem.headers) if problem is not None else (200, {})
    return await html("login.html", lambda: context, root="./", status=status, headers=headers)


def _to(back: str) -> Response:
    """Return the way to a page of ours, and to no other site, whatever the address says."""
    path = back.partition("?")[0]
    ours = len(back) <= _LONGEST and _PLAIN.fullmatch(back) and not path.startswith("/") and not _ABOVE.search(path)
    return RedirectResponse(f"./{back}" if ours and "//" not in path else "./", 303, headers=HEADERS)


def install_pages(app: FastAPI) -> None:
    """Have whoever asks with a browser answered by a page, where a program gets problem+json."""

    @app.exception_handler(SeeOther)
    async def _elsewhere(_: Request, fault: SeeOther) -> Response:
        return RedirectResponse(fault.address, 303, headers=HEADERS)

    @app.exception_handler(Problem)
    async def _problem(request: Request, fault: Problem) -> Response:
        if not wants_page(request):
            return problem_response(fault)
        root = "../" * (request.url.path.count("/") - 1) or "./"
        heading = _HEADINGS.get(fault.status, "This cannot be done")
        answer = await said(heading=heading, detail=fault.detail, root=root, status=fault.status)
        answer.headers.update(fault.headers)
        return answer


_HEADINGS = {
    403: "You may not do this",
    404: "There is no such page",
    413: "That is too much",
    422: "Not understood",
    429: "Too often",
    503: "Claxon is busy",
}
