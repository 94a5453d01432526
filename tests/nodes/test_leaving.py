"""A process whose database cannot be written any more answers who waits, and ends with a status that says why."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.leaving import CORRUPT, LOST, Leaving
from service.storage.corruption import marked
from service.storage.errors import (
    ConnectionLostError,
    DamagedError,
    DatabaseError,
    EngineError,
    FencedError,
    FullError,
    LostError,
)
from tests.support.bench import Bench


class Exit:
    """Instead of the end: which status it was."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.came = threading.Event()

    def __call__(self, status: int) -> None:
        self.statuses.append(status)
        self.came.set()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def leaving(bench: Bench, folder: Path) -> tuple[Leaving, Exit]:
    found, way_out = Leaving(bench.core, folder), Exit()
    found.leave = way_out
    return found, way_out


@pytest.mark.parametrize("fault", [FencedError("another node was elected"), ConnectionLostError("gone")])
def test_a_database_that_is_lost_is_left_with_75_and_not_marked(bench: Bench, tmp_path: Path, fault: LostError) -> None:
    _, way_out = leaving(bench, tmp_path)
    with capture_logs() as logs:
        bench.core.doubt(fault)
        bench.core.doubt(fault)
    assert way_out.came.wait(10)
    assert way_out.statuses == [LOST]
    assert [entry["event"] for entry in logs] == ["database.lost"]
    assert marked(tmp_path) == ""
    assert "another node" in bench.core.doubt.said
    with pytest.raises(LostError):
        bench.core.doubt.check()


def test_a_corrupt_database_is_marked_and_left_with_70(bench: Bench, tmp_path: Path) -> None:
    _, way_out = leaving(bench, tmp_path)
    bench.core.doubt(DamagedError("malformed"))
    assert way_out.came.wait(10)
    assert way_out.statuses == [CORRUPT]
    assert marked(tmp_path) == "malformed"
    with pytest.raises(DamagedError):
        bench.core.doubt.check()


@pytest.mark.parametrize("fault", [FullError("no space"), EngineError("syntax"), DatabaseError("locked"), OSError("x")])
def test_any_other_fault_is_no_reason_to_leave(bench: Bench, tmp_path: Path, fault: Exception) -> None:
    _, way_out = leaving(bench, tmp_path)
    bench.core.doubt(fault)
    bench.core.doubt.check()
    assert (way_out.statuses, bench.core.doubt.said) == ([], "")


def test_a_session_that_has_ended_is_noticed_though_nobody_writes(bench: Bench, tmp_path: Path) -> None:
    found, way_out = leaving(bench, tmp_path)
    found.look()
    assert way_out.statuses == []

    class Gone:
        def check(self) -> None:
            raise ConnectionLostError("the election's session has ended")

    kept, bench.core.connection = bench.core.connection, Gone()  # type: ignore[assignment]
    found.look()
    bench.core.connection = kept
    assert way_out.came.wait(10)
    assert way_out.statuses == [LOST]


def test_who_waits_for_a_lost_database_is_refused_at_once(bench: Bench, tmp_path: Path) -> None:
    leaving(bench, tmp_path)
    bench.core.doubt(FencedError("another node was elected"))
    with pytest.raises(LostError):
        bench.post([{"model": "m", "status": 200}])
