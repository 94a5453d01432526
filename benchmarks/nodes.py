"""Several nodes on one PostgreSQL, beside one process on SQLite in the same run.

python -m benchmarks.nodes [--quick] [--seconds 8] [--batch 500]: 4 min; --quick: 1.5 min

First the embedded service; then PostgreSQL with one elected node and 1, 2 and 4 ingest nodes, each of which has
connections and a sender of its own. `acknowledged` are events with a 202, per second. Each cell goes on until all of
them are evaluated, and `evaluated` is over that whole time. CPU is per million events and by role; on few cores the
roles compete, and the CPU says what a machine of its own would give. Commits wait for the disk on both sides. At last,
without load, from an event's 202 to its page at a webhook.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import results
from benchmarks.bodies import json_requests
from benchmarks.footprint import Footprint
from benchmarks.page_latency import CONFIG, Arrivals
from benchmarks.sending import PATIENCE_S, Plan, Sending, Sent, latencies_ms, percentile
from benchmarks.server import Server
from tests.support.postgres import Postgres, start_postgres

NAME = "nodes"
INGEST_NODES = (1, 2, 4)
CONNECTIONS = 4
EVENTS = 10_000
"""Distinct events that are sent again and again."""

DRAIN_S = 120.0


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What runs.

    Attributes:
        name: For people.
        doors: Where events go.
        elected: Who evaluates.
        roles: The processes whose CPU is looked at.
    """

    name: str
    doors: Sequence[Server]
    elected: Server
    roles: dict[str, Sequence[int]]


@contextlib.contextmanager
def embedded(folder: Path, config: Path) -> Iterator[Cell]:
    """Run the one process with SQLite."""
    with Server(folder, config=config) as server:
        yield Cell(name="embedded", doors=[server], elected=server, roles={"all": [server.pid]})


@contextlib.contextmanager
def shared(folder: Path, config: Path, postgres: Postgres, *, ingest: int) -> Iterator[Cell]:
    """Run an elected node and so many ingest nodes on a new database; without any, events go to the elected one."""
    url = postgres.url(postgres.create_database())

    def node(name: str, role: str, ready: str = "/-/ready") -> Server:
        place = folder / name
        place.mkdir()
        return Server(place, config=config, arguments=["--data", url, "--role", role], ready=ready)

    with contextlib.ExitStack() as stack:
        elected = stack.enter_context(node("elected", "evaluate,deliver", "/-/elected"))
        doors = [stack.enter_context(node(f"ingest-{n}", "ingest")) for n in range(ingest)]
        roles = {"ingest": [door.pid for door in doors], "evaluate": [elected.pid], "postgres": [postgres.pid]}
        yield Cell(name=f"{ingest} ingest", doors=doors or [elected], elected=elected, roles=roles)


def load(cell: Cell, *, batch: int, seconds: float) -> dict[str, Any]:
    """Return what a closed loop on all doors achieves, until all of it is evaluated."""
    plans = [
        Plan(
            port=door.port,
            requests=json_requests(EVENTS, batch, port=door.port),
            connections=CONNECTIONS,
            seconds=seconds,
        )
        for door in cell.doors
    ]
    before = evaluated(cell.elected.port)
    watched = {role: [Footprint(pid) for pid in pids] for role, pids in cell.roles.items()}
    began = time.perf_counter()
    with contextlib.ExitStack() as stack:
        sending = [stack.enter_context(Sending(plan)) for plan in plans]
        sent = [_whole(one.wait(seconds + PATIENCE_S)) for one in sending]
    events = sum(len(one.taken) for one in sent) * batch
    backlog = events - (evaluated(cell.elected.port) - before)
    while (left := events - (evaluated(cell.elected.port) - before)) > 0:
        if time.perf_counter() - began > seconds + DRAIN_S:
            raise TimeoutError(f"{cell.name}: {left} events are not evaluated")
        time.sleep(0.05)
    took_s = time.perf_counter() - began
    latencies = sorted(ms for one in sent for ms in latencies_ms(one.answers))
    cpu = {role: sum(one.use().cpu_s for one in many) / events * 1e6 for role, many in watched.items()}
    return {
        "acknowledged_s": sum(one.per_second for one in sent) * batch,
        "evaluated_s": events / took_s,
        "backlog_at_end": backlog,
        "refused": sum(len(one.answers) - len(one.taken) for one in sent),
        "p50_ms": percentile(latencies, 0.5),
        "p99_ms": percentile(latencies, 0.99),
        "cpu_s_per_million": cpu,
    }


def _whole(sent: Sent | None) -> Sent:
    if sent is None:
        raise TimeoutError("the sender did not end")
    return sent


def evaluated(port: int) -> int:
    """Return how many events the elected node has in its log."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    for line in connection.getresponse().read().decode().splitlines():
        if line.startswith("claxon_ingest_events_total "):
            return int(float(line.split()[1]))
    raise ValueError("no claxon_ingest_events_total")


def pages(cell: Cell, arrivals: Arrivals, *, count: int) -> dict[str, float]:
    """Return how long it takes from the 202 of a first 401 to its page, in milliseconds."""
    arrivals.at.clear()
    answered: dict[str, float] = {}
    connection = http.client.HTTPConnection("127.0.0.1", cell.doors[0].port, timeout=30)
    for i in range(count):
        app = f"{cell.name}-{i}"
        event = {"model": "m", "app": app, "status": 401, "error_type": "authentication_error"}
        connection.request("POST", "/v1/events", json.dumps(event), {"Content-Type": "application/json"})
        assert connection.getresponse().read()
        answered[app] = time.perf_counter()
        time.sleep(0.05)
    end = time.perf_counter() + 10
    while len(arrivals.at.keys() & answered.keys()) < count and time.perf_counter() < end:
        time.sleep(0.05)
    took = sorted((arrivals.at[app] - answered[app]) * 1000 for app in answered if app in arrivals.at)
    return {
        "pages": count,
        "arrived": len(took),
        "page_p50_ms": percentile(took, 0.5),
        "page_p99_ms": percentile(took, 0.99),
    }


def idle_cpu(cell: Cell, seconds: float) -> dict[str, float]:
    """Return what waiting for nothing takes, in cores."""
    watched = {role: [Footprint(pid) for pid in pids] for role, pids in cell.roles.items()}
    time.sleep(seconds)
    return {role: sum(one.use().cpu_s for one in many) / seconds for role, many in watched.items()}


def measure(cells: Sequence[int | None], *, batch: int, seconds: float, count: int) -> list[dict[str, Any]]:
    """Return a row for each cell: None is the embedded service, a number that of ingest nodes."""
    arrivals = Arrivals()
    found: list[dict[str, Any]] = []
    with start_postgres(durable=True, settings={"shared_buffers": "256MB", "max_wal_size": "4GB"}) as postgres:
        for ingest in cells:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                config = folder / "claxon.yml"
                config.write_text(CONFIG.format(port=arrivals.server_port))
                start = embedded(folder, config)
                if ingest is not None:
                    start = shared(folder, config, postgres, ingest=ingest)
                with start as cell:
                    row = {"name": cell.name, "ingest": ingest} | pages(cell, arrivals, count=count)
                    row |= {"idle_cores": idle_cpu(cell, 3)} | load(cell, batch=batch, seconds=seconds)
            found.append(row)
            print(_line(row, found[0]), flush=True)
    arrivals.shutdown()
    arrivals.server_close()
    return found


def _line(row: dict[str, Any], first: dict[str, Any]) -> str:
    cpu = ", ".join(f"{role} {figure:.1f}" for role, figure in row["cpu_s_per_million"].items())
    idle = ", ".join(f"{role} {figure:.3f}" for role, figure in row["idle_cores"].items())
    return (
        f"{row['name']:>9}: acknowledged {row['acknowledged_s']:>9,.0f}/s "
        f"({row['acknowledged_s'] / first['acknowledged_s']:.2f}), evaluated {row['evaluated_s']:>9,.0f}/s "
        f"({row['evaluated_s'] / first['evaluated_s']:.2f}), backlog {row['backlog_at_end']:,}, "
        f"refused {row['refused']}, 202 after p50 {row['p50_ms']:.1f} p99 {row['p99_ms']:.1f} ms; "
        f"CPU s a million: {cpu}; idle cores: {idle}; "
        f"page after p50 {row['page_p50_ms']:.1f} p99 {row['page_p99_ms']:.1f} ms ({row['arrived']}/{row['pages']})"
    )


def main() -> None:
    """Measure, print and write all of it."""
    parser = results.options(__doc__, full="4 min", quick="1.5 min")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--batch", type=int, default=500)
    options = parser.parse_args()
    seconds = options.seconds or (4.0 if options.quick else 15.0)
    cells: list[int | None] = [None, 0, *INGEST_NODES]
    found = measure(cells, batch=options.batch, seconds=seconds, count=40 if options.quick else 200)
    results.write(
        NAME, {"batch": options.batch, "seconds": seconds, "cells": found}, quick=options.quick, out=options.out
    )


if __name__ == "__main__":
    main()
