"""The indexer: whenever it is cut off, nothing is lost or shown twice, and the next start goes on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from service.search.indexer import Indexer
from service.search.looking import search
from service.search.wanted import Wanted
from service.storage import failures
from service.storage.database import ReadTransaction
from tests.support.event_rows import Rows, place
from tests.support.events import NOON


class Killed(Exception):
    """The process is gone."""


class Mortal:
    """Writes so many slices, then is killed before the next."""

    def __init__(self, rows: Rows, slices: int) -> None:
        self.connection = rows.connection
        self.left = slices

    def submit(self, function: Callable[[], Any]) -> Future[Any]:
        if self.left == 0:
            raise Killed
        self.left -= 1
        done: Future[Any] = Future()
        done.set_result(function())
        return done


def fill(folder: Path, *, noted: bool = True) -> Rows:
    rows = Rows(folder)
    for number in range(60):
        batch = [{"model": "m", "app": f"app-{i % 4}", "status": 500, "path": f"/{i % 3}"} for i in range(5)]
        rows.append([*batch, {"model": "m", "status": 200}], at=NOON + number, noted=noted)
    return rows


def found(rows: Rows) -> list[tuple[float, int, int]]:
    with ReadTransaction(rows.reader):
        answer = search(rows.reader, Wanted(), limit=1000, after=None, over=lambda: False)
    return [place(one) for one in answer.found]


def expected(rows: Rows) -> list[tuple[float, int, int]]:
    return sorted((place(one) for one in rows.every() if one.event.category != "ok"), reverse=True)


@pytest.mark.parametrize("slices", range(12))
@pytest.mark.parametrize("noted", [True, False])
def test_wherever_it_is_killed_every_failure_is_found_once_then_and_after_the_next_start(
    tmp_path: Path, slices: int, noted: bool
) -> None:
    rows = fill(tmp_path, noted=noted)
    mortal = Indexer(Mortal(rows, slices), lambda: rows.reader, enough=100, rows=25, block=3)
    try:
        while mortal.step(rows.reader):
            pass
    except Killed:
        pass

    assert found(rows) == expected(rows)

    again = Indexer(rows, lambda: rows.reader, enough=100, rows=25, block=3)
    while again.step(rows.reader):
        pass
    assert found(rows) == expected(rows)
    tables = "SELECT DISTINCT id / 256 FROM failure_blocks EXCEPT SELECT id FROM failure_segments"
    assert rows.connection.execute(tables).fetchall() == []
    rows.close()


def test_what_is_sorted_is_no_longer_kept_as_it_came(tmp_path: Path) -> None:
    rows = fill(tmp_path)
    indexer = Indexer(rows, lambda: rows.reader, enough=100, rows=25, block=3)

    while indexer.step(rows.reader):
        pass

    left = failures.waiting(rows.reader, rows=1000)
    assert sum(n for _, n in left) < 100
    assert rows.connection.execute("SELECT sum(n) FROM failure_segments").fetchone()[0] == 300 - sum(n for _, n in left)
    rows.close()


def test_a_log_without_failures_from_before_the_index_is_done_with_in_one_look(tmp_path: Path) -> None:
    rows = Rows(tmp_path)
    for number in range(50):
        rows.append([{"model": "m", "status": 200}], at=NOON + number, noted=False)
    indexer = Indexer(rows, lambda: rows.reader)

    assert indexer.step(rows.reader)
    assert not indexer.step(rows.reader)
    assert failures.unindexed(rows.reader) == 0
    rows.close()
