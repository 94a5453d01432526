"""Backoff, limits and pauses, from numbers alone."""

from __future__ import annotations

from dataclasses import replace

import httpx2
import pytest
from claxon import Category, CircuitOpen, DeadlineExceeded
from claxon.later import Job, Patience, Pauses, Reason, State
from claxon.later.pace import Pace
from claxon.later.runs import call_failure, later_in_s
from claxon.later.verdicts import Failure, Fate, backoff_s, given_up, is_retryable, judge

JOB = Job(id="1", key="1", state=State.RUNNING, deferred_at=0.0, due_at=0.0, runs=1)
OVERLOADED = Failure(
    reason=Reason(category="overloaded", type="overloaded_error", status=529),
    category=Category.OVERLOADED,
    retryable=True,
)
REFUSED = Failure(reason=Reason(category="authentication"), category=Category.AUTHENTICATION, retryable=False)


@pytest.mark.parametrize(
    ("runs", "most"), [(1, 5.0), (2, 10.0), (5, 80.0), (10, 2560.0), (11, 3600.0), (10_000, 3600.0)]
)
def test_the_pause_is_anything_up_to_a_bound_that_doubles_to_an_hour(runs: int, most: float) -> None:
    patience = Patience()

    assert backoff_s(runs, patience, chance=0.0) == 0.0
    assert backoff_s(runs, patience, chance=0.5) == pytest.approx(most / 2)
    assert backoff_s(runs, patience, chance=0.999999) == pytest.approx(most, rel=1e-5)


@pytest.mark.parametrize(
    ("category", "told_to", "retryable"),
    [
        (Category.OVERLOADED, None, True),
        (Category.OVERLOADED, False, True),
        (Category.BAD_RESPONSE, None, True),
        (Category.INVALID_REQUEST, None, False),
        (Category.INVALID_REQUEST, True, True),
        (Category.PERMISSION, None, False),
        (Category.AUTHENTICATION, True, False),
        (Category.UNKNOWN, None, False),
    ],
)
def test_what_is_worth_another_try_later(category: Category, told_to: bool | None, retryable: bool) -> None:
    assert is_retryable(category, told_to=told_to) is retryable


def test_a_longer_retry_after_outranks_the_own_pause_and_a_shorter_one_does_not() -> None:
    asked = replace(OVERLOADED, retry_after_s=600.0)

    assert judge(JOB, asked, Patience(), now=1.0, chance=0.5).after_s == 600.0
    assert judge(JOB, asked, Patience(first_s=3000), now=1.0, chance=0.5).after_s == 1500.0


def test_the_last_run_and_the_last_hour_end_a_job() -> None:
    patience = Patience(most_runs=3, most_age_s=100)

    by_runs = judge(replace(JOB, runs=3), OVERLOADED, patience, now=1.0, chance=0.0)
    by_age = judge(replace(JOB, runs=2), OVERLOADED, patience, now=99.0, chance=0.9)

    assert (by_runs.fate, by_runs.reason.limit) == (Fate.DEAD, "most_runs")
    assert (by_age.fate, by_age.reason.limit) == (Fate.DEAD, "most_age_s")


def test_a_refused_key_ends_no_job_however_many_runs_it_had() -> None:
    worn = replace(JOB, runs=10_000)

    assert judge(worn, REFUSED, Patience(), now=10**9, chance=0.0).fate is Fate.BLOCKED


def test_a_job_that_nobody_ran_in_time_is_not_run_any_more() -> None:
    """Its worker was down for longer than the job may live."""
    assert given_up(JOB, Patience(most_age_s=10), now=11.0) == Reason(
        category="lost", type="lease ran out", limit="most_age_s"
    )
    assert given_up(JOB, Patience(most_age_s=10), now=9.0) is None


def test_one_failure_is_no_outage_and_five_in_a_row_are() -> None:
    pace = Pace(Pauses(failing_s=1, most_failing_s=4))

    alone = [pace.failed(Category.OVERLOADED, now=0.0) for _ in range(4)]
    pace.answered()
    again = [pace.failed(Category.OVERLOADED, now=0.0) for _ in range(5)]

    assert alone == [None] * 4
    assert again == [None] * 4 + [1.0]


def test_in_a_pause_nothing_runs_after_it_one_job_and_after_an_answer_all() -> None:
    pace = Pace(Pauses(blocked_s=10))
    pace.failed(Category.AUTHENTICATION, now=0.0)

    rooms = [pace.room(now, running=0, concurrency=8) for now in (9.0, 11.0)]
    probing = pace.room(11.0, running=1, concurrency=8)
    pace.answered()

    assert rooms == [0, 1]
    assert probing == 0
    assert pace.room(11.0, running=1, concurrency=8) == 7


def test_each_pause_is_twice_the_one_before_up_to_a_bound() -> None:
    pace = Pace(Pauses(blocked_s=10, most_blocked_s=35))

    pauses, now = [], 0.0
    for _ in range(4):
        pause = pace.failed(Category.ACCOUNT, now=now)
        assert pause is not None
        pauses.append(pause)
        now = pace.until

    assert pauses == [10, 20, 35, 35]


def test_calls_that_began_before_the_pause_do_not_lengthen_it() -> None:
    pace = Pace(Pauses(blocked_s=10))
    pace.failed(Category.AUTHENTICATION, now=0.0)

    assert [pace.failed(Category.AUTHENTICATION, now=1.0) for _ in range(3)] == [None] * 3
    assert pace.until == 10.0


@pytest.mark.parametrize("name", Patience.__slots__)
def test_no_patience_at_all_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"Patience: {name}: 0: give a number above 0"):
        Patience(**{name: 0})


def test_a_call_that_an_open_circuit_refused_is_worth_another_try_when_it_lets_a_probe_through() -> None:
    request = httpx2.Request("POST", "https://api.example/v1/messages")
    refused = CircuitOpen(request, model="m", app="shop", retry_in_s=12.0, category=Category.OVERLOADED)

    failure = call_failure(refused)

    assert (failure.retryable, failure.retry_after_s, failure.category) == (True, 12.0, Category.OVERLOADED)
    assert later_in_s(refused) == 12.0


def test_a_call_whose_deadline_was_over_is_worth_another_try_and_a_fault_of_the_app_is_not() -> None:
    request = httpx2.Request("POST", "https://api.example/v1/messages")

    assert later_in_s(DeadlineExceeded(request)) == 0.0
    assert later_in_s(TypeError("an argument that is none")) is None
