"""Ingest: a small service for tests, that takes events over a real socket and fails as told."""

from __future__ import annotations

import gzip
import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import zstandard


@dataclass
class Post:
    """One POST as it arrived; `events` is its decoded body."""

    path: str
    headers: dict[str, str]
    body: bytes
    events: list[dict[str, Any]]


@dataclass
class Reply:
    """What to answer; `hang` seconds pass before it, `slow` seconds between its head and its body."""

    status: int = 202
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    hang: float = 0.0
    slow: float = 0.0
    close: bool = False


class Ingest:
    """The service; replies come from `script`, one per post, then 202 for ever."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.script: list[Reply] = []
        self.closing = threading.Event()
        self._arrived = threading.Condition()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.ingest = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events of all posts."""
        return [event for post in self.posts for event in post.events]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def take(self, post: Post) -> Reply:
        with self._arrived:
            self.posts.append(post)
            self._arrived.notify_all()
            return self.script.pop(0) if self.script else Reply()

    def wait_for_posts(self, count: int, timeout: float = 5.0) -> None:
        """Return once `count` posts have arrived; fail after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._arrived:
            while len(self.posts) < count:
                assert self._arrived.wait(deadline - time.monotonic()), f"{len(self.posts)} of {count} posts"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    ingest: Ingest

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news here."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        post = Post(self.path, headers, body, json.loads(decode(body, headers["content-encoding"])))
        reply = self.server.ingest.take(post)
        if reply.hang:
            self.server.ingest.closing.wait(reply.hang)
        if reply.close:
            self.close_connection = True
            return
        answer = reply.body
        if answer is None:
            answer = json.dumps({"accepted": len(post.events), "rejected": []}).encode()
        self.send_response(reply.status)
        for name, value in (*reply.headers, ("content-length", str(len(answer)))):
            self.send_header(name, value)
        self.end_headers()
        if reply.slow:
            self.server.ingest.closing.wait(reply.slow)
        self.wfile.write(answer)


def decode(body: bytes, encoding: str) -> bytes:
    """Return a request body as JSON."""
    if encoding == "gzip":
        return gzip.decompress(body)
    assert encoding == "zstd"
    return zstandard.ZstdDecompressor().decompress(body, max_output_size=1 << 26)
