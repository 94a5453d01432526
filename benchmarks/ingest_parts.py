"""Where the time of ingest goes: each part alone, in one thread, in microseconds an event.

The same bodies, the same functions as in the service, one after another: decode, complete,
compress, insert, commit (the disk), evaluate, measure for /metrics (each event, as up to 20,000 a
second, or a share, as beyond). The reference is bare msgspec decoding in the same
run. HTTP is what a server that only reads the body and answers costs: CPU of its process.
Usage: python -m benchmarks.ingest_parts [--batch 500] [--group 4] [--seconds 4] [--failing 0.03]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from claxon.event import Event, complete_all

from alerts.evaluator import Engine
from benchmarks.bodies import bare_decode_rate, json_bodies, json_requests
from benchmarks.driving import drive
from benchmarks.records import make_events
from benchmarks.sending import Plan
from benchmarks.server import free_port
from service.config_file import load_config
from service.decoding import decode
from service.measures import EXACT, Measures
from service.storage import event_log, failures
from service.storage.database import Transaction, open_database
from service.storage.event_log import LoggedBatch


class Parts:
    """Seconds by part."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Count what is done inside."""
        begin = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begin


def parts_of(batch: int, group: int, seconds: float, failing: float) -> dict[str, float]:
    """Return microseconds an event, by part."""
    parts, n = Parts(), 0
    engine, each, share = Engine(load_config(None).rules), Measures(), Measures()
    share.take([Event(model="m", app="a")] * EXACT, 1.0)
    with tempfile.TemporaryDirectory() as folder:
        connection = open_database(Path(folder))
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            bodies = [json.dumps(make_events(batch, seed=n + i, failing=failing)).encode() for i in range(group)]
            now = time.time()
            with parts.of("decode and complete"):
                batches = [decode(body, ndjson=False, received_at=now, app="default") for body in bodies]
            with parts.of("of this: complete"):
                for taken in batches:
                    complete_all(taken.events, received_at=now)
            with parts.of("compress"):
                stored = [event_log.compress(body) for body in bodies]
            transaction = Transaction(connection)
            with parts.of("insert"):
                transaction.begin()
                for taken, body in zip(batches, stored, strict=True):
                    row = LoggedBatch(received_at=now, observed_at=now, app="default", n=batch, body=b"")
                    offset = event_log.append(connection, row, body)
                    failed = [(i, taken.events[i]) for i in taken.others if taken.events[i].category != "ok"]
                    if failed:
                        failures.add(connection, offset, failed, of=batch)
            with parts.of("commit"):
                transaction.commit()
            with parts.of("evaluate"):
                for taken in batches:
                    engine.observe(taken.events, now)
            with parts.of("measure each"):
                for taken in batches:
                    # Each in a second of its own: few enough for that.
                    each.take(taken.events, n + now)
                    now += 1
            with parts.of("measure a share"):
                for taken in batches:
                    share.take(taken.events, 1.0)
            with parts.of("free"):
                del batches, taken, failed
            n += batch * group
        connection.close()
    return {name: spent / n * 1e6 for name, spent in parts.seconds.items()}


async def _swallow(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 202, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


def _serve(port: int) -> None:
    uvicorn.run(_swallow, port=port, log_level="critical", access_log=False, lifespan="off")


def http_alone(batch: int, seconds: float) -> float:
    """Return the CPU microseconds an event of a server that throws the bodies away."""
    port = free_port()
    server = multiprocessing.Process(target=_serve, args=(port,))
    server.start()
    try:
        time.sleep(1.5)
        requests = json_requests(20 * batch, batch, port=port)
        sent, use = drive(Plan(port=port, requests=requests, connections=2, seconds=seconds), server.pid or 0)
        return use.cpu_s / (len(sent.taken) * batch) * 1e6
    finally:
        server.terminate()
        server.join()


def main() -> None:
    """Print one run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--group", type=int, default=4, help="batches that share a commit")
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--failing", type=float, default=0.03)
    options = parser.parse_args()
    records = make_events(20 * options.batch, seed=1)
    bare = 1e6 / bare_decode_rate(json_bodies(records, options.batch), len(records))
    found = {"bare msgspec": bare} | parts_of(options.batch, options.group, options.seconds, options.failing)
    found["HTTP alone, CPU"] = http_alone(options.batch, options.seconds)
    for name, spent in found.items():
        print(f"{name:>20}  {spent:6.3f} us an event  {spent / bare:5.2f} of bare")


if __name__ == "__main__":
    main()
