"""A server that reads requests and answers 202, and does nothing else: the load generator's own ceiling.

python -m benchmarks.null_server [--batch 500] [--connections 4] [--seconds 3]: prints what one sending process
achieves against it, which takes 3 s. A rate that comes near it is the sender's, not the service's.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import re
import socket
from collections.abc import Sequence
from typing import Self, cast

import uvloop

from benchmarks.sending import Plan, Sent, send

_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)\r\n")
_ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}"


class _Null(asyncio.Protocol):
    def __init__(self) -> None:
        self._left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._write = cast("asyncio.Transport", transport).write

    def data_received(self, data: bytes) -> None:
        """Count down to the end of the request; none is sent before the answer to the last, so its head comes whole."""
        if self._left == 0:
            length = _LENGTH.search(data, 0, 1000)
            assert length is not None
            self._left = data.index(b"\r\n\r\n") + 4 + int(length[1])
        self._left -= len(data)
        if self._left <= 0:
            self._left = 0
            self._write(_ANSWER)


def _serve(listener: socket.socket) -> None:
    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(_Null, sock=listener, backlog=2048)
        await server.serve_forever()

    uvloop.run(run())


class NullServer:
    """The server, in a process of its own."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port: int = self._listener.getsockname()[1]
        self._process = multiprocessing.Process(target=_serve, args=(self._listener,), daemon=True)

    def __enter__(self) -> Self:
        # It listens already: who comes before the process runs waits for it.
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.join()
        self._listener.close()


def ceiling(requests: Sequence[bytes], *, connections: int, seconds: float = 1.5) -> Sent:
    """Return what one sending process achieves when nothing is done with what it sends."""
    with NullServer() as server:
        return send(Plan(port=server.port, requests=requests, connections=connections, seconds=seconds))


def main() -> None:
    """Print the ceiling for events of benchmarks.records."""
    from benchmarks.bodies import json_requests

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    found = ceiling(
        json_requests(20 * options.batch, options.batch, port=0),
        connections=options.connections,
        seconds=options.seconds,
    )
    print(f"{found.per_second:,.0f} requests/s, {found.per_second * options.batch:,.0f} events/s")


if __name__ == "__main__":
    main()
