"""A visit: what a browser brings along with a request to a page, and what our forms carry.

Its session, by a cookie; and the token that says that a form was ours. The token is signed over the session, or over a
random cookie where there is none, so that another site can neither read nor make one.

≠ keys, HTML of pages.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from contextvars import ContextVar
from dataclasses import dataclass

from markupsafe import Markup
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..keys.sessions import LASTS_S, Session, Sessions

FIELD = "csrf"

_READS = ("GET", "HEAD", "OPTIONS")
_PROGRAMS = ("/v1/", "/api/", "/-/", "/metrics", "/static/")
"""Who has no page, and so no cookie: their requests are not looked at."""


@dataclass(frozen=True, slots=True)
class Forms:
    """Signs forms, and names the cookies, so that two Claxons on one host do not take each other's.

    Attributes:
        secret: 32 random bytes; never shown.
    """

    secret: bytes

    def token(self, bound_to: str) -> str:
        """Return what a form carries that was made for a session, or a cookie."""
        return hmac.digest(self.secret, b"claxon form 1\0" + bound_to.encode(), hashlib.sha256)[:24].hex()

    def cookie(self, what: str) -> str:
        """Return the name of a cookie of this Claxon."""
        own = hmac.digest(self.secret, b"claxon cookie 1", hashlib.sha256)[:4].hex()
        return f"claxon_{what}_{own}"

    def __repr__(self) -> str:
        return "Forms(<secret>)"


class Visit:
    """One request of a browser.

    Attributes:
        session: Whose it is; None: nobody logged in, or not any more.
        known_as: The name of the session's key, once it was asked for.
    """

    def __init__(self, scope: Scope, *, forms: Forms, sessions: Sessions) -> None:
        headers = Headers(scope=scope)
        self._forms, self._sessions = forms, sessions
        self._cookies = cookie_parser(headers.get("cookie", ""))
        said = f"{headers.get('x-forwarded-proto', '')},{headers.get('forwarded', '').replace('proto=', ',')}"
        self._secure = scope.get("scheme") == "https" or "https" in said.replace(";", ",").replace(" ", "").split(",")
        self._own = self._cookies.get(forms.cookie("form"), "")
        self._to_set: dict[str, str] = {}
        self._id = self._cookies.get(forms.cookie("session"), "")
        self.session: Session | None = sessions.find(self._id)
        self.known_as = ""

    # ── forms ─────────────────────────────────────────────────────────────────

    def token(self) -> str:
        """Return what our forms carry in this visit; the first time its cookie is set with the answer."""
        if self.session is not None:
            return self._forms.token(self.session.sha256)
        if not self._own:
            self._own = secrets.token_urlsafe(24)
            self._set("form", self._own)
        return self._forms.token(self._own)

    def accepts(self, token: str) -> bool:
        """Whether a form was made for this visitor."""
        bound_to = self.session.sha256 if self.session is not None else self._own
        return bool(bound_to) and hmac.compare_digest(self._forms.token(bound_to).encode(), token.encode())

    # ── the session ───────────────────────────────────────────────────────────

    def log_in(self, key_sha256: str) -> None:
        """Begin a session; one that there was ends."""
        self.end_session()
        self._set("session", self._sessions.begin(key_sha256))

    def look_again(self) -> bool:
        """Whether the session that this visit began with, if any, is there still; for what goes on for hours."""
        if self.session is not None:
            self.session = self._sessions.find(self._id)
            return self.session is not None
        return True

    def end_session(self) -> None:
        """End the session, if there is one."""
        if self.session is not None:
            self._sessions.end(self.session)
            self.session = None
        if self._id:
            self._set("session", "")

    # ── the answer ────────────────────────────────────────────────────────────

    def _set(self, what: str, value: str) -> None:
        # Lax, not Strict: who follows the link of a page comes from elsewhere, and is logged in all the same.
        lasts = int(LASTS_S) if value else 0
        secure = "; Secure" if self._secure else ""
        name = self._forms.cookie(what)
        self._to_set[name] = f"{name}={value}; Max-Age={lasts}; Path=/; HttpOnly; SameSite=Lax{secure}"

    def dress(self, message: Message) -> None:
        """Add the cookies that are to be set to the beginning of an answer."""
        if self._to_set:
            headers = MutableHeaders(scope=message)
            for line in self._to_set.values():
                headers.append("set-cookie", line)


class FormField:
    """The hidden field of a form; the cookie that it needs is set only where a page has one."""

    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    def __html__(self) -> str:
        return str(Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, self._visit.token()))


_present: ContextVar[Visit | None] = ContextVar("visit", default=None)


def present() -> Visit | None:
    """Return the visit that is being answered; None for a program's request."""
    return _present.get()


class Visits:
    """Has each request to a page looked at, and the cookies set that it is to have."""

    def __init__(self, app: ASGIApp, *, forms: Forms, sessions: Sessions) -> None:
        self._app = app
        self._forms = forms
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        program = scope["type"] != "http" or (scope["method"] not in _READS and scope["path"].startswith(_PROGRAMS))
        if program:
            await self._app(scope, receive, send)
            return
        visit = Visit(scope, forms=self._forms, sessions=self._sessions)
        mark = _present.set(visit)

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                visit.dress(message)
            await send(message)

        try:
            await self._app(scope, receive, dressed)
        finally:
            _present.reset(mark)
