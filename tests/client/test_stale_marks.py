"""What is marked may be answered by an older answer, and nothing else ever is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from claxon import may_be_stale
from claxon.stale.marked import allowed_age_s


async def test_the_mark_is_for_a_block_or_a_function() -> None:
    @may_be_stale(5)
    def inside() -> float | None:
        return allowed_age_s()

    @may_be_stale(6)
    async def inside_async() -> float | None:
        return allowed_age_s()

    assert (inside(), await inside_async(), allowed_age_s()) == (5, 6, None)
    async with may_be_stale(7):
        assert allowed_age_s() == 7
    assert allowed_age_s() is None


def test_the_innermost_value_holds_and_none_takes_the_mark_back() -> None:
    seen = []
    with may_be_stale(60):
        seen.append(allowed_age_s())
        with may_be_stale(5):
            seen.append(allowed_age_s())
            with may_be_stale(None):
                seen.append(allowed_age_s())
            seen.append(allowed_age_s())
        seen.append(allowed_age_s())

    assert seen == [60, 5, None, 5, 60]
    assert allowed_age_s() is None


def test_an_error_takes_the_mark_back() -> None:
    with pytest.raises(KeyError), may_be_stale(60):
        raise KeyError
    assert allowed_age_s() is None


def test_one_mark_may_be_entered_by_many_threads_and_within_itself() -> None:
    """Each gets back what was around it: a thread that was not marked is not marked afterwards."""
    shared = may_be_stale(5)
    everybody_is_in = threading.Barrier(8)

    def work(number: int) -> tuple[float | None, ...]:
        outer = may_be_stale(None if number % 2 else 100 + number)
        with outer:
            before = allowed_age_s()
            with shared:
                everybody_is_in.wait(10)
                with shared:
                    inside = allowed_age_s()
            return before, inside, allowed_age_s()

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, range(8)))

    assert found == [((None if n % 2 else 100 + n), 5, (None if n % 2 else 100 + n)) for n in range(8)]


async def test_tasks_do_not_see_each_others_marks() -> None:
    inside, outside = asyncio.Event(), asyncio.Event()

    async def marked() -> None:
        with may_be_stale(5):
            inside.set()
            await outside.wait()
            assert allowed_age_s() == 5

    task = asyncio.create_task(marked())
    await inside.wait()
    assert allowed_age_s() is None
    outside.set()
    await task


def test_blocks_that_end_in_another_order_leave_no_mark_behind() -> None:
    """As two objects do that enter and leave by hand."""
    first, second = may_be_stale(5), may_be_stale(6)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert allowed_age_s() == 6
    second.__exit__(None, None, None)
    assert allowed_age_s() is None


def test_a_block_that_ends_where_it_did_not_begin_takes_no_prohibition_away() -> None:
    """A coroutine that is garbage-collected ends in whatever context it is collected in."""
    elsewhere = may_be_stale(5)
    with may_be_stale(60), may_be_stale(None):
        elsewhere.__exit__(None, None, None)
        assert allowed_age_s() is None


def test_a_generator_is_refused_for_its_calls_are_made_later() -> None:
    def pieces() -> Iterator[int]:
        yield 1

    async def pieces_async() -> AsyncIterator[int]:
        yield 1

    for function in (pieces, pieces_async):
        with pytest.raises(TypeError, match=r"may_be_stale: .*pieces.*: a generator: put `with may_be_stale"):
            may_be_stale(60)(function)


@pytest.mark.parametrize("age_s", [0, -1, float("nan")])
def test_an_age_must_be_above_0(age_s: float) -> None:
    with pytest.raises(ValueError, match="give seconds above 0, or None"):
        may_be_stale(age_s)
