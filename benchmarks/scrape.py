"""How long a scrape of /metrics takes, and what it costs those who send events meanwhile.

The service first hears of so many (app, environment, model) that a scrape has `--series` series. Then each format is
scraped, alone; then events are posted, 500 a batch at a fixed rate, for two spells in turn: with a scrape a second, and
without. Usage: python -m benchmarks.scrape [--series 10000] [--rate 20000] [--seconds 20] [--rounds 3]
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.records import make_events
from benchmarks.server import Server

FORMATS = {
    "text": "text/plain;version=0.0.4",
    "OpenMetrics": "application/openmetrics-text;version=1.0.0",
    "protobuf": "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited",
}
BATCH = 500


class Connection:
    """A connection that is kept."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def post(self, body: bytes) -> float:
        """Post events; return the seconds until the 202."""
        return self._request("POST", "/v1/events", body, {"Content-Type": "application/json"}, 202)[0]

    def scrape(self, accept: str) -> tuple[float, bytes]:
        """Return the seconds, and the page."""
        return self._request("GET", "/metrics", None, {"Accept": accept}, 200)

    def _request(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], status: int
    ) -> tuple[float, bytes]:
        begin = time.perf_counter()
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        found = answer.read()
        assert answer.status == status, (answer.status, found)
        return time.perf_counter() - begin, found


def events_of(models: int) -> list[dict[str, Any]]:
    """Return events of so many (app, environment, model), of each a success, a failure and a limit."""
    limits = {f"{name}_{what}": 1000 for name in ("requests", "tokens") for what in ("limit", "remaining")}
    base = {"status": 200, "duration_ms": 800, "time_to_first_token_ms": 90, "input_tokens": 90, "output_tokens": 9}
    found = []
    for i in range(models):
        of = {"app": f"app-{i % 40}", "environment": f"env-{i // 40}", "model": "claude-opus-4-5"}
        found += [of | base | {"ratelimit": limits}, of | {"status": 500, "final": True, "duration_ms": 40}]
    return found


def series_in(page: bytes) -> int:
    """Return how many series a page of text has."""
    return sum(1 for line in page.splitlines() if not line.startswith(b"#"))


def fill(connection: Connection, series: int) -> int:
    """Post models until a scrape has so many series; return how many it has."""
    connection.post(json.dumps(events_of(1)).encode())
    one = series_in(connection.scrape(FORMATS["text"])[1])
    connection.post(json.dumps(events_of(11)).encode())
    eleven = series_in(connection.scrape(FORMATS["text"])[1])
    models = 11 + max(0, (series - eleven) * 10 // (eleven - one))
    connection.post(json.dumps(events_of(models)).encode())
    time.sleep(2)
    return series_in(connection.scrape(FORMATS["text"])[1])


def spell(port: int, rate: int, seconds: float, *, scraping: bool) -> tuple[list[float], list[float]]:
    """Post on a schedule that waits for nobody; return how late each answer was, and how long the scrapes took."""
    ending = threading.Event()
    scrapes: list[float] = []

    def scrape() -> None:
        connection = Connection(port)
        while not ending.wait(1):
            scrapes.append(connection.scrape(FORMATS["OpenMetrics"])[0])

    scraper = threading.Thread(target=scrape)
    if scraping:
        scraper.start()
    connection, late = Connection(port), []
    bodies = [json.dumps(make_events(BATCH, seed=i)).encode() for i in range(20)]
    begin = time.perf_counter()
    for n in range(int(seconds * rate / BATCH)):
        due = begin + n * BATCH / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        connection.post(bodies[n % len(bodies)])
        # From when it was due: a batch that waits for the one before is late, too.
        late.append(time.perf_counter() - due)
    ending.set()
    if scraping:
        scraper.join()
    return late, scrapes


def said(name: str, seconds: list[float]) -> None:
    """Print percentiles."""
    ordered = sorted(seconds)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    print(f"{name:>34}  p50 {p50 * 1e3:8.2f} ms  p99 {p99 * 1e3:8.2f} ms  max {ordered[-1] * 1e3:8.2f} ms", flush=True)


def main() -> None:
    """Print one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--rate", type=int, default=20_000, help="events a second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3, help="spells of each kind")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder)) as server:
        connection = Connection(server.port)
        print(f"{'series':>34}  {fill(connection, options.series):,}")
        for name, accept in FORMATS.items():
            said(f"scrape, {name}, alone", [connection.scrape(accept)[0] for _ in range(20)])
        found: dict[bool, list[float]] = {False: [], True: []}
        scrapes: list[float] = []
        for i in range(2 * options.rounds):
            late, took = spell(server.port, options.rate, options.seconds, scraping=bool(i % 2))
            found[bool(i % 2)] += late
            scrapes += took
    said("batch, nobody scrapes", found[False])
    said("batch, a scrape a second", found[True])
    said("scrape beside the batches", scrapes)


if __name__ == "__main__":
    main()
