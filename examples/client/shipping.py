"""The service is away: events go to a folder, outlive the process, and reach the service when it is back."""

import socket
import tempfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import anthropic
import claxon

from service.demo.fake_claude import FakeClaude


class Service(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(202)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
ask = {"model": "claude-test", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
with FakeClaude() as api, tempfile.TemporaryDirectory() as spool:
    client = anthropic.Anthropic(api_key="x", base_url=api.url)
    claxon.instrument(url=f"http://127.0.0.1:{port}", spool=spool)
    for _ in range(3):
        client.messages.create(**ask)  # type: ignore[call-overload]
    claxon.shutdown(timeout=2)  # as at the end of a process
    print(claxon.stats().spooled, "events on disk,", sum(claxon.stats().dropped.values()), "dropped")

    Thread(target=HTTPServer(("127.0.0.1", port), Service).serve_forever, daemon=True).start()
    claxon.instrument(url=f"http://127.0.0.1:{port}", spool=spool, interval_s=0.05)  # as the next process does
    client.messages.create(**ask)  # type: ignore[call-overload]
    while claxon.stats().sent < 4:
        claxon.flush(1)
    print(claxon.stats().sent, "events sent,", claxon.stats().spool_sent, "of them from disk,", end=" ")
    print(claxon.stats().spool_waiting, "left there")
