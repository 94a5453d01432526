"""alerts/streaks.py: how long a run chance makes, and from when on an event counts. Runs are in test_evaluator.py."""

from __future__ import annotations

from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.streaks import MAX_COUNT, adaptive_count, ready_at
from tests.support import oracle


@pytest.mark.parametrize(
    ("calls", "failures", "count"),
    [
        (0, 0, 2),
        (1, 1, 2),
        (100, 0, 2),
        (10_000, 0, 2),
        (10_000, 100, 3),
        (28_800, 288, 4),
        (478_080, 4_781, 4),
        (10_000, 5_000, 20),
        (10_000, 10_000, MAX_COUNT),
    ],
)
def test_the_count_rises_where_chance_makes_runs(calls: int, failures: int, count: int) -> None:
    assert adaptive_count(2, calls=calls, attempts=calls, failures=failures) == count


@given(st.integers(2, 64), st.integers(1, 500_000), st.floats(0, 1), st.integers(0, 100_000))
def test_the_count_is_the_smallest_for_which_chance_makes_less_than_one_run_in_a_hundred_days(
    least: int, calls: int, share: float, attempts: int
) -> None:
    failures = round(share * attempts)

    k = adaptive_count(least, calls=calls, attempts=attempts, failures=failures)

    day = oracle.Counts(calls=calls, attempts=attempts, matching=failures)
    assert k == oracle.adaptive_count(least, day, oracle.Counts())
    assert least <= k <= MAX_COUNT


@pytest.mark.parametrize(
    ("now", "settle", "ready"),
    [(10.0, 2.0, 12), (10.25, 2.0, 13), (10.0, 0.0, 11), (10.25, 0.0, 11), (10.0, 0.5, 11), (10.75, 0.5, 12)],
)
def test_an_event_is_ready_at_the_first_whole_second_that_lies_settle_after_it(
    now: float, settle: float, ready: int
) -> None:
    assert ready_at(now, settle) == ready


@given(st.floats(0, 2e9), st.floats(0, 60))
def test_an_event_is_never_ready_before_the_evaluation_that_sees_it(now: float, settle: float) -> None:
    assert ready_at(now, settle) > floor(now)
