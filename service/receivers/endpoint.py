"""Where an HTTP receiver lives and how it is authorised, from Alertmanager's settings.

≠ sending.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import unquote

import httpx2

from .address import url_problem
from .authorization import Authorization, basic, token_problem
from .http_config import DEFAULT_CONFIG, HttpConfig, read_http_config
from .secret import Secret, SecretSource
from .settings import NO_SECRET, Settings

__all__ = ["Endpoint", "Target", "aim", "origin", "read_endpoint", "read_endpoints", "token_problem", "url_problem"]

DEFAULT_TIMEOUT_S = 10.0
MAX_TIMEOUT_S = 300.0

_SHORTEST_SECRET = 4
_SHORTEST_PIECE = 8  # of an address; shorter ones are words such as "hook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One address that takes POSTs.

    Attributes:
        url: A secret: many vendors put the token into the path.
        scheme: Of the Authorization header, such as "Bearer".
        credentials: What stands after the scheme, or the user's password; None sends no such header.
        user: Of Basic; None for other schemes.
        timeout: Seconds for the whole exchange, > 0.
        public: The address itself is no secret, only who is named in it.
        config: TLS, proxies, more headers.
    """

    url: SecretSource
    scheme: str = "Bearer"
    credentials: SecretSource | None = None
    timeout: float = DEFAULT_TIMEOUT_S
    public: bool = False
    user: SecretSource | None = None
    config: HttpConfig = DEFAULT_CONFIG


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint at the moment of sending.

    Attributes:
        url: Without user and password.
        authorization: The header; "" for none.
        secrets: What an answer or an error may echo.
        headers: Beside ours.
        proxy: The way there; "" is the direct one. A secret.
    """

    url: httpx2.URL
    authorization: str
    secrets: frozenset[str]
    headers: tuple[tuple[str, str], ...] = ()
    proxy: str = ""

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
    return _read_manner(settings, name, url or NO_SECRET)


def read_endpoints(settings: Settings, name: str) -> tuple[Endpoint, ...]:
    """Read the list of addresses in `name`, which are no secrets, `timeout` and `http_config`."""
    urls = settings.texts(name)
    if not urls and not settings.has(name):
        settings.refuse(name, f"missing: write a list of addresses below {name}")
    elif not urls:
        settings.refuse(name, "empty: write at least one address")
    for index, url in enumerate(urls):
        if problem := url_problem(url):
            settings.refuse(f"{name}[{index}]", problem)
        if url in urls[:index]:
            settings.refuse(f"{name}[{index}]", "is there twice: remove it")
    shared = _read_manner(settings, name, Secret(" ".join(urls)))
    return tuple(replace(shared, url=Secret(url), public=True) for url in urls)


def _read_manner(settings: Settings, name: str, url: SecretSource) -> Endpoint:
    """Read what says how the addresses in `name` are reached."""
    config = read_http_config(settings)
    given = config.authorization
    endpoint = Endpoint(
        url=url,
        scheme="Bearer" if given is None else given.scheme,
        credentials=None if given is None else given.credentials,
        user=None if given is None else given.user,
        config=config,
        timeout=settings.seconds("timeout", default=DEFAULT_TIMEOUT_S, most=MAX_TIMEOUT_S),
    )
    if given is not None and any(map(_has_user, url.reveal().split())):
        settings.refuse(name, "has a user, and http_config authorises too: keep one of them")
    return endpoint


def _has_user(url: str) -> bool:
    return "@" in url.partition("//")[2].partition("/")[0]


def aim(endpoint: Endpoint) -> Target:
    """Return what to send to now; files are read here.

    Raises:
        httpx2.InvalidURL: The address is none; `url_problem` tells beforehand.
    """
    text = endpoint.url.reveal()
    url = httpx2.URL(text)
    authorization = ""
    passwords: set[str] = set()
    if endpoint.credentials is not None:
        given = Authorization(scheme=endpoint.scheme, credentials=endpoint.credentials, user=endpoint.user)
        authorization = given.header()
        passwords = {endpoint.credentials.reveal()}
    elif url.userinfo:
        authorization = basic(url.username, url.password)
    more = [(header, header.value.reveal()) for header in endpoint.config.headers]
    proxy = endpoint.config.proxies.way(url)
    secrets = {*_users(url), authorization, authorization.partition(" ")[2], *passwords}
    secrets |= {value for header, value in more if header.hidden} | _proxy_secrets(proxy)
    if not endpoint.public:
        secrets |= {text, str(url), *_parts(url)}
    bare = url.copy_with(userinfo=b"") if url.userinfo else url
    hidden = frozenset(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)
    headers = tuple((header.name, value) for header, value in more)
    return Target(bare, authorization, hidden, headers, proxy)


def origin(url: httpx2.URL) -> str:
    """Return scheme, host and port."""
    port = "" if url.port is None else f":{url.port}"
    host = f"[{url.host}]" if ":" in url.host else url.host
    return f"{url.scheme}://{host}{port}"


def _parts(url: httpx2.URL) -> set[str]:
    """The pieces of an address in which vendors hide tokens, as written and decoded."""
    raw = url.raw_path.decode("ascii")
    path, _, query = raw.partition("?")
    values = (pair.partition("=")[2] or pair for pair in query.split("&"))
    pieces = {raw, *(piece for piece in (*path.split("/"), *values) if len(piece) >= _SHORTEST_PIECE)}
    return pieces | {unquote(piece) for piece in pieces}


def _proxy_secrets(proxy: str) -> set[str]:
    return _users(httpx2.URL(proxy)) - {""} if "@" in proxy else set()


def _users(url: httpx2.URL) -> set[str]:
    return {url.username, url.password, url.userinfo.decode("ascii")}
