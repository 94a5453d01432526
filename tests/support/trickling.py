"""A server that sends a byte now and then, for ever: each in time, and never done."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def trickling(byte: bytes) -> AsyncIterator[int]:
    """Serve until the block ends; yield the port on 127.0.0.1."""

    async def trickle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(byte)
                await writer.drain()
                await asyncio.sleep(0.05)
        except OSError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(trickle, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
