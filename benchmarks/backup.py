"""What a backup beside a service costs its senders: how long a 202 takes without one, and while one is made.

    python -m benchmarks.backup [--gigabytes 2] [--rate 50000] [--seconds 15]

Events come at a fixed rate, in batches of 500 over four connections, from another process.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.records import make_events
from benchmarks.server import Server
from service.storage.database import Transaction, open_database

BATCH = 500
CONNECTIONS = 4
_ROW = 1_000_000


def fill(data: Path, size: int) -> None:
    """Make a database of about so many bytes, of which a restart reads next to nothing."""
    connection = open_database(data)
    connection.execute("PRAGMA synchronous = OFF")
    for i in range(size // _ROW):
        with Transaction(connection):
            row = (f"filler-{i}", os.urandom(_ROW // 2).hex())
            connection.execute("INSERT INTO rule_texts (hash, id, at, rule) VALUES (?, 'filler', 0, ?)", row)
    connection.close()
    # Else the disk is busy with it while the senders are timed.
    os.sync()


def load(port: int, rate: float, ended: Any, out: Any, seed: int) -> None:
    """Post batches at a rate over one connection until it is ended; report (began at, took)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    bodies = [json.dumps(make_events(BATCH, seed=seed * 1000 + i)).encode() for i in range(20)]
    every, due, took = BATCH / rate, time.monotonic(), []
    while not ended.is_set():
        time.sleep(max(0.0, due - time.monotonic()))
        connection.request("POST", "/v1/events", bodies[len(took) % 20], {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        # From when it was due: a service that stands still must not look fast for all that were not sent meanwhile.
        took.append((due, time.monotonic() - due, answer.status))
        due += every
    out.put(took)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--rate", type=float, default=50_000.0)
    parser.add_argument("--seconds", type=float, default=15.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder / "data", int(options.gigabytes * 1e9))
        with Server(folder) as server:
            ended, out = multiprocessing.Event(), multiprocessing.Queue()
            rate = options.rate / CONNECTIONS
            workers = [
                multiprocessing.Process(target=load, args=(server.port, rate, ended, out, i))
                for i in range(CONNECTIONS)
            ]
            for worker in workers:
                worker.start()
            time.sleep(3)
            begin = time.monotonic()
            time.sleep(options.seconds)
            copying = time.monotonic()
            command = [sys.executable, "-m", "service", "backup", str(folder / "b.db"), "--data", str(folder / "data")]
            done = subprocess.run([*command, "--no-proof"], capture_output=True, text=True, check=True)
            end = time.monotonic()
            wal = (folder / "data/claxon.sqlite3-wal").stat().st_size
            ended.set()
            found = [one for _ in workers for one in out.get(timeout=60)]
    print(done.stdout.strip().replace(name, ""))
    print(f"write-ahead log at the end: {wal / 1e6:,.0f} MB; refused: {sum(s != 202 for *_, s in found)}")
    show("without a backup", [took for due, took, _ in found if begin <= due < copying])
    show(f"during one ({end - copying:.1f} s)", [took for due, took, _ in found if copying <= due < end])


def show(name: str, took: list[float]) -> None:
    """Print one row."""
    ordered = sorted(took)
    p99, p999 = (ordered[int(len(ordered) * share)] * 1000 for share in (0.99, 0.999))
    print(f"{name:<24} n {len(took):>6,}  p50 {median(took) * 1000:6.1f} ms  p99 {p99:6.1f} ms  p99.9 {p999:6.1f} ms")


if __name__ == "__main__":
    main()
