"""alerts/streaks.py: how long a run chance makes, from when on an event counts, and what ends a run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.streaks import MAX_COUNT, Failure, Streak, adaptive_count, ready_at
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


@pytest.mark.parametrize(("calls", "count"), [(399, 2), (401, 3), (28_800, 3), (288_000, 4)])
def test_a_floor_makes_a_path_that_never_failed_no_better_than_it(calls: int, count: int) -> None:
    assert adaptive_count(2, calls=calls, attempts=calls, failures=0, floor=0.005) == count


def test_where_every_call_fails_the_count_is_the_highest() -> None:
    assert adaptive_count(2, calls=10, attempts=10, failures=0, floor=1.0) == MAX_COUNT


@given(
    st.integers(2, 64),
    st.integers(1, 500_000),
    st.floats(0, 1),
    st.integers(0, 100_000),
    st.sampled_from([0.0, 0.005, 0.5]),
)
def test_the_count_is_the_smallest_for_which_chance_makes_less_than_one_run_in_a_hundred_days(
    least: int, calls: int, share: float, attempts: int, floor: float
) -> None:
    failures = round(share * attempts)

    k = adaptive_count(least, calls=calls, attempts=attempts, failures=failures, floor=floor)

    day = oracle.Counts(calls=calls, attempts=attempts, matching=failures)
    assert k == oracle.adaptive_count(least, day, oracle.Counts(), floor=floor)
    assert least <= k <= MAX_COUNT


@pytest.mark.parametrize(
    ("second", "settle", "ready"), [(10, 2.0, 13), (10, 0.0, 11), (10, 0.5, 12), (10, 1.0, 12), (10, 1.001, 13)]
)
def test_what_is_observed_in_a_second_is_ready_settle_after_its_end(second: int, settle: float, ready: int) -> None:
    """Settle in whole seconds, rounded up."""
    assert ready_at(second, settle) == ready


@given(st.integers(0, 2_000_000_000), st.integers(0, 60_000))
def test_an_event_is_never_ready_before_the_evaluation_that_sees_it(second: int, settle_ms: int) -> None:
    settle = settle_ms / 1000

    assert second + 1 <= second + 1 + settle <= ready_at(second, settle) < second + 2 + settle


# ── a run ────────────────────────────────────────────────────────────────────


def failed(*instants: float, ready: int = 3) -> list[Failure]:
    return [Failure(ready, at, f"call {at}") for at in instants]


def test_failures_that_come_in_one_second_make_one_run() -> None:
    streak = Streak()
    streak.fail(failed(0.1, 0.2))

    assert not streak.evaluate(2, count=2, keep_s=900), "they are not ready yet"
    assert streak.evaluate(3, count=2, keep_s=900)
    assert (streak.met, streak.longest, streak.met_length) == (True, 2, 2)


def test_of_very_many_failures_in_one_second_the_newest_are_looked_at() -> None:
    streak = Streak()
    streak.fail(failed(*(i / 10_000 for i in range(10_000))))

    assert sorted(f.at for f in streak.waiting) == [i / 10_000 for i in range(10_000 - 4096, 10_000)]
    assert streak.evaluate(3, count=MAX_COUNT, keep_s=900)


def test_a_success_between_two_failures_cuts_the_run_before_it_settles() -> None:
    streak = Streak()
    streak.fail(failed(0.1, 0.9))
    streak.succeed(5, [0.5], second=2, awake=True)

    assert not streak.evaluate(3, count=2, keep_s=900)


def test_a_success_of_a_sleeping_streak_settles_with_the_next_that_comes_after_it_was_ready() -> None:
    """Nobody evaluates it meanwhile, so it may not pile up either."""
    streak = Streak()
    for second in range(100):
        streak.succeed(second + 3, [second + 0.5], second=second, awake=False)

    assert streak.boundary == 96.5, "all that is ready by second 99 has settled"
    assert len(streak.successes) == 3


def test_what_has_settled_takes_the_failures_before_it_away() -> None:
    streak = Streak()
    streak.fail(failed(0.1, 10.5))
    streak.settle_at(5.0)
    streak.forget_settled(3)

    assert (streak.boundary, [f.at for f in streak.waiting]) == (5.0, [10.5])


def test_settling_never_moves_the_boundary_back() -> None:
    streak = Streak()
    streak.settle_at(5.0)
    streak.settle_at(4.0)

    assert streak.boundary == 5.0


def test_what_settles_is_what_was_ready_before() -> None:
    streak = Streak()
    streak.succeed(3, [0.5], second=0, awake=True)
    streak.succeed(4, [1.5], second=1, awake=True)
    streak.forget_settled(4)

    assert (streak.boundary, streak.successes) == (0.5, [(4, [1.5])])


def test_after_a_clock_was_set_back_what_waits_is_ready_soon_and_nothing_lies_ahead() -> None:
    streak = Streak()
    streak.settle_at(99.5)
    streak.fail(failed(100.0, 101.0, ready=102))
    streak.evaluate(102, count=2, keep_s=900)
    streak.fail(failed(103.0, 9.0, ready=105))
    streak.succeed(106, [104.0, 8.0], second=103, awake=True)

    streak.rewind(10.0, 12)

    assert streak.waiting == [Failure(12, 10.0, "call 103.0"), Failure(12, 9.0, "call 9.0")]
    assert streak.run == [Failure(102, 10.0, "call 100.0"), Failure(102, 10.0, "call 101.0")]
    assert (streak.successes, streak.boundary) == ([(12, [10.0, 8.0])], 10.0)


def test_without_failures_a_success_that_has_not_settled_need_not_be_waited_for() -> None:
    streak = Streak()
    streak.succeed(5, [0.5], second=2, awake=True)

    assert streak.next_ready() is None

    streak.fail(failed(0.7, ready=6))

    assert streak.next_ready() == 5


@pytest.mark.parametrize("settled", [True, False])
def test_of_a_success_and_a_failure_at_once_the_success_is_first(settled: bool) -> None:
    streak = Streak()
    streak.fail(failed(1.0, 1.5))
    if settled:
        streak.settle_at(1.0)
        streak.forget_settled(3)
    else:
        streak.succeed(5, [1.0], second=2, awake=True)

    assert streak.evaluate(3, count=2, keep_s=900)
    assert streak.evaluate(4, count=2, keep_s=900) is False, "no failure counts for the first time"
    assert (streak.met, streak.longest) == (True, 2)

    streak.forget_settled(9)
    assert [f.at for f in streak.run] == [1.0, 1.5], "it does not end what came after it"


def test_a_success_that_settles_at_the_instant_of_a_failure_leaves_its_run_as_it_is() -> None:
    streak = Streak()
    streak.fail(failed(1.0, 1.5))
    streak.succeed(3, [1.0], second=0, awake=True)

    assert streak.evaluate(3, count=2, keep_s=900)
    assert (streak.met, [f.at for f in streak.run]) == (True, [1.0, 1.5])


@pytest.mark.parametrize(("keep_s", "met"), [(2, False), (2.001, True)])
def test_a_failure_that_is_as_old_as_keep_for_when_it_first_counts_is_passed_over(keep_s: float, met: bool) -> None:
    streak = Streak()
    streak.fail(failed(1.0, 1.5, ready=3))

    assert streak.evaluate(3, count=2, keep_s=keep_s) is met


def test_a_run_that_a_success_ends_is_met_no_longer() -> None:
    streak = Streak()
    streak.fail(failed(0.1, 0.2))
    streak.evaluate(3, count=2, keep_s=900)
    streak.succeed(6, [0.5], second=3, awake=True)

    held = [streak.evaluate(5, count=2, keep_s=900), streak.met]
    streak.evaluate(6, count=2, keep_s=900)

    assert held == [False, True]
    assert (streak.met, streak.longest, streak.run) == (False, 0, [])


def test_a_success_is_known_from_its_own_second_on_and_not_before() -> None:
    streak = Streak()
    streak.fail(failed(0.1, 0.2))
    streak.succeed(4, [0.15], second=1, awake=True)

    streak.evaluate(3, count=2, keep_s=900)

    assert (streak.boundary, streak.next_ready()) == (float("-inf"), 4)


def test_a_run_that_a_success_shortens_is_met_as_long_as_enough_of_it_is_left() -> None:
    streak = Streak()
    streak.fail(failed(0.1, 0.2, 0.3))
    streak.evaluate(3, count=2, keep_s=900)
    streak.succeed(5, [0.15], second=2, awake=True)
    streak.evaluate(5, count=2, keep_s=900)
    two = (streak.met, streak.longest)
    streak.succeed(7, [0.25], second=4, awake=True)
    streak.evaluate(7, count=2, keep_s=900)

    assert (two, streak.met, streak.longest) == ((True, 2), False, 1)


def test_a_run_that_was_met_by_fewer_is_met_still_when_the_count_rises() -> None:
    """What was told is not taken back by a day that got busier."""
    streak = Streak()
    streak.fail(failed(0.1, 0.2))
    streak.evaluate(3, count=2, keep_s=900)
    streak.succeed(5, [0.05], second=2, awake=True)

    streak.evaluate(5, count=3, keep_s=900)

    assert (streak.met, streak.longest, streak.met_length) == (True, 2, 2)


def test_a_run_that_was_never_met_is_not_because_it_goes_on() -> None:
    streak = Streak()
    streak.fail(failed(0.1))

    assert streak.evaluate(3, count=2, keep_s=900) is False
    assert (streak.met, streak.longest) == (False, 1)


def test_the_longest_part_of_a_run_that_successes_cut_is_what_is_said() -> None:
    streak = Streak()
    streak.fail(failed(0.1, 0.2, 0.5, 0.6, 0.7, 0.9))
    streak.succeed(9, [0.3, 0.8], second=6, awake=True)

    assert streak.evaluate(3, count=4, keep_s=900) is False
    assert streak.longest == 3


def test_a_call_that_fails_again_and_again_is_one_of_a_run_and_one_without_an_id_is_itself() -> None:
    streak = Streak()
    streak.fail([Failure(3, 0.1 * i, call) for i, call in enumerate(["a", "a", "", "", "b"])])

    assert streak.evaluate(3, count=4, keep_s=900)
    assert streak.met_length == 4


def test_successes_of_one_second_settle_together_and_those_of_several_in_order() -> None:
    streak = Streak()
    for second, instants in [(0, [0.5]), (0, [0.25]), (1, [1.5]), (2, [1.25])]:
        streak.succeed(second + 3, instants, second=second, awake=True)

    assert streak.successes == [(3, [0.5, 0.25]), (4, [1.5]), (5, [1.25])]

    streak.forget_settled(6)

    assert (streak.successes, streak.boundary) == ([], 1.5)


@pytest.mark.parametrize(("calls", "count"), [(1, 3), (2, 4)])
def test_a_single_call_a_day_is_reckoned_with_like_many(calls: int, count: int) -> None:
    assert adaptive_count(2, calls=calls, attempts=0, failures=0, floor=0.2) == count
