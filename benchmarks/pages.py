"""How long a page takes while a thousand alerts fire, and what open pages cost the core.

    python -m benchmarks.pages [--alerts 1000] [--requests 60] [--pause 0.6] [--open 0] [--load 0]

Each alert is a 401 of an app of its own, each app with an hour of calls. Requests go one after another over one
connection, as a browser's do. `--open` holds so many streams of /live, and each of those renews its page at each
event, as live.js does; `--load` posts so many events per second beside. Without a list of pages, every page of the row
is measured.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import socket
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.page_latency import load
from benchmarks.server import Server
from service.pages.navigation import ENTRIES

BATCH = 500
MINUTES = 30


def fill(port: int, alerts: int) -> None:
    """Have so many alerts fire, of as many apps that make calls."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    now = time.time()
    events = []
    for n in range(alerts):
        app = {"model": "claude-sonnet-5", "app": f"app-{n:04}", "environment": "prod"}
        events += [app | {"status": 200, "time": now - 60 * minute} for minute in range(MINUTES)]
        events.append(app | {"status": 401, "error_type": "authentication_error", "request_id": f"req_{n:024}"})
    for i in range(0, len(events), BATCH):
        connection.request(
            "POST", "/v1/events", json.dumps(events[i : i + BATCH]), {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
        assert answer.status == 202, answer.read()
        answer.read()
    deadline = time.monotonic() + 60
    while firing(connection) < alerts and time.monotonic() < deadline:
        time.sleep(0.2)


def firing(connection: http.client.HTTPConnection) -> int:
    """Return how many alerts fire."""
    connection.request("GET", "/v1/alerts")
    found = json.loads(connection.getresponse().read())["alerts"]
    return sum(one["state"] == "firing" for one in found)


def timed(port: int, path: str, *, requests: int, pause_s: float) -> tuple[list[float], int]:
    """Return how long each answer took, in milliseconds, in order, and the size of the last."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    took, size = [], 0
    for n in range(requests + 5):
        begin = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        size = len(answer.read())
        assert answer.status == 200, (path, answer.status)
        if n >= 5:
            took.append((time.perf_counter() - begin) * 1000)
        time.sleep(pause_s)
    return sorted(took), size


def hold_open(port: int, over: threading.Event) -> None:
    """Be one open page: a stream, and a renewal at each of its events, half a second apart at least."""
    stream = socket.create_connection(("127.0.0.1", port), timeout=1)
    stream.sendall(b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    page = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while not over.is_set():
        try:
            heard = stream.recv(4096)
        except TimeoutError:
            continue
        if b"changed" in heard:
            begin = time.perf_counter()
            page.request("GET", "/")
            page.getresponse().read()
            time.sleep(max(0.5, 5 * (time.perf_counter() - begin)))
    stream.close()
    page.close()


def main() -> None:
    """Print a line a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alerts", type=int, default=1000)
    parser.add_argument("--requests", type=int, default=60)
    parser.add_argument("--pause", type=float, default=0.6, help="seconds between two, over 0.5: none is given twice")
    parser.add_argument("--open", type=int, default=0, help="pages that are open beside")
    parser.add_argument("--load", type=int, default=0, help="events per second beside")
    parser.add_argument("pages", nargs="*", default=[f"/{entry.path}" for entry in ENTRIES])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, Server(Path(name)) as server:
        fill(server.port, options.alerts)
        over = threading.Event()
        threads = [threading.Thread(target=hold_open, args=(server.port, over)) for _ in range(options.open)]
        seconds = len(options.pages) * (options.requests + 5) * (options.pause + 0.2)
        worker = multiprocessing.Process(target=load, args=(server.port, options.load, seconds))
        for thread in threads:
            thread.start()
        if options.load:
            worker.start()
        print(f"{options.alerts} alerts, {options.open} open pages, {options.load} events/s beside; milliseconds")
        print(f"{'page':<24}{'p50':>8}{'p95':>8}{'p99':>8}{'max':>8}{'KiB':>8}")
        for path in options.pages:
            took, size = timed(server.port, path, requests=options.requests, pause_s=options.pause)
            figures = (took[len(took) // 2], took[int(len(took) * 0.95)], took[int(len(took) * 0.99)], took[-1])
            print(f"{path:<24}" + "".join(f"{figure:8.1f}" for figure in figures) + f"{size / 1024:8.0f}", flush=True)
        over.set()
        if options.load:
            worker.terminate()
            worker.join()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main()
