"""Who may do what: keys as bearer tokens or as the password of Basic, sessions on the pages, and same-origin writes.

≠ where keys come from.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from fastapi import Request
from fastapi.openapi.models import HTTPBearer
from fastapi.security.base import SecurityBase

from alerts.config import SCOPES, KeyConfig

from ..audit import Actor
from ..keys.in_force import Denied, Keys, Why
from .forms import read_form, wants_page
from .problems import Problem, SeeOther, problem_response
from .visit import Visit, present

__all__ = ["KEYS_OF", "Keys", "Require", "SameOrigin", "actor_of", "address_of", "admit", "admitted", "require", "wait"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_SAYS_WHERE_FROM = (b"host", b"origin", b"sec-fetch-site")
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_ALLOWED = {"ingest": {"ingest", "admin"}, "read": {"read", "admin"}, "admin": {"admin"}}
KEYS_OF = {scope: " or ".join(f"`{one}`" for one in SCOPES if one in keys) for scope, keys in _ALLOWED.items()}
"""The scopes of the keys that may do what needs a scope, in words."""

_SAID = "A key of scope {}, also as the password of Basic with any user; none where Claxon has no keys."

_CHALLENGE = {"WWW-Authenticate": 'Basic realm="Claxon: any user, a key as password", Bearer'}

_READS = ("GET", "HEAD", "OPTIONS")

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
    return _let_in(keys, key, scope)


def _let_in(keys: Keys, key: KeyConfig, scope: str) -> KeyConfig:
    if key.scope not in _ALLOWED[scope]:
        raise Problem(403, f"key {key.name!r}: its scope is {key.scope}: this needs {scope}")
    if wait_s := keys.request(key):
        said = f"key {key.name!r}: over {key.requests_per_second:g} requests a second: send again after {wait_s:.1f} s"
        raise wait(said, wait_s)
    return key


def wait(said: str, wait_s: float) -> Problem:
    """Return a 429 that says for how many seconds to wait."""
    return Problem(429, said, headers={"Retry-After": str(max(1, math.ceil(wait_s)))})


class Require(SecurityBase):
    """A dependency that lets only keys of a scope pass, and returns the key. OpenAPI learns of the scope from it.

    Attributes:
        scope: ingest, read or admin.
    """

    def __init__(self, scope: str) -> None:
        self.scope = scope
        self.scheme_name = scope
        self.model = HTTPBearer(description=_SAID.format(KEYS_OF[scope]))

    # In the event loop, where the limits are counted: it waits for nothing but for the rest of a form.
    async def __call__(self, request: Request) -> KeyConfig | None:
        """Return the key; None where no key is needed."""
        try:
            if request.method in _READS or (visit := _logged_in(request)) is None:
                return admitted(request, self.scope)
            key = _of_session(request, visit, self.scope)
        except Problem as problem:
            if problem.status == 401 and wants_page(request):
                raise SeeOther(login_address(request)) from problem
            raise
        # A browser sends its cookie with whatever another site makes it post; our form's token it cannot make.
        await read_form(request)
        return key


def require(scope: str) -> Require:
    """Return the dependency for a scope."""
    return Require(scope)


def admitted(request: Request, scope: str) -> KeyConfig | None:
    """Return the key of a request that may do what needs a scope, as `admit` does; a session may only look so."""
    visit = _logged_in(request) if request.method in _READS else None
    if visit is not None:
        return _of_session(request, visit, scope)
    keys: Keys = request.app.state.keys
    return admit(keys, request.headers.get("authorization", ""), scope, address=address_of(request))


def _logged_in(request: Request) -> Visit | None:
    """Return the visit of somebody who has a session and needs one; a key that is sent comes first."""
    visit = present()
    asked = visit is not None and visit.session is not None and request.app.state.keys.needed
    return visit if asked and not request.headers.get("authorization") else None


def _of_session(request: Request, visit: Visit, scope: str) -> KeyConfig:
    keys: Keys = request.app.state.keys
    assert visit.session is not None
    try:
        key = keys.of_session(visit.session.key_sha256, address_of(request))
    except Denied as fault:
        visit.end_session()
        raise Problem(401, str(fault), headers=_CHALLENGE) from fault
    visit.known_as = key.name
    return _let_in(keys, key, scope)


def login_address(request: Request) -> str:
    """Return where to log in, relative to the request, and to come back from; who posted comes back to the form."""
    path, query = request.url.path, request.url.query
    if request.method not in _READS:
        came_from = urlsplit(request.headers.get("referer", ""))
        path, query = (came_from.path, came_from.query) if came_from.netloc == request.url.netloc else ("/", "")
    back = path.lstrip("/") + (f"?{query}" if query else "")
    root = "../" * (request.url.path.count("/") - 1) or "./"
    return f"{root}login?{urlencode({'next': back})}" if back else f"{root}login"


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
        headers = {name: value for name, value in scope["headers"] if name in _SAYS_WHERE_FROM}
        host = headers.get(b"host", b"").decode("latin-1")
        own_proof = scope["path"].startswith(_NEEDS_NO_HOST)
        if not self._keys.needed and not own_proof and host and urlsplit(f"//{host}").hostname not in _LOCAL_NAMES:
            return Problem(403, f"Host: {host}: without keys only local names are answered: use 127.0.0.1, or set keys")
        if scope["method"] in _READS:
            return None
        if headers.get(b"sec-fetch-site", b"") in (b"cross-site", b"same-site"):
            return Problem(403, "Sec-Fetch-Site: another site may not post here")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and urlsplit(origin).netloc != host:
            return Problem(403, f"Origin: {origin}: another site may not post here")
        return None
