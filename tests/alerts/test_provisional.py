"""alerts/provisional.py: which attempt takes back which, in whatever order they arrive."""

from __future__ import annotations

from itertools import permutations

import pytest
from claxon.event import Event

from alerts.default_rules import ERROR_RATE_TICKET
from alerts.evaluator import Engine
from tests.support.events import NOON, exhausted, provisional, success


def calls_after(events: list[Event]) -> tuple[int, int]:
    """(calls, failed) of the last 5 min after the events arrived one by one."""
    engine = Engine([ERROR_RATE_TICKET])
    for i, event in enumerate(events):
        engine.observe([event], NOON + i)
    engine.tick(NOON + 60)
    counts = engine.recent()["default", ""]
    return counts[0], counts[1]


def attempt(n: int, **fields: object) -> Event:
    return provisional(NOON, call_id="one", attempt=n, **fields)


@pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
def test_a_call_that_succeeds_at_last_is_one_call_and_no_failure(order: tuple[int, ...]) -> None:
    attempts = {1: attempt(1), 2: attempt(2), 3: success(NOON, call_id="one", attempt=3)}

    assert calls_after([attempts[n] for n in order]) == (1, 0)


@pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
def test_a_call_whose_every_attempt_fails_is_one_failed_call(order: tuple[int, ...]) -> None:
    assert calls_after([attempt(n) for n in order]) == (1, 1)


def test_a_failure_without_a_call_id_is_a_call_of_its_own() -> None:
    assert calls_after([provisional(NOON), provisional(NOON), success(NOON, attempt=2)]) == (3, 2)


def test_another_app_with_the_same_call_id_takes_nothing_back() -> None:
    assert calls_after([attempt(1), success(NOON, call_id="one", attempt=2, app="other")]) == (1, 1)


def test_another_environment_with_the_same_call_id_takes_nothing_back() -> None:
    assert calls_after([attempt(1), success(NOON, call_id="one", attempt=2, environment="test")]) == (1, 1)


def test_another_model_of_the_same_call_does_take_it_back() -> None:
    """A fallback is a later attempt too."""
    assert calls_after([attempt(1), success(NOON, call_id="one", attempt=2, model="claude-haiku-4.5")]) == (1, 0)


def test_what_was_said_to_be_final_is_never_taken_back() -> None:
    final = exhausted(NOON, call_id="one", attempt=1)

    assert calls_after([final, success(NOON, call_id="one", attempt=2)]) == (2, 1)


def test_a_cancelled_later_attempt_takes_it_back_too() -> None:
    cancelled = provisional(NOON, call_id="one", attempt=2, status=499, error_type="cancelled")

    assert calls_after([attempt(1), cancelled]) == (0, 0)
