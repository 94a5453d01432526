"""A log in partitions on Kafka: 1, 2 and 4 nodes that evaluate, and what they are given.

python -m benchmarks.partitions [--quick] [--seconds 10] [--batch 500]: 6 min; --quick: 3 min

Three brokers (replication 3, acks=all, min.insync.replicas=2), a PostgreSQL that waits for the disk, one ingest node,
and a topic of twelve partitions for each cell. `acknowledged` are events with a 202, per second; a cell goes on until
all are evaluated, and `evaluated` is over that whole time. CPU is per million events and by role: on few cores all
roles and the sender compete, and the CPU says what machines of their own would give. Before that, without load, from
an event's 202 to its page.
"""

from __future__ import annotations

import contextlib
import random
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.bodies import JSON, json_bodies
from benchmarks.footprint import Footprint
from benchmarks.nodes import CONNECTIONS, Cell, pages
from benchmarks.page_latency import CONFIG, Arrivals
from benchmarks.records import make_event
from benchmarks.sending import PATIENCE_S, Plan, Sending, latencies_ms, percentile, request
from benchmarks.server import Server
from tests.support.kafka import Kafka, start_kafka
from tests.support.postgres import Postgres, start_postgres

NAME = "partitions"
PARTITIONS = 12
DRAIN_S = 180.0
FRESH_S = 1.0
"""A partition whose instant is not older is evaluated."""


@dataclass(frozen=True, kw_only=True)
class Given:
    """What is posted.

    Attributes:
        name: For people.
        events: So many distinct events, again and again.
        place: (app, path) of each, by its number.
    """

    name: str
    events: int
    place: Callable[[int], tuple[str, str]]


USUAL = Given(name="20 apps", events=10_000, place=lambda i: (f"app-{i % 20}", f"/chat/{i % 7}"))
HOT = Given(name="one app", events=10_000, place=lambda i: ("app-0", f"/chat/{i % 7}"))
MANY_APPS = Given(name="1,000 apps", events=10_000, place=lambda i: (f"app-{i % 1_000}", f"/chat/{i % 7}"))
MANY_KEYS = Given(name="100,000 keys", events=100_000, place=lambda i: (f"app-{i % 100}", f"/chat/{i // 100 % 1_000}"))
CELLS = ((1, USUAL), (2, USUAL), (4, USUAL), (2, HOT), (2, MANY_APPS), (2, MANY_KEYS))


@dataclass(frozen=True, kw_only=True)
class Fleet:
    """What runs in a cell.

    Attributes:
        evaluating: The nodes that own partitions.
        elected: That of them which pages.
        door: Takes the events.
        sql: Asks the database.
        roles: The processes whose CPU is looked at.
        another: Makes one more node that evaluates, not started.
    """

    evaluating: Sequence[Server]
    elected: Server
    door: Server
    sql: Callable[[str], str]
    roles: dict[str, list[int]]
    another: Callable[[str], Server]

    def evaluated(self) -> int:
        """Return how many events were evaluated, by all nodes."""
        return sum(_metric(node, "claxon_partition_events_total") for node in self.evaluating)

    def fresh(self) -> int:
        """Return how many partitions are evaluated up to the present."""
        return int(self.sql(f"SELECT count(*) FROM partitions WHERE at > {time.time() - FRESH_S}"))

    def snapshot_bytes(self) -> int:
        """Return how large the newest snapshots are, as they are stored."""
        newest = (
            "SELECT DISTINCT ON (partition) octet_length(body) AS n FROM shard_snapshots ORDER BY partition, seq DESC"
        )
        return int(self.sql(f"SELECT coalesce(sum(n), 0) FROM ({newest}) AS found"))


def _metric(node: Server, name: str) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{node.port}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return int(sum(float(line.split()[1]) for line in lines if line.startswith(f"{name} ")))


@contextlib.contextmanager
def fleet(folder: Path, config: Path, postgres: Postgres, cluster: Kafka, *, evaluators: int) -> Iterator[Fleet]:
    """Run so many nodes that evaluate, and one that takes events, on an empty topic and database."""
    topic, database = f"claxon-{uuid.uuid4().hex[:8]}", postgres.create_database()
    cluster.create_topic(topic, partitions=PARTITIONS, **{"min.insync.replicas": "2"})
    where = ["--data", postgres.url(database), "--log", f"kafka://{cluster.bootstrap()}/{topic}"]

    def node(name: str, role: str, ready: str = "/-/ready") -> Server:
        (folder / name).mkdir()
        return Server(folder / name, config=config, arguments=[*where, "--role", role], ready=ready)

    with contextlib.ExitStack() as stack:
        elected = stack.enter_context(node("elected", "evaluate,deliver", "/-/elected"))
        another = partial(node, role="evaluate")
        others = [stack.enter_context(another(f"evaluate-{n}")) for n in range(1, evaluators)]
        door = stack.enter_context(node("ingest", "ingest"))
        evaluating = [elected, *others]
        found = Fleet(
            evaluating=evaluating,
            elected=elected,
            door=door,
            sql=lambda query: postgres.sql(query, database),
            roles={
                "ingest": [door.pid],
                "evaluate": [one.pid for one in evaluating],
                "postgres": [postgres.pid],
                "kafka": [broker.pid for broker in cluster.brokers.values()],
            },
            another=another,
        )
        wait("all partitions are owned", lambda: found.fresh() == PARTITIONS, 90)
        yield found


def load(found: Fleet, given: Given, *, batch: int, seconds: float) -> dict[str, Any]:
    """Return what a closed loop achieves, until all of it is evaluated."""
    r, now = random.Random(1), time.time()
    records = [make_event(r, now, *given.place(i), failing=0.03) for i in range(given.events)]
    port = found.door.port
    requests = [request("/v1/events", body, JSON, port=port) for body in json_bodies(records, batch)]
    before = found.evaluated()
    watched = {role: [Footprint(pid) for pid in pids] for role, pids in found.roles.items()}
    began = time.perf_counter()
    with Sending(Plan(port=port, requests=requests, connections=CONNECTIONS, seconds=seconds)) as sending:
        sent = sending.wait(seconds + PATIENCE_S)
    if sent is None:
        raise TimeoutError("the sender did not end")
    events = len(sent.taken) * batch
    backlog = events - (found.evaluated() - before)
    wait("all is evaluated", lambda: found.evaluated() - before >= events, DRAIN_S)
    took_s = time.perf_counter() - began
    latencies = sorted(latencies_ms(sent.answers))
    return {
        "acknowledged_s": sent.per_second * batch,
        "evaluated_s": events / took_s,
        "backlog_at_end": backlog,
        "refused": len(sent.answers) - len(sent.taken),
        "p50_ms": percentile(latencies, 0.5),
        "p99_ms": percentile(latencies, 0.99),
        "cpu_s_per_million": {
            role: sum(one.use().cpu_s for one in many) / events * 1e6 for role, many in watched.items()
        },
    }


def wait(what: str, holds: Callable[[], bool], within_s: float) -> None:
    end = time.perf_counter() + within_s
    while not holds():
        if time.perf_counter() > end:
            raise TimeoutError(f"{what}: not within {within_s:g} s")
        time.sleep(0.05)


def measure(cells: Sequence[tuple[int, Given]], *, batch: int, seconds: float, count: int) -> list[dict[str, Any]]:
    """Return a row for each cell: so many nodes that evaluate, and what they are given."""
    arrivals = Arrivals()
    found: list[dict[str, Any]] = []
    settings = {"shared_buffers": "256MB", "max_wal_size": "4GB"}
    with start_postgres(durable=True, settings=settings) as postgres, start_kafka() as cluster:
        for evaluators, given in cells:
            with tempfile.TemporaryDirectory() as name:
                config = Path(name) / "claxon.yml"
                config.write_text(CONFIG.format(port=arrivals.server_port))
                with fleet(Path(name), config, postgres, cluster, evaluators=evaluators) as run:
                    cell = Cell(name=f"{evaluators}-{given.name}", doors=[run.door], elected=run.elected, roles={})
                    row = {"evaluators": evaluators, "given": given.name}
                    row |= pages(cell, arrivals, count=count) | load(run, given, batch=batch, seconds=seconds)
            found.append(row)
            print(_line(row, found[0]), flush=True)
    arrivals.shutdown()
    arrivals.server_close()
    return found


def _line(row: dict[str, Any], first: dict[str, Any]) -> str:
    cpu = ", ".join(f"{role} {figure:.1f}" for role, figure in row["cpu_s_per_million"].items())
    return (
        f"{row['evaluators']} evaluate, {row['given']}: acknowledged {row['acknowledged_s']:,.0f}/s, evaluated "
        f"{row['evaluated_s']:,.0f}/s ({row['evaluated_s'] / first['evaluated_s']:.2f}), backlog "
        f"{row['backlog_at_end']:,}, refused {row['refused']}, 202 after p50 {row['p50_ms']:.1f} p99 "
        f"{row['p99_ms']:.1f} ms; CPU s a million: {cpu}; page after p50 {row['page_p50_ms']:.0f} p99 "
        f"{row['page_p99_ms']:.0f} ms ({row['arrived']}/{row['pages']})"
    )


def main() -> None:
    """Measure, print and write all of it."""
    parser = results.options(__doc__, full="6 min", quick="3 min")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--batch", type=int, default=500)
    options = parser.parse_args()
    seconds = options.seconds or (4.0 if options.quick else 10.0)
    found = measure(CELLS, batch=options.batch, seconds=seconds, count=20 if options.quick else 60)
    results.write(
        NAME, {"batch": options.batch, "seconds": seconds, "cells": found}, quick=options.quick, out=options.out
    )


if __name__ == "__main__":
    main()
