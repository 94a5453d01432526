"""The core: what is decided survives a crash at any point, and is told once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from service.core import Core
from service.storage.database import StorageError, open_database
from tests.support.bench import Bench, prune, run, timetable


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
    bench.wait(3660)

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

    prune(bench, age_s=50)

    assert bench.rows("SELECT n FROM event_log WHERE n > 0") == [(1,)]
    bench.crash()
    assert len(bench.ask(bench.core.engine.firing)) == 2
    bench.close()
