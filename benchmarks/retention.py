"""How long batches wait while five million old events are deleted beside, against the same load without.

The log is filled with events of two months ago; a `claxon serve` takes `--rate` batches of 500 a second, each
timed from when it was due. After a while the configuration is reloaded with a shorter age, and the old ones go.
Usage: python -m benchmarks.retention [--events 5000000] [--rate 40] [--seconds 20]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path

from alerts.default_rules import DEFAULT_RULES
from alerts.notifier import Notifier
from alerts.routes import Route
from benchmarks import queries
from benchmarks.queries import Writer, fill
from benchmarks.records import make_events
from benchmarks.server import Server
from service import clock
from service.core import Core
from service.logs import configure_logs
from service.storage import log_rows, retention
from service.storage.database import open_reader

BATCH = 500


class Load(threading.Thread):
    """Posts at a fixed rate; a batch is timed from when it was due, so what waits behind a slow one counts."""

    def __init__(self, port: int, *, rate: float) -> None:
        super().__init__(daemon=True)
        self.phase = "start"
        self.took: dict[str, list[float]] = {}
        self.ending = False
        self._port = port
        self._rate = rate

    def run(self) -> None:
        """Post until it is told to end."""
        bodies = [json.dumps(make_events(BATCH, seed=i)).encode() for i in range(20)]
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)) as connection:
            begin, sent = time.perf_counter(), 0
            while not self.ending:
                due = begin + sent / self._rate
                time.sleep(max(0.0, due - time.perf_counter()))
                connection.request("POST", "/v1/events", bodies[sent % 20], {"Content-Type": "application/json"})
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 202, answer.status
                self.took.setdefault(self.phase, []).append(time.perf_counter() - due)
                sent += 1


def configure(path: Path, age: str) -> None:
    """Write the configuration."""
    path.write_text(f"retention: {{age: {age}}}\n")


def left(folder: Path, last: int) -> tuple[bool, int]:
    """Return whether old rows are left, and the bytes of the file that hold nothing."""
    with closing(open_reader(folder)) as reader:
        return log_rows.ends(reader)[0] < last, retention.size(reader).free


def measure(options: argparse.Namespace, folder: Path) -> None:
    """Print what the batches waited, with and without."""
    # Of two months ago, and more than a pause before the present.
    queries.BEGAN = time.time() - 60 * 86_400
    writer = Writer(folder / "data")
    fill(writer, options.events, batch=BATCH, failing=0.03)
    last = log_rows.ends(writer.connection)[1]
    core = Core(
        writer.connection,
        DEFAULT_RULES,
        Notifier(Route(receiver="console"), (), external_url="http://127.0.0.1:1"),
        clock=clock.now,
        targets=lambda _: [],
    )
    # Evaluates all of it, and leaves a snapshot.
    core.start()
    core.stop()
    config = folder / "claxon.yml"
    configure(config, "365d")
    with Server(folder, config=config) as server:
        load = Load(server.port, rate=options.rate)
        load.start()
        # Until what was there is snapshotted, and sorted into the index.
        time.sleep(options.seconds)
        load.phase = "without"
        time.sleep(options.seconds)
        configure(config, "30d")
        load.phase = "while deleting"
        begin = time.perf_counter()
        os.kill(server.pid, signal.SIGHUP)
        deleted_s = 0.0
        while True:
            time.sleep(0.25)
            old, free = left(folder / "data", last)
            if not old and not deleted_s:
                deleted_s, most = time.perf_counter() - begin, free
            # Up to what is kept free.
            if deleted_s and free < max(most / 10, 17 * 1024 * 1024):
                break
        took = time.perf_counter() - begin
        load.phase = "after"
        time.sleep(options.seconds)
        load.ending = True
        load.join()
    print(
        f"{options.events:,} events deleted in {deleted_s:.1f} s, {most / 1e6:.0f} MB given back in {took:.1f} s,",
        end=" ",
    )
    print(f"{options.rate * BATCH:,.0f} events/s beside")
    p99s: dict[str, float] = {}
    for phase, found in load.took.items():
        found.sort()
        p50, p99, p999 = (found[int(len(found) * share)] * 1e3 for share in (0.5, 0.99, 0.999))
        p99s[phase] = p99
        said = f"p50 {p50:6.1f} ms, p99 {p99:6.1f}, p99.9 {p999:6.1f}, max {found[-1] * 1e3:6.1f}"
        print(f"  {phase:>15}: {said}  ({len(found):,} batches)")
    print(f"  p99 while deleting: {p99s['while deleting'] / p99s['without']:.2f} x that without")


def main() -> None:
    """Print one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--rate", type=float, default=40)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    configure_logs("error")
    with tempfile.TemporaryDirectory() as folder:
        measure(options, Path(folder))


if __name__ == "__main__":
    main()
