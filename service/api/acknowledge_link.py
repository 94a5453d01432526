"""GET and POST /a/{token}: the signed link that a page carries. It needs no key: it is one, for one thing.

≠ how a link is signed, what its page shows.
"""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from ..links import ExpiredLinkError, Link, UnknownLinkError
from ..pages import link as link_page
from ..pages.render import HEADERS
from .auth import actor_of
from .html import READS, Busy, ask_in_time, busy, html, one_line, read_form, said

router = APIRouter(include_in_schema=False)

_ROOT = "../"
_WHOEVER = "somebody with the link"


@router.api_route("/a/{token}", methods=READS)
async def get_link(request: Request, token: str) -> Response:
    """Answer the page with the button; looking never acknowledges, for mail scanners look at every link."""
    service = request.app.state.service
    link = _read(request, token)
    if not isinstance(link, Link):
        return await _refused(link)
    try:
        found = await ask_in_time(request, partial(link_page.look, service.core, service.views, link=link))
    except Busy:
        return await busy(root=_ROOT)
    if found is None:
        return await _forgotten()
    return await html("link.html", partial(link_page.context, found, clock=service.clock(), token=token), root=_ROOT)


@router.post("/a/{token}")
async def post_link(request: Request, token: str) -> Response:
    """Acknowledge the episode that the link is for, then lead back, where an alert that is over says so."""
    link = _read(request, token)
    if not isinstance(link, Link):
        return await _refused(link)
    who = one_line((await read_form(request, proven=True)).get("name", "")) or _WHOEVER
    dispatch = request.app.state.service.dispatch
    acknowledge = partial(
        dispatch.acknowledge, link.fingerprint, by=who, episode=link.episode, actor=actor_of(request, None, via="link")
    )
    try:
        await ask_in_time(request, acknowledge)
    except Busy:
        return await busy(root=_ROOT)
    return RedirectResponse(f"../a/{token}", 303, headers=HEADERS)


def _read(request: Request, token: str) -> Link | UnknownLinkError | ExpiredLinkError:
    try:
        link: Link = request.app.state.service.links.read(token)
    except (UnknownLinkError, ExpiredLinkError) as fault:
        return fault
    return link


async def _refused(fault: UnknownLinkError | ExpiredLinkError) -> Response:
    if isinstance(fault, ExpiredLinkError):
        return await said(
            heading="This link is over",
            detail="Links count for 7 days. If the alert still fires, a newer message has a newer link; "
            "its page, for those who have a key, always works.",
            root=_ROOT,
            status=410,
        )
    return await said(
        heading="Not a link of this Claxon",
        detail="Copy all of it from the message: it ends with 43 letters and digits. "
        "Links of a Claxon whose data was lost, or of another one, do not work here.",
        root=_ROOT,
        status=404,
    )


async def _forgotten() -> Response:
    return await said(
        heading="This alert is forgotten",
        detail="It ended so long ago that Claxon keeps nothing of it: there is nothing to acknowledge.",
        root=_ROOT,
        status=410,
    )
