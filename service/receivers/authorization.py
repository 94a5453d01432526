"""How an HTTP receiver is authorised: `authorization`, `basic_auth`, the old `bearer_token`.

≠ sending.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from .secret import SecretSource
from .settings import NO_SECRET, Settings

_TOKEN = re.compile(r"[!-~]+(?: [!-~]+)*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_NO_OAUTH2 = (
    "not supported: write authorization with a token; credentials_file may name one that another program renews"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authorization:
    """What the header `Authorization` says.

    Attributes:
        scheme: Such as "Bearer"; "Basic" has a user.
        credentials: What stands after the scheme, or the password.
        user: Of basic_auth; None for other schemes.
    """

    scheme: str
    credentials: SecretSource
    user: SecretSource | None = None

    def header(self) -> str:
        """Return the header's value; a secret."""
        if self.user is None:
            return f"{self.scheme} {self.credentials.reveal()}"
        return basic(self.user.reveal(), self.credentials.reveal())


def basic(user: str, password: str) -> str:
    """Return the header's value for a user and a password; a secret."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def read_authorization(http: Settings) -> Authorization | None:
    """Read what `http_config` says of it; None if it says nothing. Problems are left in `http`."""
    ways = [name for name in ("authorization", "basic_auth", "bearer_token", "bearer_token_file") if http.has(name)]
    if http.has("oauth2"):
        http.refuse("oauth2", _NO_OAUTH2)
    if len({way.removesuffix("_file") for way in ways}) > 1:
        http.refuse(ways[1], f"{ways[0]} is set too: keep one of them")
    found = (_given(http), _user(http), _bearer(http))
    http.ignore("oauth2")
    return next((one for one in found if one is not None), None)


def token_problem(text: str) -> str:
    """Say what is wrong with a key or token, without quoting it; "" if nothing."""
    if not text:
        return "empty: write the key that the vendor shows"
    if not _TOKEN.fullmatch(text):
        return "has characters that no header may carry: copy it again, without line breaks"
    return ""


def _given(http: Settings) -> Authorization | None:
    below = http.below("authorization")
    scheme = below.text("type", default="Bearer")
    if scheme.lower() == "basic":
        below.refuse("type", "Basic has a user: write basic_auth instead", value=scheme)
    elif not _SCHEME.fullmatch(scheme):
        below.refuse("type", "write Bearer, or another scheme of one word")
    credentials = below.secret("credentials", check=token_problem)
    if credentials is None and http.has("authorization"):
        below.refuse("credentials", "missing: write credentials or credentials_file")
    below.done()
    return None if credentials is None else Authorization(scheme=scheme, credentials=credentials)


def _user(http: Settings) -> Authorization | None:
    below = http.below("basic_auth")
    user = below.secret("username", check=_user_problem)
    password = below.secret("password", check=_password_problem)
    below.done()
    if not http.has("basic_auth"):
        return None
    if user is None:
        below.refuse("username", "missing: write username or username_file")
    return Authorization(scheme="Basic", credentials=password or NO_SECRET, user=user or NO_SECRET)


def _bearer(http: Settings) -> Authorization | None:
    token = http.secret("bearer_token", check=token_problem)
    return None if token is None else Authorization(scheme="Bearer", credentials=token)


def _user_problem(text: str) -> str:
    return "has a colon, which ends a user's name: write it without" if ":" in text else ""


def _password_problem(_: str) -> str:
    return ""
