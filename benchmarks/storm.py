"""So many apps lose their key in the same moment: who is told of what, and when.

    python -m benchmarks.storm [--apps 10000] [--per-batch 500] [--answers-after 0.0]

Posts one 401 of each app, in batches, to a real service with one webhook on loopback, and waits until each alert
was named by a page that the webhook took. Exits with 1 when one was not, or when the first came after 5 s.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.server import Server

FIRST_WITHIN_S = 5.0
WAIT_S = 600.0

CONFIG = """
route: {{receiver: bench}}
receivers:
  - {{name: bench, webhook_configs: [{{url: "http://127.0.0.1:{port}/"}}]}}
"""


class Pages(ThreadingHTTPServer):
    """A webhook that notes which apps were named, and when."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, answers_after: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers_after = answers_after
        self.lock = threading.Lock()
        self.pages: list[float] = []
        self.told: dict[str, float] = {}
        self.named = 0
        self.left_out = 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def take(self, page: Any) -> None:
        """Note one page."""
        now = time.perf_counter()
        with self.lock:
            self.pages.append(now)
            self.named += len(page["alerts"])
            self.left_out += page["truncatedAlerts"]
            for alert in page["alerts"]:
                self.told.setdefault(alert["labels"].get("app", ""), now)


class _Handler(BaseHTTPRequestHandler):
    server: Pages
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Note it, then take it."""
        self.server.take(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        time.sleep(self.server.answers_after)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()


def measure(apps: int, per_batch: int, answers_after: float) -> dict[str, float]:
    """Return the figures of one storm."""
    pages = Pages(answers_after)
    names = [f"app-{i:05}" for i in range(apps)]
    with tempfile.TemporaryDirectory() as name:
        config = Path(name) / "claxon.yml"
        config.write_text(CONFIG.format(port=pages.server_port))
        with Server(Path(name), config=config) as server:
            began = time.perf_counter()
            _post(server.port, names, per_batch)
            posted = time.perf_counter()
            while len(pages.told) < apps and time.perf_counter() < posted + WAIT_S:
                time.sleep(0.05)
    pages.shutdown()
    pages.server_close()
    told = [pages.told[name] for name in names if name in pages.told]
    return {
        "alerts": apps,
        "posted in s": posted - began,
        "pages": len(pages.pages),
        "alerts told of": len(told),
        "named in all": pages.named,
        "left out": pages.left_out,
        "first page after s": min(pages.pages, default=float("inf")) - began,
        "last alert told after s": max(told, default=float("inf")) - began,
        "pages per s": len(pages.pages) / (max(pages.pages) - min(pages.pages)) if len(pages.pages) > 1 else 0.0,
    }


def _post(port: int, names: list[str], per_batch: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for begin in range(0, len(names), per_batch):
        events = [
            {"model": "m", "app": app, "status": 401, "error_type": "authentication_error"}
            for app in names[begin : begin + per_batch]
        ]
        connection.request("POST", "/v1/events", json.dumps(events), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 202, body
    connection.close()


def main() -> int:
    """Print one storm."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--apps", type=int, default=10_000)
    parser.add_argument("--per-batch", type=int, default=500)
    parser.add_argument("--answers-after", type=float, default=0.0, help="seconds the webhook takes to answer")
    options = parser.parse_args()
    figures = measure(options.apps, options.per_batch, options.answers_after)
    for name, figure in figures.items():
        print(f"{name:>24}  {figure:,.2f}".removesuffix(".00"))
    lost = figures["alerts"] - figures["alerts told of"]
    late = figures["first page after s"] > FIRST_WITHIN_S
    if lost or late:
        print(f"missed: {lost:,.0f} alerts told to nobody; first page {'late' if late else 'in time'}")
    return 1 if lost or late else 0


if __name__ == "__main__":
    sys.exit(main())
