"""Addresses that strangers may have written: only the public internet, and only what was checked.

≠ addresses in the configuration file, whose writer may name any host.

Nothing uses this yet. It is meant for whatever will take an address from the API, such
as a webhook that a team sets up for itself: whoever may call an API must not reach, through
Claxon, what only Claxon's network can (a cloud's metadata, a database, a neighbour).
Call `vetted` for each request, and send what `pinned` returns, to which no name is left to
look up: a second look-up could be answered otherwise.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

import httpx2

from .text import brief

_DEFAULT_PORTS = {"http": 80, "https": 443}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_OLD_IPV4_IN_IPV6 = ipaddress.ip_network("::/96")
# What `is_global` calls global or does not know, and yet is nobody's public server.
_REFUSED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "100.64.0.0/10",  # shared by providers; Alibaba's metadata is in it
        "168.63.129.16/32",  # Azure's own
        "192.88.99.0/24",  # old relays to IPv6
        "2002::/16",  # 6to4, which may hold any IPv4 address
        "2001::/32",  # Teredo, likewise
        "64:ff9b:1::/48",  # NAT64 of local use
        "fec0::/10",  # site-local, old
    )
)


class ForbiddenDestination(ValueError):
    """An address that must not be sent to; the text names what was found, not the path."""


@dataclass(frozen=True, slots=True)
class Destination:
    """What to connect to.

    Attributes:
        address: Numeric, and checked; connect to this one and to no other.
        port: Where.
        name: What to verify in TLS and to say in Host.
    """

    address: str
    port: int
    name: str


async def vetted(url: str) -> Destination:
    """Return where the address leads now.

    Every answer of the resolver is checked, so that one good address among bad ones is no way in.

    Raises:
        ForbiddenDestination: It does not lead to the public internet alone, or nowhere.
    """
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):
        raise ForbiddenDestination("not an address: write one such as https://example.org/hook") from None
    known = _DEFAULT_PORTS.get(parsed.scheme, 0)
    port = known if parsed.port is None or not known else parsed.port
    if not parsed.host or not 0 < port < 65_536:
        raise ForbiddenDestination("neither http nor https: write an address such as https://example.org/hook")
    found = await _resolved(parsed.host, port)
    for address in found:
        if not is_public(address):
            said = f"{brief(parsed.host, 100)}: leads to {address}, which is not on the public internet"
            raise ForbiddenDestination(f"{said}: name a server that is")
    return Destination(str(found[0]), port, parsed.host)


def pinned(url: str, to: Destination, *, body: bytes) -> httpx2.Request:
    """Return a POST that goes to the address that was checked; TLS and Host keep the name."""
    parsed = httpx2.URL(url)
    shown = parsed.netloc.decode("ascii").rpartition("@")[2]
    return httpx2.Request(
        "POST",
        parsed.copy_with(host=to.address, port=to.port, userinfo=b""),
        headers={"Host": shown},
        content=body,
        extensions={"sni_hostname": to.name},
    )


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is one of the public internet; IPv4 inside IPv6 is judged as IPv4."""
    if isinstance(address, IPv6Address):
        inner = _ipv4_in(address)
        if inner is not None:
            return is_public(inner)
    if any(address in network for network in _REFUSED if network.version == address.version):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _ipv4_in(address: IPv6Address) -> IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64 or address in _OLD_IPV4_IN_IPV6:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return None


async def _resolved(host: str, port: int) -> list[IPv4Address | IPv6Address]:
    """Return all addresses; the system reads 0177.1, 2130706433 and their like as it will when it connects."""
    loop = asyncio.get_running_loop()
    try:
        answers = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise ForbiddenDestination(f"{brief(host, 100)}: leads nowhere: check the name") from None
    # A zone such as %eth0 is for this machine's own links.
    return [ipaddress.ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers]
