"""FakeClaude: a Claude API on 127.0.0.1 that fails as it is told to.

The wire format is the real one, so the official SDK runs against it unchanged.
What it answers is said per call, in the header `x-fake` (`429,500,200`: one
step per attempt, the last one for all that follow), or from outside, by a
function that is asked at each request.

    with FakeClaude() as fake:
        client = anthropic.Anthropic(api_key="x", base_url=fake.url)
        client.messages.create(..., extra_headers={"x-fake": "529,200"})
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from . import claude_wire as wire
from .claude_step import Kind as Kind
from .claude_step import Request as Request
from .claude_step import Step as Step

Respond = Callable[[Request], Step | str | None]


class FakeClaude:
    """The server; a context manager.

    Args:
        respond: Asked at each request that has no `x-fake` header; a step, its
            text, or None for a plain 200. May be replaced at any time.
        port: 0 takes a free one.

    Attributes:
        seen: The newest 10,000 requests, the oldest first.
    """

    def __init__(self, respond: Respond | None = None, *, port: int = 0) -> None:
        self.respond = respond
        self.seen: deque[Request] = deque(maxlen=10_000)
        self.closing = threading.Event()
        self._server = _Server(self, port)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="fake-claude", daemon=True
        )

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and end all connections."""
        self.closing.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def step(self, request: Request) -> Step:
        """Return what to do with a request."""
        script = request.headers.get("x-fake")
        if script:
            steps = script.split(",")
            return Step.parse(steps[min(request.attempt, len(steps)) - 1])
        chosen = self.respond(request) if self.respond is not None else None
        return Step.parse(chosen) if isinstance(chosen, str) else chosen or Step()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, fake: FakeClaude, port: int) -> None:
        self.fake = fake
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Exchange)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it has gone already
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news here."""


class _Exchange(BaseHTTPRequestHandler):
    """One connection."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing."""

    def do_POST(self) -> None:
        """Answer as the step says."""
        request = self._request()
        fake = self.server.fake
        fake.seen.append(request)
        step = fake.step(request)
        if step.delay and step.kind is not Kind.STREAM_HANG:
            fake.closing.wait(step.delay)
        if step.kind is Kind.RESET:
            self._reset()
        elif step.kind is Kind.HANG:
            self.close_connection = True
        else:
            self._answer(request, step, f"req_{len(fake.seen):06}{id(request) % 0xFFFF:04x}")

    do_GET = do_POST  # noqa: N815 - the base class's name
    do_DELETE = do_POST  # noqa: N815

    def _request(self) -> Request:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            body = json.loads(raw)
        except ValueError:
            body = {}
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(
            method=self.command,
            path=self.path.partition("?")[0],
            attempt=int(headers.get("x-stainless-retry-count", 0)) + 1,
            body=body if isinstance(body, dict) else {},
            headers=headers,
        )

    def _answer(self, request: Request, step: Step, request_id: str) -> None:
        headers = _headers(step, request_id)
        if step.kind is Kind.HTML or step.html:
            headers["content-type"] = "text/html"
            self._send(step.status, headers, b"<html><body>Bad gateway</body></html>")
        elif step.status != 200:
            body = wire.error_body(
                step.status, request_id, kind=step.error_type, code=step.error_code, message=step.message
            )
            self._send(step.status, headers, body)
        elif request.stream:
            self._stream(request, step, headers)
        else:
            self._send(200, headers, _plain_body(request, step, _message_id(headers)))

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        # One packet: head and body apart would wait for each other's acknowledgement.
        self._headers_buffer.append(b"\r\n" + body)  # type: ignore[attr-defined]
        self.flush_headers()

    def _stream(self, request: Request, step: Step, headers: dict[str, str]) -> None:
        frame = wire.aws_frame if request.on_bedrock else wire.sse
        kind = "application/vnd.amazon.eventstream" if request.on_bedrock else "text/event-stream; charset=utf-8"
        self.send_response(200)
        for name, value in {**headers, "content-type": kind, "transfer-encoding": "chunked"}.items():
            self.send_header(name, value)
        self.end_headers()
        refused, message_id = step.kind is Kind.REFUSAL, _message_id(headers)
        events = wire.stream_events(request.model, refusal=refused, message_id=message_id, blocks=step.blocks)
        for number, event in enumerate(events):
            if number == step.fault_at and not self._goes_on(step, frame):
                return
            self._chunk(frame(event))
        self._chunk(b"")

    def _goes_on(self, step: Step, frame: Callable[[dict[str, Any]], bytes]) -> bool:
        """Do what the step does inside a stream; return whether the stream goes on."""
        if step.kind is Kind.STREAM_ERROR:
            self._chunk(frame(wire.error_event(step.error_type or "overloaded_error", step.message)))
            self._chunk(b"")
        elif step.kind is Kind.STREAM_END:
            self._chunk(b"")
        elif step.kind is Kind.STREAM_CUT:
            # Else the reset could overtake what was sent.
            self.server.fake.closing.wait(0.02)
            self._reset()
        elif step.kind is Kind.STREAM_HANG:
            self.server.fake.closing.wait(step.delay or 3.0)
            return True
        else:
            return True
        return False

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


def _headers(step: Step, request_id: str) -> dict[str, str]:
    remaining = step.remaining if step.remaining is not None else 0.0 if step.status == 429 else 0.8
    headers = {
        "content-type": "application/json",
        "request-id": request_id,
        "anthropic-organization-id": "00000000-0000-0000-0000-000000000000",
        **(wire.limit_headers(remaining) if step.headers is None else step.headers),
    }
    named = {
        "retry-after": step.retry_after,
        "retry-after-ms": step.retry_after_ms,
        "x-should-retry": step.should_retry,
    }
    return headers | {name: value for name, value in named.items() if value is not None}


def _message_id(headers: dict[str, str]) -> str:
    """Return the id of the message that answers a request: each has its own."""
    return headers["request-id"].replace("req_", "msg_")


def _plain_body(request: Request, step: Step, message_id: str) -> bytes:
    if request.path.endswith("/count_tokens"):
        return b'{"input_tokens":20}'
    if request.path == "/v1/models":
        return b'{"data":[],"has_more":false,"first_id":null,"last_id":null}'
    return wire.message_body(request.model, refusal=step.kind is Kind.REFUSAL, message_id=message_id)
