"""A real HTTP proxy on 127.0.0.1: CONNECT for https, forwarding for http."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(slots=True)
class HttpProxy:
    """What came through.

    Attributes:
        port: Where it listens.
        asked: First lines of requests.
        user: "name:password" that it wants; "" is nobody.
    """

    port: int = 0
    asked: list[str] = field(default_factory=list)
    user: str = ""

    @property
    def url(self) -> str:
        """The address for `proxy_url`."""
        user = f"{self.user}@" if self.user else ""
        return f"http://{user}127.0.0.1:{self.port}"


@asynccontextmanager
async def http_proxy(*, user: str = "") -> AsyncIterator[HttpProxy]:
    """Run a proxy until the block ends. Every name it is asked for is 127.0.0.1 to it."""
    proxy = HttpProxy(user=user)
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await _serve(proxy, reader, writer)
        finally:
            running.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _serve(proxy: HttpProxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, _, rest = head.partition("\r\n")
    proxy.asked.append(first)
    if proxy.user and base64.b64encode(proxy.user.encode()).decode() not in rest:
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        return
    method, target, version = first.split(" ")
    if method == "CONNECT":
        onward = await asyncio.open_connection("127.0.0.1", int(target.rpartition(":")[2]))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    else:
        host, _, path = target.removeprefix("http://").partition("/")
        onward = await asyncio.open_connection("127.0.0.1", int(host.rpartition(":")[2]))
        onward[1].write(f"{method} /{path} {version}\r\n{rest}".encode("latin-1"))
    try:
        await asyncio.gather(_pump(reader, onward[1]), _pump(onward[0], writer))
    finally:
        onward[1].close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
