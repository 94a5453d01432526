"""The receiver of all pages: a webhook that notes of each message when it came, and under which keys.

≠ which pages should have come.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import msgspec


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One message that says an alert fires.

    Attributes:
        app: Of the alert.
        at: Unix seconds, when it was read.
        key: Its Idempotency-Key and its dedup key: a message that comes again has the same.
    """

    app: str
    at: float
    key: str


class _Alert(msgspec.Struct):
    status: str = ""
    labels: dict[str, str] = {}


class _Message(msgspec.Struct):
    alerts: list[_Alert] = []


_MESSAGE = msgspec.json.Decoder(_Message)


class Receiver:
    """Use as a context manager.

    Attributes:
        told: What came, in order.
        before_reading: Called with the port of the sender's connection when a message is there; whether to ignore it.
    """

    def __init__(self) -> None:
        """Listen on a free port of 127.0.0.1."""
        self.told: list[Told] = []
        self.before_reading: Callable[[int], bool] | None = None
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """Where to post."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def note(self, body: bytes, key: str) -> None:
        """Keep what a message says of apps whose alerts fire."""
        at = time.time()
        with contextlib.suppress(msgspec.MsgspecError):
            for alert in _MESSAGE.decode(body).alerts:
                if alert.status == "firing" and "app" in alert.labels:
                    self.told.append(Told(app=alert.labels["app"], at=at, key=key))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: senders that are killed are what it is for."""


def _handler_for(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 120
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            key = f"{self.headers.get('Idempotency-Key', '')} {self.headers.get('X-Claxon-Dedup-Key', '')}"
            is_deaf = receiver.before_reading
            if is_deaf is not None and is_deaf(self.client_address[1]):
                self.close_connection = True
                return
            receiver.note(body, key)
            self.send_response_only(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
