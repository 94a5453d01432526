"""HTTP by hand, over a real socket: what no client library would send."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit


class Raw:
    """One connection; what is sent is sent as it is."""

    def __init__(self, url: str, *, timeout: float = 20) -> None:
        where = urlsplit(url)
        self.socket = socket.create_connection((where.hostname or "", where.port or 0), timeout=timeout)

    def send(self, data: bytes) -> None:
        """Send bytes; a peer that has closed already is no fault of the test."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)

    def post(self, body: bytes = b"", *headers: str, length: int | None = None) -> None:
        """Send a POST of events with the length that is said."""
        said = [f"Content-Length: {len(body) if length is None else length}"] if length != -1 else []
        lines = ["POST /v1/events HTTP/1.1", "Host: 127.0.0.1", *said, *headers, "", ""]
        self.send("\r\n".join(lines).encode() + body)

    def read(self) -> bytes:
        """Return what comes until the peer closes."""
        found = b""
        with contextlib.suppress(ConnectionError):
            while data := self.socket.recv(65536):
                found += data
        return found

    def answer(self) -> tuple[int, bytes]:
        """Return the status and what came with it: up to the end of a body whose length was said."""
        found = b""
        while b"\r\n\r\n" not in found:
            data = self.socket.recv(65536)
            if not data:
                return 0, found
            found += data
        head, _, body = found.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        while len(body) < length and (data := self.socket.recv(65536)):
            body += data
        return int(head.split(b" ")[1]), body

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


@contextlib.contextmanager
def raw(url: str, *, timeout: float = 20) -> Iterator[Raw]:
    """Connect; hang up at the end of the block."""
    connection = Raw(url, timeout=timeout)
    try:
        yield connection
    finally:
        connection.close()
