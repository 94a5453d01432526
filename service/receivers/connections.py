"""Connections to a receiver: directly or through a proxy, renewed when a certificate changes.

≠ requests.

The transport is used without its client: the client logs each whole address at
INFO, follows redirects, keeps cookies and takes proxies from the environment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpx2

from .tls import Stamp, Tls


@dataclass(slots=True)
class _Pool:
    """The connections of one way and one state of the certificates."""

    transport: httpx2.AsyncHTTPTransport
    proxy: str
    stamp: Stamp
    users: int = 0


class Connections:
    """Hands out a transport.

    Files that are wrong for a moment leave the last good certificates in force: a
    page must not fail because a deployment is swapping a mount.
    """

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._pool: _Pool | None = None
        self._context = tls.context()
        self._stamp = tls.stamp()

    @asynccontextmanager
    async def by_way_of(self, proxy: str) -> AsyncIterator[httpx2.AsyncHTTPTransport]:
        """Lend the transport that goes through this proxy; "" is the direct way."""
        pool = await self._current(proxy)
        pool.users += 1
        try:
            yield pool.transport
        finally:
            pool.users -= 1
            if pool is not self._pool and not pool.users:
                await pool.transport.aclose()

    async def close(self) -> None:
        """Close the connections."""
        if self._pool is not None:
            await self._pool.transport.aclose()

    async def _current(self, proxy: str) -> _Pool:
        self._renew()
        before = self._pool
        if before is not None and (before.proxy, before.stamp) == (proxy, self._stamp):
            return before
        self._pool = _Pool(self._transport(proxy), proxy, self._stamp)
        if before is not None and not before.users:
            await before.transport.aclose()
        return self._pool

    def _renew(self) -> None:
        stamp = self._tls.stamp()
        if stamp == self._stamp:
            return
        with suppress(OSError, ValueError):
            self._context = self._tls.context()
            self._stamp = stamp

    def _transport(self, proxy: str) -> httpx2.AsyncHTTPTransport:
        way = httpx2.Proxy(proxy, ssl_context=self._context if proxy.startswith("https:") else None) if proxy else None
        return httpx2.AsyncHTTPTransport(verify=self._context, http2=False, proxy=way)
