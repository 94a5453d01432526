"""The receivers: one HTTP server on 127.0.0.1 that keeps what each path was told, and answers as it is bid."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self


class Told(NamedTuple):
    """One message as it came: when (Unix seconds), the decoded body, and what was answered."""

    arrived_at: float
    body: Any
    status: int


class Recorder:
    """Use as a context manager; `told[path]` is what came, in order."""

    def __init__(self) -> None:
        self.told: dict[str, list[Told]] = {}
        self._answers: dict[str, tuple[int, tuple[tuple[str, str], ...]]] = {}
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, prefix: str, status: int, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """Answer so, from now on, what comes to paths that begin so; 200 was said before."""
        with self._lock:
            self._answers[prefix] = (status, headers)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, path: str, body: bytes) -> tuple[int, tuple[tuple[str, str], ...]]:
        now = time.time()
        with self._lock:
            said = next((said for prefix, said in self._answers.items() if path.startswith(prefix)), (200, ()))
            self.told.setdefault(path, []).append(Told(now, json.loads(body), said[0]))
        return said


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: processes that are restarted cut connections."""


def _handler_for(recorder: Recorder) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, headers = recorder._take(self.path, body)
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
