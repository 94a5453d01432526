"""`http_config`, as Alertmanager has it.

≠ the address, sending.
"""

from __future__ import annotations

from dataclasses import dataclass

from .authorization import Authorization, read_authorization
from .headers import Header, read_headers
from .proxy import NO_PROXIES, Proxies, read_proxies
from .settings import Settings
from .tls import DEFAULT_TLS, Tls, read_tls

_NO_REDIRECTS = "no redirect is followed, for it would take the page and its key to somebody else: write false"


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """How requests are made.

    Attributes:
        authorization: What says who we are; None says nothing.
        tls: How the server is verified.
        proxies: The ways out.
        headers: Beside ours.
    """

    authorization: Authorization | None = None
    tls: Tls = DEFAULT_TLS
    proxies: Proxies = NO_PROXIES
    headers: tuple[Header, ...] = ()


DEFAULT_CONFIG = HttpConfig()


def read_http_config(settings: Settings, name: str = "http_config") -> HttpConfig:
    """Read the settings; problems are left in them."""
    http = settings.below(name)
    config = HttpConfig(
        authorization=read_authorization(http),
        tls=read_tls(http),
        proxies=read_proxies(http),
        headers=read_headers(http),
    )
    if http.flag("follow_redirects", default=False):
        http.refuse("follow_redirects", _NO_REDIRECTS, value="true")
    # Alertmanager's permission to use HTTP/2 where both sides can; we speak HTTP/1.1, which all take.
    http.flag("enable_http2", default=False)
    http.done(unsupported=("proxy_connect_header",))
    return config
