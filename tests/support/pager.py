"""A receiver that remembers: a real HTTP server on 127.0.0.1 that plays a script of answers."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self


@dataclass(frozen=True, slots=True)
class Reply:
    """What the pager says to one request.

    Attributes:
        status: The HTTP status.
        headers: Beside Content-Length and, unless given here, Date.
        body: Text or bytes.
        fault: "hang": says nothing; "hang_body": says the status, then nothing;
            "reset": cuts the connection.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | bytes = "ok"
    fault: str = ""


HANG = Reply(fault="hang")
HANG_IN_BODY = Reply(fault="hang_body")
RESET = Reply(fault="reset")


class Received(NamedTuple):
    """One request as it came.

    Attributes:
        arrived_at: Unix seconds by the wall clock, for latencies across processes.
        headers: Names in lower case.
        json: The decoded body; None if it is no JSON.
        path: With the query.
        body: The bytes.
    """

    arrived_at: float
    headers: dict[str, str]
    json: Any
    path: str
    body: bytes


class Pager:
    """Use as a context manager; `url` is where to post, `received` what came, in order.

    It answers 200 "ok" until told otherwise by `answer_with`, or what `answer` says to each request.
    """

    def __init__(self, *answers: Reply | int, answer: Callable[[Received], Reply] | None = None) -> None:
        self.received: list[Received] = []
        self._script: list[Reply] = []
        self._changed = threading.Condition()
        self._closing = threading.Event()
        self._answer = answer
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.answer_with(*(answers or (Reply(),)))

    @property
    def url(self) -> str:
        """The address of the pager."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer_with(self, *answers: Reply | int) -> None:
        """Play these from now on, in order; the last one stays. A number is a status."""
        with self._changed:
            self._script = [Reply(status=one) if isinstance(one, int) else one for one in answers]

    def wait_for(self, count: int, *, within: float = 10.0) -> list[Received]:
        """Return what came as soon as there are `count` requests.

        Raises:
            TimeoutError: Fewer came in so many seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.received) >= count, timeout=within):
                raise TimeoutError(f"{len(self.received)} of {count} requests came within {within:g} s")
            return list(self.received)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.cut_off()
        self._server.server_close()
        self._thread.join()

    def _take(self, one: Received) -> Reply:
        with self._changed:
            self.received.append(one)
            self._changed.notify_all()
            if self._answer is None:
                return self._script.pop(0) if len(self._script) > 1 else self._script[0]
        return self._answer(one)


class _Server(ThreadingHTTPServer):
    # Joined at the end, so that no socket is left to the garbage collector.
    daemon_threads = False
    block_on_close = True
    request_queue_size = 128

    def __init__(self, *arguments: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*arguments)

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve one connection, which `cut_off` may end."""
        self._open.add(request)
        try:
            super().finish_request(request, client_address)
        finally:
            self._open.discard(request)

    def cut_off(self) -> None:
        """End the connections that clients keep alive."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that cut the connection are part of the tests."""


def _handler_for(pager: Pager) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30
        # Else head and body, sent apart, wait 40 ms for each other's acknowledgement.
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self._take()

        def do_PUT(self) -> None:
            self._take()

        def do_GET(self) -> None:
            self._take()

        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._answer(pager._take(Received(time.time(), headers, _decoded(body), self.path, body)))

        def _answer(self, reply: Reply) -> None:
            if reply.fault == "hang":
                pager._closing.wait()
            elif reply.fault == "reset":
                # To linger for 0 seconds is to close with RST instead of FIN.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                os.close(self.connection.detach())
            else:
                self._say(reply)
                return
            self.close_connection = True

        def _say(self, reply: Reply) -> None:
            body = reply.body.encode() if isinstance(reply.body, str) else reply.body
            self.send_response_only(reply.status)
            if "Date" not in reply.headers:
                self.send_header("Date", self.date_time_string())
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if reply.fault == "hang_body":
                self.wfile.write(body[:1])
                self.wfile.flush()
                pager._closing.wait()
                self.close_connection = True
            else:
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
