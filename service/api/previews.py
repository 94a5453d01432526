"""POST /v1/silences/preview: what a silence would hide, before it is made.

≠ what that means, HTML.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from alerts.errors import MatcherError
from alerts.matchers import Matcher, make_matcher, parse_matcher

from .. import silence_views
from ..preview import Preview, preview, with_told
from .alerts import ask
from .auth import require
from .problems import Problem, refuses

router = APIRouter(tags=["silences"])

_MAX_BODY = 65_536
MAX_MATCHERS = 32
_OPERATORS = {(False, True): "=", (False, False): "!=", (True, True): "=~", (True, False): "!~"}
"""By (is_regex, is_equal)."""


Asker = Callable[[Request, Callable[[], Any]], Awaitable[Any]]


class _Matcher(msgspec.Struct, rename="camel"):
    """One matcher as Alertmanager's API writes it."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True


class _Asked(msgspec.Struct):
    """The body: other members of a silence may be there, and change nothing."""

    matchers: Annotated[list[_Matcher | str], msgspec.Meta(min_length=1, max_length=MAX_MATCHERS)]


async def preview_of(request: Request, matchers: tuple[Matcher, ...], *, by: Asker = ask) -> Preview:
    """Return what a silence with these matchers would hide; `by` asks the core."""
    core = request.app.state.service.core
    seen = await by(request, partial(silence_views.see, core))
    # A week of episodes is read beside the event loop and the core: pages must not wait for a question.
    found = await asyncio.to_thread(
        lambda: preview(matchers, firing=seen.firing, episodes=silence_views.ended(seen), rules=seen.rules)
    )
    return with_told(found, await by(request, partial(silence_views.told_of, core, found.past)))


@router.post(
    "/v1/silences/preview",
    dependencies=[Depends(require("admin"))],
    summary="What a silence would hide now, and would have hidden in the last 7 days",
    responses=refuses(
        {400: "the body is not as it should be", 413: "it is too large", 422: "a matcher cannot be understood"}
    ),
)
async def post_preview(request: Request) -> Response:
    """Answer the preview; nothing is changed. The body is {"matchers": [...]}: texts, or Alertmanager's objects."""
    found = await preview_of(request, _read(await _body(request)))
    return Response(msgspec.json.encode(found), media_type="application/json")


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            raise Problem(413, f"body: over {_MAX_BODY} bytes: matchers alone are needed")
    return bytes(body)


def _read(body: bytes) -> tuple[Matcher, ...]:
    try:
        asked = msgspec.json.decode(body, type=_Asked)
        return tuple(map(_matcher, asked.matchers))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise Problem(400, f'body: {fault}: write {{"matchers": ["app=\\"checkout\\""]}}') from fault
    except MatcherError as fault:
        raise Problem(422, f"matchers: {fault}") from fault


def _matcher(written: _Matcher | str) -> Matcher:
    if isinstance(written, str):
        return parse_matcher(written)
    return make_matcher(written.name, _OPERATORS[written.is_regex, written.is_equal], written.value)
