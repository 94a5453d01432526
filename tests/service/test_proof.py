"""A replay of the log decides what was decided live, hash for hash."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from service.cli import main
from service.core import Core
from service.proof import prove
from service.storage.database import StorageError, open_reader
from service.storage.event_log import PIECE, read_in_pieces
from tests.support.bench import Bench, prune, run, timetable


def proved(folder: Path) -> tuple[bool, int]:
    """Return whether a stopped service's log proves its ledger, and how many decisions there were."""
    connection = open_reader(folder)
    proof = prove(connection)
    connection.close()
    return proof.same, proof.decisions


@pytest.mark.parametrize("seed", range(6))
def test_the_hash_of_a_replay_is_the_live_one_however_often_the_service_crashed(tmp_path: Path, seed: int) -> None:
    steps = timetable(seed)
    calm, wild = Bench(tmp_path / "calm"), Bench(tmp_path / "wild")
    chance = random.Random(seed + 100)

    run(calm, steps, lambda _: False)
    run(wild, steps, lambda _: chance.random() < 0.2)
    wild.ask(wild.core.tick)
    calm.ask(calm.core.tick)
    live = calm.hash()
    assert wild.hash() == live
    assert wild.ask(lambda: wild.core.tally.diverged) == 0
    calm.close()
    wild.close()

    assert live[1] > 100
    assert proved(tmp_path / "calm") == (True, live[1])
    assert proved(tmp_path / "wild") == (True, live[1])


def test_what_was_logged_and_not_committed_when_it_was_killed_is_no_difference(tmp_path: Path) -> None:
    class Doomed(Core):
        def _commit_pending(self) -> None:
            if self.tally.events > 1:
                raise RuntimeError("the power fails")
            super()._commit_pending()

    bench = Bench(tmp_path, Doomed)
    bench.post([{"model": "m", "app": "shop", "status": 401}])
    bench.wait(1)
    bench.post([{"model": "m", "app": "cart", "status": 401}])
    bench.core._queue.put(None)
    bench.core._thread.join()
    bench.core.connection.close()

    same, decisions = proved(tmp_path)

    assert same
    assert decisions >= 1


def test_a_log_whose_beginning_was_pruned_is_proved_from_its_oldest_snapshot(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for day in range(40):
        bench.post([{"model": "m", "app": f"app-{day}", "status": 401}, {"model": "m", "app": "x", "status": 500}])
        bench.wait(10)
        bench.ask(bench.core.snapshot)
        bench.now += 86_400
    prune(bench)
    live, kept = bench.hash(), bench.rows("SELECT min(offset), count(*) FROM event_log")[0]
    bench.close()

    assert kept[0] > 1
    assert kept[1] >= 30
    assert proved(tmp_path) == (True, live[1])
    assert main(["verify", "--data", str(tmp_path)]) == 0


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM event_log WHERE offset = 3",
        "UPDATE event_log SET observed_at = observed_at + 3 WHERE offset = 3",
        "UPDATE event_log SET body = (SELECT body FROM event_log WHERE offset = 2) WHERE offset = 3",
    ],
)
def test_a_log_that_was_changed_is_found_out(tmp_path: Path, change: str, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tmp_path)
    for app in ("shop", "cart", "search"):
        bench.post([{"model": "m", "app": app, "status": 401}])
        bench.wait(10)
    bench.ask(lambda: bench.core.connection.execute(change))
    bench.close()

    assert main(["verify", "--data", str(tmp_path)]) == 1
    assert "NOT the same" in capsys.readouterr().out


def test_a_restart_says_that_it_decided_otherwise_and_goes_on(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.post([{"model": "m", "app": "shop", "status": 401}])
    bench.wait(5)
    bench.ask(lambda: bench.core.connection.execute("UPDATE cursor SET hash = 'another'"))

    bench.crash()

    assert bench.ask(lambda: bench.core.tally.diverged) == 1
    assert len(bench.ask(bench.core.engine.firing)) == 1
    bench.close()


def test_a_running_service_is_verified_and_goes_on_meanwhile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(tmp_path)
    bench.post([{"model": "m", "app": "shop", "status": 401}])
    bench.wait(5)

    assert main(["verify", "--data", str(tmp_path)]) == 0
    assert "the same" in capsys.readouterr().out

    bench.post([{"model": "m", "app": "cart", "status": 401}])
    bench.wait(5)
    assert main(["verify", "--data", str(tmp_path)]) == 0
    bench.close()


def test_a_log_that_is_pruned_while_it_is_verified_is_no_log_that_was_changed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for _ in range(PIECE + 10):
        bench.post([{"model": "m", "app": "shop", "status": 200}])
    bench.wait(5)
    reader = open_reader(tmp_path)
    rows = read_in_pieces(reader, 0, PIECE + 10)
    next(rows)

    bench.ask(lambda: bench.core.connection.execute("DELETE FROM event_log WHERE offset <= ?", (PIECE + 5,)))

    with pytest.raises(StorageError, match="pruned while it was read"):
        list(rows)
    reader.close()
    bench.close()


def test_a_folder_without_a_log_is_said_to_have_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", "--data", str(tmp_path / "typo")]) == 2

    assert "not there" in capsys.readouterr().err
