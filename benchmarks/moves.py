"""Partitions that change hands: for how long they are not evaluated, by how much their owners know.

python -m benchmarks.moves [--quick]: 2 min; --quick: 1 min

Three brokers, a PostgreSQL that waits for the disk, a node that evaluates twelve partitions, no load. First a success
of each of so many apps is evaluated, so that windows hold something of all. Then a node comes, which is given half of
the partitions; it is told to end; it comes again, and is killed. Each time: for how long the partition was not
evaluated that had to wait longest, which is how late pages of its apps are; and in the end the snapshots, as stored.
"""

from __future__ import annotations

import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.bodies import JSON, json_bodies
from benchmarks.page_latency import CONFIG, Arrivals
from benchmarks.partitions import PARTITIONS, Fleet, Given, fleet, wait
from benchmarks.records import make_event
from benchmarks.sending import Plan, Sending, request
from tests.support.kafka import Kafka, start_kafka
from tests.support.postgres import Postgres, start_postgres

NAME = "moves"
SIZES = (1_000, 10_000, 50_000)
BATCH = 500
WITHIN_S = 120.0
SETTLED_S = 1.5


def given(apps: int) -> Given:
    """Return an event of each of so many apps."""
    return Given(name=f"{apps} apps", events=apps, place=lambda i: (f"app-{i}", "/chat"))


def teach(found: Fleet, of: Given) -> None:
    """Have all events evaluated, once."""
    r, now, port = random.Random(1), time.time(), found.door.port
    records = [make_event(r, now, *of.place(i), failing=0) for i in range(of.events)]
    requests = [request("/v1/events", body, JSON, port=port) for body in json_bodies(records, BATCH)]
    before = found.evaluated()
    with Sending(Plan(port=port, requests=requests, connections=4, seconds=WITHIN_S, once=True)) as sending:
        sent = sending.wait(2 * WITHIN_S)
    if sent is None or len(sent.taken) < len(requests):
        raise TimeoutError(f"{of.name}: not all was taken")
    wait("all is evaluated", lambda: found.evaluated() - before >= of.events, WITHIN_S)


def stale(found: Fleet, what: str, holds: Callable[[], bool]) -> float:
    """Return for how long the partition that had to wait longest was not evaluated, until something holds, in s."""
    longest, end = 0.0, time.monotonic() + WITHIN_S
    while True:
        settled = holds()
        behind = time.time() - float(found.sql("SELECT min(at) FROM partitions"))
        longest = max(longest, behind)
        if settled and behind < SETTLED_S:
            return longest
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {WITHIN_S:g} s")
        time.sleep(0.05)


def owned_by(found: Fleet, port: int) -> int:
    """Return how many partitions a node owns."""
    return int(found.sql(f"SELECT count(*) FROM partitions WHERE owner = 'http://127.0.0.1:{port}'"))


def move(found: Fleet) -> dict[str, float]:
    """Return for how long partitions wait when a node comes, ends in good order, and is killed, in s.

    It comes twice: the second time with snapshots of the end of the first.
    """
    row: dict[str, float] = {}
    for end, sign in (("ends", signal.SIGTERM), ("killed", signal.SIGKILL)):
        node = found.another(end)
        share = partial(owned_by, found, node.port)
        with ThreadPoolExecutor(1) as pool:
            # It joins before it is ready.
            starting = pool.submit(node.start)
            row["comes_s"] = stale(found, "a node comes", lambda share=share: share() == PARTITIONS // 2)
            starting.result()
        try:
            os.kill(node.pid, sign)
            row[f"{end}_s"] = stale(found, end, lambda share=share: share() == 0)
        finally:
            node.stop()
    return row | {"snapshot_mb": found.snapshot_bytes() / 1e6}


def measure(sizes: tuple[int, ...], postgres: Postgres, cluster: Kafka, config: Path) -> list[dict[str, Any]]:
    """Return a row for each size."""
    rows: list[dict[str, Any]] = []
    for apps in sizes:
        with (
            tempfile.TemporaryDirectory() as name,
            fleet(Path(name), config, postgres, cluster, evaluators=1) as found,
        ):
            teach(found, given(apps))
            rows.append({"apps": apps} | move(found))
        print(_line(rows[-1]), flush=True)
    return rows


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['apps']:,} apps: a node comes {row['comes_s']:.1f} s, ends {row['ends_s']:.1f} s, is killed "
        f"{row['killed_s']:.1f} s; snapshots {row['snapshot_mb']:.2f} MB"
    )


def main() -> None:
    """Measure, print and write all of it."""
    options = results.options(__doc__, full="2 min", quick="1 min").parse_args()
    arrivals = Arrivals()
    settings = {"shared_buffers": "256MB", "max_wal_size": "4GB"}
    with (
        tempfile.TemporaryDirectory() as name,
        start_postgres(durable=True, settings=settings) as postgres,
        start_kafka() as cluster,
    ):
        config = Path(name) / "claxon.yml"
        config.write_text(CONFIG.format(port=arrivals.server_port))
        rows = measure(SIZES[:2] if options.quick else SIZES, postgres, cluster, config)
    arrivals.shutdown()
    arrivals.server_close()
    results.write(NAME, {"rows": rows}, quick=options.quick, out=options.out)


if __name__ == "__main__":
    main()
