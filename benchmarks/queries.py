"""GET /v1/events among ten million events: how long a question takes, and what the index of failures costs.

The log is written as the core writes it (`event_log.append`, `failures.add`, one transaction
for up to 64 batches), without HTTP; then the indexer sorts, then each question is asked on
a reader's connection: once on a new one, then `--repeats` times.
Usage: python -m benchmarks.queries [--events 10000000] [--batch 500] [--failing 0.03] [--repeats 20] [--export]
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from claxon.event import Event, complete, to_wire

from alerts.matchers import parse_matcher
from service.search.asking import AT_MOST_S
from service.search.indexer import Indexer
from service.search.looking import search
from service.search.places import START, Cursor
from service.search.wanted import Outcome, Wanted
from service.storage import event_log, failures
from service.storage.database import ReadTransaction, Transaction, open_database, open_reader

BEGAN = 1_790_000_000.0
EVENTS_A_SECOND = 2_000
APPS, PATHS, MODELS = 20, 7, ("claude-sonnet-5", "claude-haiku-5")
FAULTS = [("api_error", 500), ("overloaded_error", 529), ("rate_limit_error", 429), ("timeout_error", 408)]
GROUP = 64

_FORM = (
    '{"time":%.3f,"app":"app-%d","environment":"prod","path":"/chat/%d","model":"%s","attempt":1,"max_attempts":3,'
    '"final":true,"tokens":1024,"input_tokens":%d,"output_tokens":%d,"duration_ms":%d.5,"request_id":"req_%024x",'
    '"call_id":"%032x","trace_id":"%032x",%s}'
)


class Writer:
    """Stands for the core: what is submitted runs at once."""

    def __init__(self, folder: Path) -> None:
        self.connection = open_database(folder)
        self.noting_s = 0.0

    def submit(self, function: Callable[[], Any]) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(function())
        return done


def texts(n: int, *, failing: float, seed: int = 1) -> Iterator[tuple[float, bool, str]]:
    """Yield events as they are posted, about 370 bytes each: instant, whether it failed, JSON."""
    r = random.Random(seed)
    bits, chance = r.getrandbits, r.random
    for i in range(n):
        at = BEGAN + i / EVENTS_A_SECOND
        failed = chance() < failing
        fault, status = FAULTS[i % 4]
        said = f'"status":{status},"error_type":"{fault}"' if failed else '"status":200'
        yield (
            at,
            failed,
            _FORM
            % (
                at - chance() * 5,
                bits(30) % APPS,
                bits(30) % PATHS,
                MODELS[bits(1)],
                bits(12),
                bits(10),
                bits(11),
                i,
                bits(128),
                bits(128),
                said,
            ),
        )


def fill(writer: Writer, n: int, *, batch: int, failing: float) -> float:
    """Write the log; return how long the appending alone took."""
    spent = 0.0
    waiting: list[tuple[bytes, list[tuple[int, Event]], float, int]] = []
    members: list[str] = []
    failed: list[tuple[int, Event]] = []
    decode = msgspec.json.Decoder(Event).decode
    for at, bad, text in texts(n, failing=failing):
        if bad:
            failed.append((len(members), complete(decode(text), received_at=at)))
        members.append(text)
        if len(members) == batch:
            body = event_log.compress(("[" + ",".join(members) + "]").encode())
            waiting.append((body, failed, at, batch))
            members, failed = [], []
        if len(waiting) == GROUP:
            spent += _commit(writer, waiting)
            waiting = []
    return spent + _commit(writer, waiting)


def _commit(writer: Writer, waiting: list[tuple[bytes, list[tuple[int, Event]], float, int]]) -> float:
    begin, noting, clock = time.perf_counter(), 0.0, time.perf_counter
    with Transaction(writer.connection):
        for body, failed, at, n in waiting:
            row = event_log.LoggedBatch(received_at=at, observed_at=at, app="default", n=n, body=b"")
            offset = event_log.append(writer.connection, row, body)
            if failed:
                since = clock()
                failures.add(writer.connection, offset, failed, of=n)
                noting += clock() - since
    writer.noting_s += noting
    return clock() - begin


def questions(n: int, some: Event) -> dict[str, tuple[Wanted, Cursor | None]]:
    """Return what is asked, by name; `some` is a failure from the middle of the log."""
    middle = BEGAN + n / EVENTS_A_SECOND / 2
    end = BEGAN + n / EVENTS_A_SECOND
    page = parse_matcher('status=~"5.."')
    alert = Wanted(app="app-3", environment="prod", since=middle, until=middle + 300, matchers=(page,))
    return {
        "newest failures": (Wanted(), None),
        "of an app": (Wanted(app="app-7"), None),
        "of app, path, category": (Wanted(app="app-7", path="/chat/3", category="overloaded"), None),
        "of an app that never failed": (Wanted(app="app-99"), None),
        "a request id": (Wanted(request_id=some.request_id), None),
        "a call id": (Wanted(call_id=some.call_id), None),
        "a request id that is not there": (Wanted(request_id="req_nobody"), None),
        "an hour in the middle": (Wanted(since=middle, until=middle + 3600), None),
        "behind an alert": (alert, None),
        "the oldest page": (Wanted(), Cursor(BEGAN + 60, START[1], 0, -1)),
        "a status and a model": (Wanted(status=429, model=MODELS[0], until=end - 600), None),
        "what never comes together": (Wanted(status=500, error_type="overloaded_error"), None),
        "successes, newest": (Wanted(outcome=Outcome.OK), None),
    }


def ask(connection: sqlite3.Connection, wanted: Wanted, after: Cursor | None) -> tuple[float, float, int]:
    """Return how long one question took, of which on the processor, and how many events it found; as far as JSON."""
    begin, cpu = time.perf_counter(), time.thread_time()
    with ReadTransaction(connection):
        answer = search(
            connection, wanted, limit=100, after=after, over=lambda: time.perf_counter() > begin + AT_MOST_S
        )
    msgspec.json.encode([to_wire(one.event) for one in answer.found])
    return time.perf_counter() - begin, time.thread_time() - cpu, len(answer.found)


def sizes(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the bytes of the tables."""
    names = ("event_log", "failures_new", "failure_segments", "failure_blocks", "failure_terms")
    query = "SELECT pageno FROM dbstat WHERE name = ? AND aggregate = TRUE"
    page = connection.execute("PRAGMA page_size").fetchone()[0]
    return {name: page * int(connection.execute(query, (name,)).fetchone()[0]) for name in names}


def measure(options: argparse.Namespace, folder: Path) -> None:
    """Print the figures of one log."""
    writer, n = Writer(folder), options.events
    spent = fill(writer, n, batch=options.batch, failing=options.failing)
    failed, noting = n * options.failing, writer.noting_s
    print(f"{n:,} events in batches of {options.batch:,}, {options.failing:.0%} failing")
    print(f"  log: {spent / n * 1e6:.2f} us/event; of it noting failures {noting / n * 1e6:.3f} us/event,", end=" ")
    print(f"{noting / failed * 1e6:.2f} us/failure, {noting / (n / options.batch) * 1e6:.1f} us/batch")
    reader = open_reader(folder)
    _sort(writer, reader, failed)
    for name, size in sizes(reader).items():
        print(f"  {name:>17} {size / 1e6:>9.1f} MB, {size / n:>6.1f} B/event")
    with ReadTransaction(reader):
        middle = Wanted(until=BEGAN + n / EVENTS_A_SECOND / 2)
        some = search(reader, middle, limit=1, after=None, over=lambda: False).found[0].event
    worst = 0.0
    for name, (wanted, after) in questions(n, some).items():
        with contextlib.closing(open_reader(folder)) as cold:
            first, _, count = ask(cold, wanted, after)
        took = [ask(reader, wanted, after) for _ in range(options.repeats)]
        walls, cpus = sorted(wall for wall, *_ in took), sorted(cpu for _, cpu, _ in took)
        if wanted.indexed:
            worst = max(worst, median(walls))
        said = f"first {first * 1e3:6.1f} ms, p50 {median(walls) * 1e3:6.1f}, max {walls[-1] * 1e3:6.1f}"
        print(f"  {name:>31}: {said}, CPU {median(cpus) * 1e3:6.1f} ms  ({count} found)")
    print(f"  worst p50 of the questions for failures: {worst * 1e3:.1f} ms = {worst / 0.05:.2f} x 50 ms")
    reader.close()
    writer.connection.close()
    for name in ("all.parquet", "all.ndjson.zst") if options.export else ():
        export(folder, name)


def export(folder: Path, name: str) -> None:
    """Print how long `claxon export` takes, and the most memory that it has."""
    file, begin = folder / name, time.perf_counter()
    command = [sys.executable, "-m", "service", "export", "--data", str(folder), str(file)]
    export = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(export.pid, 0)
    assert status == 0, status
    said = f"{time.perf_counter() - begin:.1f} s, {file.stat().st_size / 1e6:.1f} MB"
    print(f"  export to {name}: {said}, at most {used.ru_maxrss / 1024:.0f} MB of memory")


def _sort(writer: Writer, reader: sqlite3.Connection, failed: float) -> None:
    indexer = Indexer(writer, lambda: reader)
    begin, cpu = time.perf_counter(), time.thread_time()
    while indexer.step(reader):
        pass
    cpu, took = time.thread_time() - cpu, time.perf_counter() - begin
    waiting = sum(n for _, n in failures.waiting(reader, rows=10**9))
    print(f"  sorting: {cpu / failed * 1e6:.2f} us CPU/failure ({took:.1f} s); {waiting:,} wait to be sorted")


def main() -> None:
    """Print one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--failing", type=float, default=0.03)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--export", action="store_true", help="also export all of it; needs pyarrow")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(options, Path(folder))


if __name__ == "__main__":
    main()
