"""Retention deletes the oldest first, in slices, and never what a restart or the proof needs."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from service.cli import main
from service.proof import prove
from service.retention import SLICE_S
from service.search.indexer import Indexer
from service.storage import retention
from service.storage.database import open_reader
from tests.support.bench import Bench, prune

DAY = 86_400
MB = 1024 * 1024


def events(number: int, *, n: int = 4) -> list[dict[str, Any]]:
    failed, more = {"status": 500}, {"model": "m", "app": f"app-{number % 3}"}
    # Hashes: they do not get smaller by compressing.
    ids = [sha256(f"{number}/{i}".encode()).hexdigest() for i in range(n)]
    return [more | (failed if i == 0 else {"status": 200}) | {"request_id": name} for i, name in enumerate(ids)]


def test_what_is_too_old_goes_and_the_rest_stays(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    gone = []
    for number in range(40):
        bench.post(events(number))
        bench.ask(bench.core.snapshot)
        gone.append(prune(bench, age_s=5 * DAY).events)
        bench.now += DAY / 4

    kept, n = bench.rows("SELECT min(observed_at), sum(n) FROM event_log WHERE n > 0")[0]
    assert bench.now - 6 * DAY <= kept <= bench.now - 5 * DAY
    assert sum(gone) + n == 40 * 4
    assert bench.rows("SELECT count(*) FROM failures_new WHERE offset < (SELECT min(offset) FROM event_log)") == [(0,)]
    bench.close()


def test_a_service_that_heard_nothing_for_longer_than_the_log_is_kept_goes_on_where_it_was(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.post([{"model": "m", "app": "shop", "status": 401}])
    bench.ask(bench.core.snapshot)
    before = bench.core.source.offset
    bench.now += 40 * DAY
    prune(bench)

    bench.post([{"model": "m", "app": "cart", "status": 401}])
    bench.crash()

    assert bench.core.source.offset > before
    assert "cart" in {alert.labels["app"] for alert in bench.ask(bench.core.engine.firing)}
    bench.close()


def test_a_database_that_grew_over_its_size_is_cut_and_can_still_be_proved_and_started(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    limit = 3 * MB // 2
    for number in range(400):
        bench.post(events(number, n=100))
        bench.wait(1)
        if number % 20 == 0:
            bench.ask(bench.core.snapshot)
            prune(bench, size=limit)
    prune(bench, size=limit)
    size = bench.ask(lambda: retention.size(bench.core.connection))
    live = bench.hash()
    anchors = bench.rows("SELECT count(*) FROM snapshots")[0][0]
    first = bench.rows("SELECT min(offset) FROM event_log")[0][0]
    bench.crash()

    assert first > 50
    assert size.used <= limit
    assert 2 <= anchors <= 12
    assert bench.ask(lambda: bench.core.tally.diverged) == 0
    bench.close()
    reader = open_reader(tmp_path)
    proof = prove(reader)
    reader.close()
    assert proof.same
    assert proof.decisions >= live[1]
    assert main(["verify", "--data", str(tmp_path)]) == 0


def test_a_limit_that_cannot_be_kept_deletes_nothing_that_a_restart_needs(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for number in range(30):
        bench.post(events(number))
    bench.ask(bench.core.snapshot)
    bench.wait(1)
    bench.post([{"model": "m", "app": "shop", "status": 401}])
    bench.ask(bench.core.snapshot)
    bench.post([{"model": "m", "app": "cart", "status": 401}])

    prune(bench, size=1)

    assert len(bench.rows("SELECT 1 FROM snapshots")) == 2
    bench.crash()
    assert {"shop", "cart"} <= {alert.labels["app"] for alert in bench.ask(bench.core.engine.firing)}
    bench.close()


def test_the_index_of_failures_goes_with_the_log(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    reader = open_reader(tmp_path)
    indexer = Indexer(bench.core, lambda: reader, enough=5, rows=5, block=2)
    for number in range(40):
        bench.post(events(number))
        bench.ask(bench.core.snapshot)
        prune(bench)
        bench.now += DAY
    while indexer.step(reader):
        pass
    before = bench.rows("SELECT count(*) FROM failure_segments")[0][0]
    reader.close()

    prune(bench, age_s=10 * DAY)

    first = bench.rows("SELECT min(offset) FROM event_log")[0][0]
    segments = bench.rows("SELECT id, last FROM failure_segments")
    assert before >= 5
    assert 0 < len(segments) < before
    assert all(last >= first for _, last in segments)
    for table in ("SELECT DISTINCT id / 256 FROM failure_blocks", "SELECT DISTINCT segment FROM failure_terms"):
        assert {row[0] for row in bench.rows(table)} == {number for number, _ in segments}
    bench.close()


def test_keys_and_ids_that_make_a_repost_harmless_are_remembered_for_a_day(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.post([{"model": "m", "status": 200, "event_id": f"old-{i}"} for i in range(50)])
    bench.now += DAY - 1
    bench.post([{"model": "m", "status": 200, "event_id": "new"}])

    prune(bench)
    at_first = len(bench.rows("SELECT 1 FROM event_ids"))
    bench.now += 2
    prune(bench)

    assert at_first == 51
    assert bench.rows("SELECT count(*) FROM event_ids") == [(1,)]
    bench.close()


def test_free_pages_are_given_back_but_for_a_few(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    connection = bench.core.connection
    bench.ask(lambda: connection.execute("CREATE TABLE heap (body BLOB)"))
    bench.ask(lambda: connection.executemany("INSERT INTO heap VALUES (zeroblob(1000000))", [()] * 60))
    bench.ask(lambda: connection.execute("DELETE FROM heap"))
    before = bench.ask(lambda: retention.size(connection))

    prune(bench)

    after = bench.ask(lambda: retention.size(connection))
    assert before.free > 55_000_000
    assert after.free <= 17_000_000
    assert after.used <= before.used
    bench.close()


def test_the_core_takes_what_comes_between_two_slices(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    for number in range(300):
        bench.post(events(number))
    bench.ask(bench.core.snapshot)
    bench.now += 40 * DAY
    bench.post(events(0))
    bench.ask(bench.core.snapshot)
    slices = 0
    submit = bench.core.submit

    def counted(function: Any) -> Any:
        nonlocal slices
        slices += 1
        assert bench.core.waiting == 0
        return submit(function)

    bench.core.submit = counted  # type: ignore[method-assign]
    gone = prune(bench)

    assert gone.rows >= 300
    assert slices > 5
    assert SLICE_S < 0.005
    bench.close()


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--retention-age", "soon"], "--retention-age: 'soon': not a duration"),
        (["--retention-age", "5m"], "--retention-age: 5m: at least 1h"),
        (["--retention-size", "20"], "--retention-size: '20': not a size: write a whole number and a unit"),
        (["--retention-size", "1MB"], "--retention-size: 1MB: at least 64MB"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused(
    flags: list[str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--data", str(tmp_path), *flags]) == 2

    assert says in capsys.readouterr().err
