"""A core on a database in a folder, with a clock wound by hand, that can be killed at any point."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from alerts.config import RetentionConfig
from alerts.default_rules import DEFAULT_RULES
from alerts.inhibition import DEFAULT_INHIBIT_RULES, InhibitRule
from alerts.notifier import Notifier
from alerts.routes import Route
from alerts.rules import Rule
from service.clock import monotonic
from service.core import Core
from service.decoding import decode
from service.retention import Gone, Retention
from service.storage.database import open_database
from service.work import Ingest

NOON = 1_700_000_000.0
Row = tuple[Any, ...]


class Bench:
    """A core on a database in a folder, with a clock wound by hand."""

    def __init__(self, folder: Path, kind: type[Core] = Core, *, rules: Iterable[Rule] = DEFAULT_RULES) -> None:
        self.folder = folder
        self.kind = kind
        self.rules = tuple(rules)
        self.inhibit_rules: tuple[InhibitRule, ...] = DEFAULT_INHIBIT_RULES
        self.receiver = "on-call"
        self.now = NOON
        self.steady = 0.0
        self.core = self._start()

    def _start(self) -> Core:
        notifier = Notifier(Route(receiver=self.receiver), self.inhibit_rules, external_url="http://127.0.0.1:1")
        connection = open_database(self.folder)
        # What is killed here is a thread: the machine keeps its power, and need not wait for the disk.
        connection.execute("PRAGMA synchronous = OFF")
        core = self.kind(
            connection,
            self.rules,
            notifier,
            clock=lambda: self.now,
            targets=lambda n: [f"{n.receiver}/webhook/0"],
            steady=lambda: self.steady,
        )
        core.start()
        return core

    def wait(self, seconds: float) -> None:
        """Let time pass, evaluated as often as in life, or nearly."""
        while seconds > 0:
            step = min(seconds, 30.0)
            self.now += step
            self.steady += step
            seconds -= step
            self.ask(self.core.tick)

    def post(self, events: list[dict[str, Any]]) -> None:
        batch = decode(msgspec.json.encode(events), ndjson=False, received_at=self.now, app="default")
        self.core.ingest(Ingest(batch=batch, received_at=self.now, app="default", key=None)).result(10)
        self.settle()

    def settle(self) -> None:
        self.ask(lambda: None)

    def ask(self, function: Callable[[], Any]) -> Any:
        return self.core.submit(function).result(10)

    def crash(self) -> None:
        """End without a snapshot and without finishing anything, as kill -9 does; then start again."""
        self.core._queue.put(None)
        self.core._thread.join()
        self.core.connection.close()
        self.core = self._start()

    def close(self) -> None:
        self.core.stop()

    def rows(self, query: str) -> list[Row]:
        found: list[Row] = self.ask(lambda: self.core.connection.execute(query).fetchall())
        return found

    def hash(self) -> tuple[str, int]:
        """Return the engine's ledger hash, and how many decisions it covers."""
        found: tuple[str, int] = self.ask(lambda: (self.core.engine.ledger_hash, self.core.engine.decided))
        return found

    def told(self) -> list[Row]:
        return self.rows("SELECT dedup_key, status, created_at FROM outbox ORDER BY id")

    def ledger(self) -> list[Row]:
        return self.rows("SELECT at, what, subject, row FROM ledger ORDER BY id")


Action = tuple[str, Any]


def timetable(seed: int) -> list[Action]:
    """Two hours of an app: quiet, a streak, a rejected key, an outage, silence, recovery."""
    r = random.Random(seed)
    steps: list[Action] = []
    for minute in range(120):
        bad = 25 <= minute < 40
        for _ in range(r.randint(1, 4)):
            steps.append(("wait", r.choice([0.3, 1.0, 7.0, 11.0])))
            events = []
            for _ in range(r.randint(1, 12)):
                failed = r.random() < (0.5 if bad else 0.01)
                status = 200 if not failed else r.choice([500, 529, 429, 401 if minute == 33 else 500])
                known = {"max_attempts": 3, "attempt": r.choice([1, 3])} if r.random() < 0.6 else {}
                call = {"call_id": f"c{r.randint(0, 40)}"} if r.random() < 0.7 else {}
                app = r.choice(["shop", "cart"])
                events.append({"model": r.choice("ab"), "app": app, "status": status} | known | call)
            if not 70 <= minute < 80:
                steps.append(("post", events))
        steps += [("wait", 5.0), ("tick", None)]
        if r.random() < 0.1:
            steps.append(("snapshot", None))
    return [*steps, ("wait", 1200.0), ("tick", None)]


def run(bench: Bench, steps: list[Action], crash_at: Callable[[int], bool]) -> None:
    for i, (name, what) in enumerate(steps):
        match name:
            case "wait":
                bench.now += what
                bench.steady += what
            case "post":
                bench.post(what)
            case "tick":
                bench.ask(bench.core.tick)
            case "snapshot":
                bench.ask(bench.core.snapshot)
        if crash_at(i):
            bench.crash()


def prune(bench: Bench, *, age_s: float = 30 * 86_400.0, size: int | None = None) -> Gone:
    """Have all go that is older or more than this, as the service does."""
    kept = RetentionConfig(age_s=age_s, size=size)
    return Retention(bench.core, keep=lambda: kept, clock=lambda: bench.now, steady=monotonic).round()
