"""Who may do what: keys as bearer tokens (or, for browsers, as the password of Basic), and same-origin writes.

≠ where keys come from.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request

from alerts.config import KeyConfig

from ..audit import Actor
from ..keys.in_force import Denied, Keys, Why
from .problems import Problem, problem_response

__all__ = ["Keys", "SameOrigin", "actor_of", "address_of", "admit", "admitted", "require", "wait"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_ALLOWED = {"ingest": {"ingest", "admin"}, "read": {"read", "admin"}, "admin": {"admin"}}
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Claxon: any user, a key as password", Bearer'}

_NEEDS_NO_HOST = ("/a/", "/static/", "/v1/pagerduty/")
"""What proves itself by a signature, or is no secret: a foreign page under a foreign name gets nothing out of it."""


def admit(keys: Keys, authorization: str, scope: str, *, address: str = "") -> KeyConfig | None:
    """Return the key of a request that may do what needs a scope; None where no key is needed.

    Args:
        keys: In force.
        authorization: The header; "" where there is none.
        scope: ingest, read or admin.
        address: Of the other end; without it nobody is kept from trying keys.

    Raises:
        Problem: 401 without a key that counts, 403 with one of another scope, 429 for one that asks too often.
    """
    if not keys.needed:
        return None
    try:
        key = keys.find(_presented(authorization), address)
    except Denied as fault:
        if fault.why is Why.GUESSING:
            raise wait(str(fault), fault.wait_s) from fault
        raise Problem(401, str(fault), headers=_CHALLENGE) from fault
    if key.scope not in _ALLOWED[scope]:
        raise Problem(403, f"key {key.name!r}: its scope is {key.scope}: this needs {scope}")
    if wait_s := keys.request(key):
        said = f"key {key.name!r}: over {key.requests_per_second:g} requests a second: send again after {wait_s:.1f} s"
        raise wait(said, wait_s)
    return key


def wait(said: str, wait_s: float) -> Problem:
    """Return a 429 that says for how many seconds to wait."""
    return Problem(429, said, headers={"Retry-After": str(max(1, math.ceil(wait_s)))})


def require(scope: str) -> Callable[[Request], Coroutine[Any, Any, KeyConfig | None]]:
    """Return a dependency that lets only keys of a scope pass, and returns the key."""

    # In the event loop, where the limits are counted: it waits for nothing.
    async def check(request: Request) -> KeyConfig | None:
        return admitted(request, scope)

    return check


def admitted(request: Request, scope: str) -> KeyConfig | None:
    """Return the key of a request that may do what needs a scope, as `admit` does."""
    keys: Keys = request.app.state.keys
    return admit(keys, request.headers.get("authorization", ""), scope, address=address_of(request))


def actor_of(request: Request, key: KeyConfig | None, *, via: str = "api") -> Actor:
    """Return who asks, for the audit log."""
    return Actor(who=key.name if key is not None else "", via=via, address=address_of(request))


def address_of(request: Request) -> str:
    """Return the address of the other end; "" is unknown."""
    return request.client.host if request.client is not None else ""


def _presented(header: str) -> str:
    kind, _, value = header.partition(" ")
    if kind.lower() == "bearer":
        return value.strip()
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


class SameOrigin:
    """Refuses what a foreign page makes a browser send.

    That is writes from another origin, and, without keys, foreign host names.
    """

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]], *, keys: Keys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403, or pass the request on."""
        problem = self._problem(scope) if scope["type"] == "http" else None
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await problem_response(problem)(scope, receive, send)

    def _problem(self, scope: Scope) -> Problem | None:
        headers = {name: value for name, value in scope["headers"] if name in (b"host", b"origin")}
        host = headers.get(b"host", b"").decode("latin-1")
        own_proof = scope["path"].startswith(_NEEDS_NO_HOST)
        if not self._keys.needed and not own_proof and host and urlsplit(f"//{host}").hostname not in _LOCAL_NAMES:
            return Problem(403, f"Host: {host}: without keys only local names are answered: use 127.0.0.1, or set keys")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if scope["method"] not in ("GET", "HEAD", "OPTIONS") and origin and urlsplit(origin).netloc != host:
            return Problem(403, f"Origin: {origin}: another site may not post here")
        return None
