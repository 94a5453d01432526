"""The core: what is decided survives a crash at any point, and is told once."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from alerts.default_rules import DEFAULT_RULES
from alerts.inhibition import DEFAULT_INHIBIT_RULES
from alerts.notifier import Notifier
from alerts.routes import Route
from service.core import Core, Ingest
from service.decoding import decode
from service.storage.database import StorageError, open_database

NOON = 1_700_000_000.0
Row = tuple[Any, ...]


class Bench:
    """A core on a database in a folder, with a clock wound by hand."""

    def __init__(self, folder: Path, kind: type[Core] = Core) -> None:
        self.folder = folder
        self.kind = kind
        self.now = NOON
        self.core = self._start()

    def _start(self) -> Core:
        notifier = Notifier(Route(receiver="on-call"), DEFAULT_INHIBIT_RULES, external_url="http://127.0.0.1:1")
        core = self.kind(
            open_database(self.folder),
            DEFAULT_RULES,
            notifier,
            clock=lambda: self.now,
            targets=lambda n: [f"{n.receiver}/webhook/0"],
        )
        core.start()
        return core

    def post(self, events: list[dict[str, Any]]) -> None:
        batch = decode(msgspec.json.encode(events), ndjson=False, received_at=self.now, app="default")
        self.core.ingest(Ingest(batch=batch, received_at=self.now, app="default", key=None, answer="")).result(10)
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
            case "post":
                bench.post(what)
            case "tick":
                bench.ask(bench.core.tick)
            case "snapshot":
                bench.ask(bench.core.snapshot)
        if crash_at(i):
            bench.crash()


@pytest.mark.parametrize("seed", range(3))
def test_a_service_that_crashes_all_the_time_decides_and_tells_what_one_that_never_does_tells(
    tmp_path: Path, seed: int
) -> None:
    steps = timetable(seed)
    calm, wild = Bench(tmp_path / "calm"), Bench(tmp_path / "wild")
    chance = random.Random(seed + 100)

    run(calm, steps, lambda _: False)
    run(wild, steps, lambda _: chance.random() < 0.15)
    calm.ask(calm.core.tick)
    wild.ask(wild.core.tick)

    assert len(calm.told()) >= 6
    assert wild.told() == calm.told()
    assert sorted(wild.ledger()) == sorted(calm.ledger())
    calm.close()
    wild.close()


class Doomed(Core):
    """A core that dies once, after the log's commit and before the decisions' one."""

    doomed = False

    def _commit_pending(self) -> None:
        if Doomed.doomed:
            raise RuntimeError("the power fails")
        super()._commit_pending()


def test_a_page_decided_but_not_committed_when_the_power_failed_is_told_after_the_restart(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Doomed)
    Doomed.doomed = True
    bench.post([{"model": "m", "app": "shop", "status": 401}])
    assert bench.told() == []
    Doomed.doomed = False

    bench.crash()

    assert [row[:2] for row in bench.told()] == [(bench.told()[0][0], "firing")]
    assert len(bench.told()) == 1
    bench.close()


def test_decisions_that_could_not_be_written_are_written_by_the_next_tick(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Doomed)
    Doomed.doomed = True
    bench.post([{"model": "m", "app": "shop", "status": 401}])
    Doomed.doomed = False
    bench.now += 1

    bench.ask(bench.core.tick)

    assert [row[1] for row in bench.told()] == ["firing"]
    bench.close()


def test_nobodys_silence_is_counted_while_claxon_was_down(tmp_path: Path) -> None:
    """An alert of a key that nobody could hear for three hours must not be closed as stale at the restart."""
    bench = Bench(tmp_path)
    bench.post([{"model": "m", "app": "shop", "status": 401}])
    bench.now += 3 * 3600

    bench.crash()
    bench.now += 60
    bench.ask(bench.core.tick)

    assert [row[1] for row in bench.told()] == ["firing"]
    assert len(bench.ask(bench.core.engine.firing)) == 1
    bench.close()


def test_a_firing_alert_whose_key_stays_silent_for_an_hour_is_closed_and_says_so(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.post([{"model": "m", "app": "shop", "status": 401}])
    for _ in range(61):
        bench.now += 60
        bench.ask(bench.core.tick)

    assert [row[1] for row in bench.told()] == ["firing", "resolved"]
    resolved = next(row for row in bench.ledger() if row[1] == "resolved")
    assert '"note":"stale"' in resolved[3]
    bench.close()


def test_a_snapshot_that_cannot_be_read_is_passed_over_for_the_log(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.post([{"model": "m", "app": "shop", "status": 401}])
    bench.ask(bench.core.snapshot)
    bench.ask(lambda: bench.core.connection.execute("UPDATE snapshots SET body = x'00'"))

    bench.crash()

    assert len(bench.ask(bench.core.engine.firing)) == 1
    assert len(bench.told()) == 1
    bench.close()


def test_a_clock_that_goes_back_neither_stops_nor_repeats_anything(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.post([{"model": "m", "app": "shop", "status": 401}])
    bench.now -= 30

    bench.post([{"model": "m", "app": "cart", "status": 401}])
    bench.ask(bench.core.tick)

    assert [row[1] for row in bench.told()] == ["firing", "firing"]
    bench.close()


def test_a_second_claxon_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    bench = Bench(tmp_path)

    with pytest.raises(StorageError, match="another Claxon runs on it"):
        open_database(tmp_path)
    bench.close()


def test_a_database_of_a_newer_claxon_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    connection = open_database(tmp_path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(StorageError, match="made by a newer Claxon"):
        open_database(tmp_path)


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "claxon.sqlite3").write_bytes(b"my precious notes" * 1000)

    with pytest.raises(StorageError, match="not a database"):
        open_database(tmp_path)
    assert (tmp_path / "claxon.sqlite3").read_bytes().startswith(b"my precious notes")


def test_pruning_keeps_what_a_restart_needs(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.post([{"model": "m", "app": "shop", "status": 401}])
    bench.ask(bench.core.snapshot)
    bench.now += 100
    bench.post([{"model": "m", "app": "cart", "status": 401}])
    bench.now += 100

    bench.ask(lambda: bench.core.prune(keep_s=50))

    assert len(bench.rows("SELECT 1 FROM event_log")) == 1
    bench.crash()
    assert len(bench.ask(bench.core.engine.firing)) == 2
    bench.close()
