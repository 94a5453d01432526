"""What every HTML page needs: an answer of the core in time, and the page.

≠ which pages there are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from fastapi import Request, Response
from fastapi.responses import HTMLResponse

from ..pages import gather
from ..pages.render import HEADERS, render
from .alerts import ask
from .forms import MAX_NAME
from .forms import read_form as read_form
from .forms import wants_page as wants_page
from .visit import FormField, present

READS = ["GET", "HEAD"]
NOBODY = "somebody"

_PATIENCE_S = 5.0


class Busy(Exception):
    """The core did not answer in time."""


async def ask_in_time(request: Request, function: Callable[[], Any]) -> Any:
    """Return what a function finds, run in the core's thread.

    Raises:
        Busy: It took over 5 s.
    """
    try:
        async with asyncio.timeout(_PATIENCE_S):
            return await ask(request, function)
    except TimeoutError as fault:
        raise Busy from fault


def _frame() -> dict[str, Any]:
    """Return what every page's template may use: the hidden field of forms, and who has logged in."""
    visit = present()
    if visit is None:
        return {"csrf": "", "logged_in_as": ""}
    return {"csrf": FormField(visit), "logged_in_as": visit.known_as if visit.session is not None else ""}


async def html(
    template: str,
    context: Callable[[], dict[str, Any]],
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """Return a page; `context` is run, and the page made, beside the event loop, so that events go on arriving."""
    text = await asyncio.to_thread(lambda: render(template, **(_frame() | context()), **more))
    return HTMLResponse(text, status, headers=HEADERS | dict(headers or {}))


async def said(
    *, heading: str, detail: str, root: str, status: int, firing: int | str = "?", quoted: str = ""
) -> Response:
    """Return a page that says one thing."""
    context = {"firing": firing, "heading": heading, "quoted": quoted, "detail": detail}
    return await html("message.html", lambda: context, status=status, root=root)


async def unknown(request: Request, fingerprint: str, *, root: str) -> Response:
    """Return a page that says that there is no such alert."""
    firing = await ask_in_time(request, partial(gather.firing, request.app.state.service.core))
    return await said(
        heading="No such alert",
        quoted=fingerprint[:80],
        detail="It never fired, or its rule is gone. Look at what fires now, or at the link you followed.",
        firing=firing,
        status=404,
        root=root,
    )


async def busy(*, root: str) -> Response:
    """Return a page that says that nothing can be said."""
    return await said(
        heading="Claxon does not answer",
        detail=f"Its core has been busy for {_PATIENCE_S:g} seconds, so nothing here would be true. "
        "Reload; if it lasts, look at its log, its disk and /-/healthy. Alerts may be late.",
        status=503,
        root=root,
    )


def one_line(text: str, *, most: int = MAX_NAME) -> str:
    """Return what somebody typed as one line of characters that can be seen."""
    return " ".join("".join(c if c.isprintable() else " " * c.isspace() for c in text).split())[:most]
