"""From an event's 2xx to the page's arrival at a webhook on loopback.

    python -m benchmarks.page_latency [--pages 200] [--load 0] [--trials]

`--load` posts so many events per second beside, in batches of 500; `--trials` tries other numbers for a rule on them,
one trial after another. Every trial is the first 401 of an
app of its own. The commit, the evaluation, the outbox and the send are real; nothing is mocked.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from benchmarks.records import make_events
from benchmarks.server import Server

CONFIG = """
# In groups of one: two hundred alerts by themselves within a minute would be a storm, and that a few messages.
route: {{receiver: bench, group_by: ["..."], group_wait: 0s, group_interval: 1s}}
receivers:
  - {{name: bench, webhook_configs: [{{url: "http://127.0.0.1:{port}/"}}]}}
"""


class Arrivals(ThreadingHTTPServer):
    """A webhook that notes when each app's page came."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.at: dict[str, float] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    server: Arrivals
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Note the time first."""
        now = time.perf_counter()
        page = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if page["status"] == "firing":
            self.server.at.setdefault(page["groupLabels"].get("app", ""), now)
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()


def load(port: int, rate: int, seconds: float) -> None:
    """Post events at a rate, 500 a batch, on a schedule that does not wait for slow answers' sake."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    begin, n = time.perf_counter(), 0
    bodies = [json.dumps(make_events(500, seed=i, failing=0.001)).encode() for i in range(20)]
    while time.perf_counter() - begin < seconds:
        due = begin + n * 500 / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        connection.request("POST", "/v1/events", bodies[n % 20], {"Content-Type": "application/json"})
        connection.getresponse().read()
        n += 1


def try_rules(port: int, seconds: float) -> None:
    """Try numbers that nobody has tried before, again and again, as the form of a rule's page does."""
    end, n = time.perf_counter() + seconds, 0
    while time.perf_counter() < end:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", f"/rules/ClaudeErrorRate/page?above={4 + n / 100:.2f}%25&days=7")
        answer = connection.getresponse()
        assert b"What came of it" in answer.read(), answer.status
        connection.close()
        n += 1
    print(f"{'trials':>16}  {n}", flush=True)


def measure(pages: int, rate: int, *, trials: bool = False) -> dict[str, float]:
    """Return the latencies of so many first 401s, in milliseconds."""
    arrivals = Arrivals()
    answered: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = folder / "claxon.yml"
        config.write_text(CONFIG.format(port=arrivals.server_port))
        with Server(folder, config=config) as server:
            worker = multiprocessing.Process(target=load, args=(server.port, rate, pages * 0.05 + 2))
            trier = multiprocessing.Process(target=try_rules, args=(server.port, pages * 0.05))
            if rate:
                worker.start()
                time.sleep(1.5)
            if trials:
                trier.start()
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            for i in range(pages):
                event = {"model": "m", "app": f"trial-{i}", "status": 401, "error_type": "authentication_error"}
                connection.request("POST", "/v1/events", json.dumps(event), {"Content-Type": "application/json"})
                assert connection.getresponse().read()
                answered[f"trial-{i}"] = time.perf_counter()
                time.sleep(0.05)
            end = time.perf_counter() + 10
            while len(arrivals.at.keys() & answered.keys()) < pages and time.perf_counter() < end:
                time.sleep(0.05)
            if rate:
                worker.join()
            if trials:
                trier.join()
    arrivals.shutdown()
    arrivals.server_close()
    took = sorted((arrivals.at[app] - answered[app]) * 1000 for app in answered if app in arrivals.at)
    return {
        "pages sent": pages,
        "pages arrived": len(took),
        "p50 ms": took[len(took) // 2],
        "p99 ms": took[int(len(took) * 0.99)],
        "max ms": took[-1],
    }


def main() -> None:
    """Print one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=200)
    parser.add_argument("--load", type=int, default=0, help="events per second beside")
    parser.add_argument("--trials", action="store_true", help="try a rule beside")
    options = parser.parse_args()
    for name, figure in measure(options.pages, options.load, trials=options.trials).items():
        print(f"{name:>16}  {figure:,.1f}")


if __name__ == "__main__":
    main()
