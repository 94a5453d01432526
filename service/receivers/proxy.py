"""Which proxy a request goes through: `proxy_url`, `no_proxy`, `proxy_from_environment`.

≠ connections.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

import httpx2

from .address import url_problem
from .secret import SecretSource
from .settings import Settings

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """The ways out.

    Attributes:
        url: The proxy of every request; None for none.
        no_proxy: Who is reached without it: hosts, domains, addresses, networks, "*"; with commas between.
        environment: Whether HTTP_PROXY, HTTPS_PROXY and NO_PROXY are obeyed.
    """

    url: SecretSource | None = None
    no_proxy: str = ""
    environment: bool = False

    def way(self, url: httpx2.URL, environ: Mapping[str, str] | None = None) -> str:
        """Return the proxy for an address; "" for the direct way.

        As in Alertmanager, this machine itself is reached directly, unless `proxy_url` stands alone.
        """
        if self.environment:
            known = os.environ if environ is None else environ
            proxy = _variable(known, f"{url.scheme}_proxy")
            return "" if not proxy or _excepted(url, _variable(known, "no_proxy")) else _with_scheme(proxy)
        if self.url is None or (self.no_proxy and _excepted(url, self.no_proxy)):
            return ""
        return self.url.reveal()


NO_PROXIES = Proxies()


def read_proxies(settings: Settings) -> Proxies:
    """Read Alertmanager's settings; problems are left in `settings`."""
    proxies = Proxies(
        url=settings.secret("proxy_url", check=proxy_problem) if settings.has("proxy_url") else None,
        no_proxy=settings.text("no_proxy"),
        environment=settings.flag("proxy_from_environment", default=False),
    )
    settings.text("proxy_url")
    if proxies.environment:
        _check_environment(settings)
    if proxies.environment and proxies.url is not None:
        settings.refuse("proxy_from_environment", "proxy_url is set too: keep one of them")
    if proxies.no_proxy and proxies.environment:
        settings.refuse("no_proxy", "proxy_from_environment is set: write it into NO_PROXY instead")
    elif proxies.no_proxy and proxies.url is None:
        settings.refuse("no_proxy", "proxy_url is missing: write it, or remove this")
    return proxies


def proxy_problem(text: str) -> str:
    """Say what is wrong with a proxy's address, without quoting it; "" if nothing."""
    return url_problem(text, example="http://proxy.example.org:3128")


def _check_environment(settings: Settings) -> None:
    for name in ("http_proxy", "https_proxy"):
        if (proxy := _variable(os.environ, name)) and (problem := proxy_problem(_with_scheme(proxy))):
            settings.refuse("proxy_from_environment", f"{name.upper()}: {problem}")


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name.upper(), "") or environ.get(name, "")


def _with_scheme(proxy: str) -> str:
    return proxy if "://" in proxy else f"http://{proxy}"


def _excepted(url: httpx2.URL, no_proxy: str) -> bool:
    host = url.host.lower().removesuffix(".")
    port = url.port or _DEFAULT_PORTS.get(url.scheme, 0)
    if _is_this_machine(host):
        return True
    return any(_matches(entry.strip().lower(), host, port) for entry in no_proxy.split(",") if entry.strip())


def _matches(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    if _in_network(entry, host):
        return True
    name, _, number = entry.rpartition(":") if _has_port(entry) else (entry, "", "")
    if number and int(number) != port:
        return False
    name = name.strip("[]")
    if name.startswith(("*.", ".")):
        return host.endswith("." + name.lstrip("*."))
    return host == name or host.endswith(f".{name}") or _in_network(name, host)


def _has_port(entry: str) -> bool:
    head, _, tail = entry.rpartition(":")
    return tail.isdecimal() and (":" not in head or head.endswith("]"))


def _in_network(entry: str, host: str) -> bool:
    try:
        return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
