"""alerts/parked.py: calls that sleep, as many as are remembered. When that is an alert is in the cases."""

from __future__ import annotations

import pytest

from alerts.parked import MAX_PARKED, ParkedCalls


def test_a_call_sleeps_until_the_latest_instant_that_was_said_of_it() -> None:
    parked = ParkedCalls()
    parked.park("a", 1, 100.0)
    parked.park("a", 2, 90.0)

    assert [parked.count(g) for g in (99, 100)] == [1, 0]


def test_only_a_later_attempt_wakes_a_call() -> None:
    parked = ParkedCalls()
    parked.park("a", 2, 100.0)

    assert [parked.wake("a", attempt) for attempt in (1, 2, 3, 3)] == [False, False, True, False]
    assert parked.last_wake() is None


@pytest.mark.parametrize("named", [(True, False), (False, True), (True, True), (False, False)])
def test_of_too_many_sleepers_the_one_that_wakes_first_is_forgotten(named: tuple[bool, bool]) -> None:
    """`named` says of the first, and of the others, whether they have an id."""
    parked = ParkedCalls()
    for i in range(MAX_PARKED + 1):
        parked.park(f"call {i}" if named[i > 0] else None, 1, 100.0 + i)

    assert parked.count(0) == MAX_PARKED
    assert (parked.next_wake(), parked.last_wake()) == (101.0, 100.0 + MAX_PARKED)


def test_who_only_looks_forgets_nobody() -> None:
    """/metrics asks at an instant of its own, which no replay of the log knows."""
    parked = ParkedCalls()
    parked.park("a", 1, 100.0)
    parked.park(None, 1, 90.0)

    assert [parked.asleep(at) for at in (89.9, 90.0, 100.0)] == [2, 1, 0]
    assert parked.count(89) == 2
