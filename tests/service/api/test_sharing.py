"""Many open pages ask once, and nobody is shown what was decided otherwise meanwhile."""

from __future__ import annotations

import asyncio

import pytest

from service.api.sharing import FRESH_S, Shared


class Core:
    """Answers after a moment, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked, self.version, self.at = 0, 0, 0.0
        self.shared = Shared(lambda: self.version, steady=lambda: self.at)

    async def find(self) -> int:
        self.asked += 1
        asked = self.asked
        await asyncio.sleep(0)
        return asked

    async def ask(self, name: str = "now") -> int:
        found: int = await self.shared.ask(name, self.find)
        return found


async def test_who_asks_at_the_same_time_gets_one_answer() -> None:
    core = Core()

    assert await asyncio.gather(*(core.ask() for _ in range(50))) == [1] * 50
    assert await asyncio.gather(core.ask("other"), core.ask()) == [2, 1]


async def test_what_was_decided_is_seen_at_once_and_the_rest_soon() -> None:
    core = Core()
    assert await core.ask() == 1
    core.version += 1
    assert await core.ask() == 2
    core.at += FRESH_S
    assert await core.ask() == 2
    core.at += 0.001
    assert await core.ask() == 3


async def test_a_fault_is_told_to_all_who_waited_and_the_next_asks_anew() -> None:
    core = Core()

    async def fail() -> int:
        await asyncio.sleep(0)
        raise TimeoutError

    told = await asyncio.gather(*(core.shared.ask("now", fail) for _ in range(3)), return_exceptions=True)

    assert [type(one) for one in told] == [TimeoutError] * 3
    assert await core.ask() == 1


async def test_who_hangs_up_takes_nothing_from_the_others() -> None:
    core = Core()
    first = asyncio.create_task(core.ask())
    await asyncio.sleep(0)
    second = asyncio.create_task(core.ask())
    await asyncio.sleep(0)
    first.cancel()

    assert await second == 1
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_an_answer_is_not_kept_for_long() -> None:
    core = Core()
    await core.ask()
    await asyncio.sleep(2 * FRESH_S + 0.05)

    assert core.shared._kept == {}
