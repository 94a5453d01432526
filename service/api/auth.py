"""Who may do what: keys as bearer tokens (or, for browsers, as the password of Basic), and same-origin writes.

≠ where keys come from.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request

from alerts.config import KeyConfig

from ..settings import hash_key
from .problems import Problem, problem_response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_ALLOWED = {"ingest": {"ingest", "admin"}, "read": {"read", "admin"}, "admin": {"admin"}}


_NEEDS_NO_HOST = ("/a/", "/static/", "/v1/pagerduty/")
"""What proves itself by a signature, or is no secret: a foreign page under a foreign name gets nothing out of it."""


class Keys:
    """The keys in force; without any, everybody on this machine may do everything."""

    def __init__(self, keys: Iterable[KeyConfig]) -> None:
        self._keys = tuple(keys)

    def replace(self, keys: Iterable[KeyConfig]) -> None:
        """Put other keys in force, from the next request on."""
        self._keys = tuple(keys)

    @property
    def needed(self) -> bool:
        """Whether there are any."""
        return bool(self._keys)

    def find(self, presented: str) -> KeyConfig | None:
        """Return the key that was presented; takes the same time whichever it is."""
        digest = hash_key(presented)
        found: KeyConfig | None = None
        for key in self._keys:
            if hmac.compare_digest(key.sha256, digest):
                found = key
        return found


def require(scope: str) -> Callable[[Request], KeyConfig | None]:
    """Return a dependency that lets only keys of a scope pass, and returns the key."""

    def check(request: Request) -> KeyConfig | None:
        return admit(request.app.state.keys, request.headers.get("authorization", ""), scope)

    return check


def admit(keys: Keys, authorization: str, scope: str) -> KeyConfig | None:
    """Return the key that a request presents, if it may do what needs a scope; None where no keys are needed.

    Raises:
        Problem: 401 without a known key, 403 for one of another scope.
    """
    if not keys.needed:
        return None
    presented = _presented(authorization)
    key = keys.find(presented) if presented else None
    if key is None:
        said = "unknown key" if presented else "missing"
        raise Problem(
            401,
            f"Authorization: {said}: send a key as a bearer token",
            headers={"WWW-Authenticate": 'Basic realm="Claxon: any user, a key as password", Bearer'},
        )
    if key.scope not in _ALLOWED[scope]:
        raise Problem(403, f"key {key.name!r}: its scope is {key.scope}: this needs {scope}")
    return key


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
