"""half_answers: an API on 127.0.0.1 whose first refusals break off in their body; then it answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

_MESSAGE = json.dumps(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-test",
        "content": [{"type": "text", "text": "whole"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
).encode()


@dataclass(kw_only=True)
class HalfApi:
    """Where it listens, and with what it answered.

    Attributes:
        url: Its base URL.
        halves: How many requests more get the head of a 500 and half of its body.
        answered: The status of each answer.
    """

    url: str
    halves: int
    answered: list[int] = field(default_factory=list)


@contextmanager
def half_api(halves: int) -> Iterator[HalfApi]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            whole = api.halves == 0
            api.halves -= not whole
            api.answered.append(200 if whole else 500)
            self.send_response(api.answered[-1])
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(_MESSAGE)))
            self.end_headers()
            self.wfile.write(_MESSAGE if whole else b'{"type": "er')
            self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        api = HalfApi(url=f"http://127.0.0.1:{server.server_port}", halves=halves)
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield api
        server.shutdown()
