"""Where an HTTP receiver lives and how it is authorised, from Alertmanager's settings.

≠ sending.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from urllib.parse import unquote

import httpx2

from .secret import SecretSource
from .settings import NO_SECRET, Settings

DEFAULT_TIMEOUT_S = 10.0
MAX_TIMEOUT_S = 300.0

_LATER = (
    "basic_auth", "oauth2", "tls_config", "proxy_url", "no_proxy", "proxy_from_environment",
    "proxy_connect_header", "http_headers", "enable_http2", "follow_redirects",
)  # fmt: skip
_TOKEN = re.compile(r"[!-~]+(?: [!-~]+)*")
_SHORTEST_SECRET = 4
_SHORTEST_PIECE = 8  # of an address; shorter ones are words such as "hook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One address that takes POSTs.

    Attributes:
        url: A secret: many vendors put the token into the path.
        scheme: Of the Authorization header, such as "Bearer".
        credentials: What stands after the scheme; None sends no such header.
        timeout: Seconds for the whole exchange, > 0.
    """

    url: SecretSource
    scheme: str = "Bearer"
    credentials: SecretSource | None = None
    timeout: float = DEFAULT_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint at the moment of sending.

    Attributes:
        url: Without user and password.
        authorization: The header; "" for none.
        secrets: What an answer or an error may echo.
    """

    url: httpx2.URL
    authorization: str
    secrets: frozenset[str]

    @property
    def origin(self) -> str:
        """Scheme, host and port: all of an address that may be shown."""
        return origin(self.url)

    def __repr__(self) -> str:
        return f"<Target {self.origin}>"


def read_endpoint(settings: Settings, name: str, *, default: str | None = None) -> Endpoint:
    """Read the address in `name` (or `name`_file), `timeout` and `http_config`."""
    url = settings.secret(name, check=url_problem, default=default)
    if url is None:
        settings.refuse(name, f"missing: write {name} or {name}_file")
    scheme, credentials = _read_authorization(settings)
    endpoint = Endpoint(
        url=url or NO_SECRET,
        scheme=scheme,
        credentials=credentials,
        timeout=settings.seconds("timeout", default=DEFAULT_TIMEOUT_S, most=MAX_TIMEOUT_S),
    )
    if credentials is not None and "@" in endpoint.url.reveal().partition("//")[2].partition("/")[0]:
        settings.refuse(name, "has a user, and http_config.authorization is set: keep one of them")
    return endpoint


def aim(endpoint: Endpoint) -> Target:
    """Return what to send to now; files are read here.

    Raises:
        httpx2.InvalidURL: The address is none; `url_problem` tells beforehand.
    """
    text = endpoint.url.reveal()
    url = httpx2.URL(text)
    authorization = ""
    if endpoint.credentials is not None:
        authorization = f"{endpoint.scheme} {endpoint.credentials.reveal()}"
    elif url.userinfo:
        user = f"{url.username}:{url.password}".encode()
        authorization = f"Basic {base64.b64encode(user).decode()}"
    secrets = {text, str(url), *_parts(url), authorization, authorization.partition(" ")[2]}
    bare = url.copy_with(userinfo=b"") if url.userinfo else url
    return Target(bare, authorization, frozenset(s for s in secrets if len(s) >= _SHORTEST_SECRET))


def origin(url: httpx2.URL) -> str:
    """Return scheme, host and port."""
    port = "" if url.port is None else f":{url.port}"
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{url.scheme}://{host}{port}"


def url_problem(text: str) -> str:
    """Say what is wrong with an address, without quoting it; "" if nothing."""
    remedy = "write an address such as https://example.org/hook"
    try:
        url = httpx2.URL(text)
    except (httpx2.InvalidURL, ValueError):
        return f"not an address: {remedy}"
    if url.scheme not in ("http", "https"):
        return f"neither http nor https: {remedy}"
    if not url.host or " " in text or not 0 < (url.port or 443) < 65_536:
        return f"not an address: {remedy}"
    return ""


def token_problem(text: str) -> str:
    """Say what is wrong with a key or token, without quoting it; "" if nothing."""
    if not text:
        return "empty: write the key that the vendor shows"
    if not _TOKEN.fullmatch(text):
        return "has characters that no header may carry: copy it again, without line breaks"
    return ""


def _read_authorization(settings: Settings) -> tuple[str, SecretSource | None]:
    http = settings.below("http_config")
    authorization = http.below("authorization")
    scheme = authorization.text("type", default="Bearer")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", scheme) or scheme.lower() == "basic":
        authorization.refuse("type", "write Bearer, or another scheme of one word; Basic is not supported yet")
    credentials = authorization.secret("credentials", check=token_problem)
    if credentials is None and http.has("authorization"):
        authorization.refuse("credentials", "missing: write credentials or credentials_file")
    authorization.done()
    http.done(unsupported=_LATER)
    return scheme, credentials


def _parts(url: httpx2.URL) -> set[str]:
    """The pieces of an address in which vendors hide tokens, as written and decoded."""
    raw = url.raw_path.decode("ascii")
    path, _, query = raw.partition("?")
    values = (pair.partition("=")[2] or pair for pair in query.split("&"))
    pieces = {raw, *(piece for piece in (*path.split("/"), *values) if len(piece) >= _SHORTEST_PIECE)}
    users = {url.username, url.password, url.userinfo.decode("ascii")}
    return users | pieces | {unquote(piece) for piece in pieces}
