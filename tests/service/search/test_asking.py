"""Questions are answered a few at a time, and none for ever."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from service.search.asking import AT_MOST_S, AT_ONCE, Busy, Searcher
from service.search.wanted import Outcome, Wanted
from service.storage.database import open_reader
from tests.support.event_rows import Rows
from tests.support.events import NOON


async def test_who_gets_no_turn_in_time_is_told_so_and_the_others_get_their_answer(tmp_path: Path) -> None:
    rows = Rows(tmp_path)
    rows.append([{"model": "m", "status": 500}], at=NOON)
    go, reading = threading.Event(), threading.Semaphore(0)

    def slow() -> float:
        reading.release()
        go.wait(10)
        return 0.0

    searcher = Searcher(lambda: open_reader(tmp_path), steady=slow, patience_s=0.01)
    others = [asyncio.create_task(searcher.ask(Wanted(), limit=1)) for _ in range(AT_ONCE)]
    await asyncio.to_thread(lambda: [reading.acquire() for _ in others])

    with pytest.raises(Busy):
        await searcher.ask(Wanted(), limit=1)

    go.set()
    assert [len((await other).found) for other in others] == [1] * AT_ONCE
    assert len((await searcher.ask(Wanted(), limit=1)).found) == 1
    searcher.close()
    rows.close()


async def test_a_question_that_takes_too_long_says_how_far_it_looked(tmp_path: Path) -> None:
    rows = Rows(tmp_path)
    for number in range(30):
        rows.append([{"model": "m", "status": 200}], at=NOON + number)
    seconds = iter(i * AT_MOST_S / 10 for i in range(1000))

    searcher = Searcher(lambda: open_reader(tmp_path), steady=lambda: next(seconds))
    answer = await searcher.ask(Wanted(app="nobody", outcome=Outcome.ALL), limit=10)

    assert answer.found == []
    assert answer.next is not None
    assert answer.stopped_at == NOON + 29 - 10
    searcher.close()
    rows.close()
