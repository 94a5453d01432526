"""Readers: few questions at a time, whoever hangs up."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from service import readers
from service.readers import NotReadError, Readers
from service.storage.connecting import Connection
from service.storage.sqlite_connection import SqliteConnection


def _open(path: Path) -> SqliteConnection:
    return sqlite3.connect(path, check_same_thread=False, isolation_level=None, factory=SqliteConnection)


async def test_the_turn_of_who_hangs_up_lasts_until_the_question_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "PATIENCE_S", 0.05)
    asked = Readers(lambda: _open(tmp_path / "a.db"))
    begun, go_on = threading.Semaphore(0), threading.Event()

    def wait(_: Connection) -> bool:
        begun.release()
        return go_on.wait(10)

    slow = [asyncio.ensure_future(asked.ask(wait)) for _ in range(readers.AT_ONCE)]
    for one in slow:
        assert await asyncio.to_thread(begun.acquire, timeout=10)
        one.cancel()

    with pytest.raises(NotReadError, match="Others ask"):
        await asked.ask(lambda connection: connection)
    go_on.set()
    async with asyncio.timeout(10):
        while True:
            try:
                found = await asked.ask(lambda connection: connection.execute("SELECT 1").fetchone())
                break
            except NotReadError:
                pass
    assert found == (1,)
    asked.close()


async def test_a_question_that_takes_too_long_ends_with_a_remedy(tmp_path: Path) -> None:
    asked = Readers(lambda: _open(tmp_path / "a.db"))
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    with pytest.raises(NotReadError, match="ask for a shorter time"):
        await asked.ask(lambda connection: connection.execute(endless).fetchone(), at_most_s=0.05)
    asked.close()
