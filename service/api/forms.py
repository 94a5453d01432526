"""A posted form: its fields, and whether it was ours.

≠ what it asks for.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from fastapi import Request

from .problems import Problem
from .visit import FIELD, present

MAX_FORM = 16_384
MAX_NAME = 100

_NOT_OURS = "not of this session, or too old: go back, reload the page, and send the form again; it needs cookies"


def wants_page(request: Request) -> bool:
    """Whether somebody reads the answer in a browser."""
    return "text/html" in request.headers.get("accept", "")


async def read_form(request: Request, *, proven: bool = False) -> dict[str, str]:
    """Return the fields of a posted form, the first of each name.

    Args:
        request: Asked for its form any number of times.
        proven: Whether its address proves already that it may, as a signed link does.

    Raises:
        Problem: It is larger than any form of ours, or 403: it may be another site's.
    """
    fields = getattr(request.state, "form", None)
    if fields is None:
        fields = request.state.form = await _fields(request)
    if not proven:
        check_form(request, fields)
    return dict(fields)


async def _fields(request: Request) -> dict[str, str]:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM:
            raise Problem(413, f"form: over {MAX_FORM} bytes: a name of at most {MAX_NAME} characters, and few words")
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[0] for name, values in fields.items()}


def check_form(request: Request, fields: dict[str, str]) -> None:
    """Let a form pass that was ours, or that a program sent with its key.

    Raises:
        Problem: 403: it may be another site's.
    """
    # No browser sends a bearer token by itself, so no other site can make it.
    if request.headers.get("authorization", "").lower().startswith("bearer "):
        return
    visit = present()
    if visit is None or not visit.accepts(fields.get(FIELD, "")):
        raise Problem(403, f"form: {_NOT_OURS}")
