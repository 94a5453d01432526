"""alerts/retries.py: when a delivery is tried again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.retries import MAX_BACKOFF_S, next_attempt, next_probe

NOON = 1_790_000_000.0
DAY = 86_400.0
ALMOST_ONE = 0.999_999


def after(
    attempts: int = 1,
    *,
    retryable: bool = True,
    retry_after: float | None = None,
    deadline: float = NOON + DAY,
    jitter: float = ALMOST_ONE,
) -> float | None:
    """How many seconds after noon it is tried again, when it failed at noon."""
    due = next_attempt(
        attempts=attempts,
        retryable=retryable,
        retry_after=retry_after,
        now=NOON,
        deadline=deadline,
        jitter=jitter,
    )
    return None if due is None else due - NOON


@pytest.mark.parametrize(
    ("attempts", "longest"),
    [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 32), (7, 64), (8, 128), (9, 256), (10, 300), (11, 300)],
)
def test_the_backoff_doubles_from_a_second_to_five_minutes(attempts: int, longest: int) -> None:
    assert after(attempts, jitter=ALMOST_ONE) == pytest.approx(longest, rel=1e-4)
    assert after(attempts, jitter=0.0) == pytest.approx(longest / 2)


def test_a_million_failures_do_not_overflow_the_backoff() -> None:
    assert after(1_000_000) == pytest.approx(MAX_BACKOFF_S, rel=1e-4)


def test_what_cannot_succeed_is_given_up_at_once() -> None:
    assert after(retryable=False) is None


def test_what_cannot_succeed_is_given_up_even_with_a_retry_after() -> None:
    assert after(retryable=False, retry_after=1.0) is None


def test_retry_after_is_obeyed() -> None:
    assert after(retry_after=90.0) == 90.0


def test_a_retry_after_of_zero_does_not_shorten_the_backoff() -> None:
    assert after(5, retry_after=0.0) == pytest.approx(16, rel=1e-4)


def test_a_backoff_past_the_deadline_becomes_one_last_try_at_the_deadline() -> None:
    assert after(10, deadline=NOON + 7) == 7


def test_a_retry_after_past_the_deadline_becomes_one_last_try_at_the_deadline() -> None:
    """Coming too early once is better than not to tell anybody."""
    assert after(retry_after=3_600.0, deadline=NOON + 60) == 60


@pytest.mark.parametrize("late", [0.0, 0.001, DAY])
def test_after_the_deadline_it_is_given_up(late: float) -> None:
    assert after(deadline=NOON - late) is None


def test_an_outage_of_a_day_takes_about_three_hundred_tries() -> None:
    """Enough to notice within 5 minutes that the receiver is back, and no hammering."""
    assert 280 < len(_tries(jitter=ALMOST_ONE)) < len(_tries(jitter=0.0)) < 600


def test_the_last_try_is_at_the_deadline_and_the_next_answer_is_none() -> None:
    tries = _tries(jitter=0.5)

    assert tries[-1] == NOON + DAY
    assert tries == sorted(set(tries))


def _tries(*, jitter: float) -> list[float]:
    """The instants of all tries against a receiver that never comes back."""
    tries = [NOON]
    while True:
        due = next_attempt(
            attempts=len(tries),
            retryable=True,
            retry_after=None,
            now=tries[-1],
            deadline=NOON + DAY,
            jitter=jitter,
        )
        if due is None:
            return tries
        tries.append(due)


moments = st.floats(min_value=0, max_value=4e9)
waits = st.one_of(st.none(), st.floats(min_value=0, max_value=1e7))
jitters = st.floats(min_value=0, max_value=1, exclude_max=True)
counts = st.integers(min_value=1, max_value=10_000)


@given(attempts=counts, wait=waits, now=moments, left=st.floats(min_value=1e-3, max_value=1e7), jitter=jitters)
def test_the_next_try_is_ahead_never_past_the_deadline_and_never_before_retry_after(
    attempts: int, wait: float | None, now: float, left: float, jitter: float
) -> None:
    deadline = now + left

    due = next_attempt(attempts=attempts, retryable=True, retry_after=wait, now=now, deadline=deadline, jitter=jitter)

    assert due is not None
    assert now < due <= deadline
    assert due == deadline or due >= now + (wait or 0.0)
    assert due == deadline or due - now <= max(MAX_BACKOFF_S, wait or 0.0) + 1e-3


@given(attempts=counts, wait=waits, now=moments, over=st.floats(min_value=0, max_value=1e7), jitter=jitters)
def test_nothing_is_tried_after_its_deadline(
    attempts: int, wait: float | None, now: float, over: float, jitter: float
) -> None:
    assert (
        next_attempt(attempts=attempts, retryable=True, retry_after=wait, now=now, deadline=now - over, jitter=jitter)
        is None
    )


@given(attempts=counts, low=jitters, high=jitters)
def test_more_jitter_never_means_an_earlier_try(attempts: int, low: float, high: float) -> None:
    earlier, later = after(attempts, jitter=min(low, high)), after(attempts, jitter=max(low, high))

    assert earlier is not None
    assert later is not None
    assert earlier <= later


@given(attempts=counts, jitter=jitters)
def test_one_more_failure_never_means_an_earlier_try(attempts: int, jitter: float) -> None:
    before, now = after(attempts, jitter=jitter), after(attempts + 1, jitter=jitter)

    assert before is not None
    assert now is not None
    assert before <= now


# ── a whole integration ───────────────────────────────────────────────────────


def pause(failures: int, *, retry_after: float | None = None, limited: bool = False) -> float:
    """How long an integration is left alone that failed so often in a row."""
    return next_probe(failures=failures, retry_after=retry_after, limited=limited, jitter=ALMOST_ONE)


def test_after_one_failure_an_integration_is_asked_at_once_for_it_may_be_that_row_alone() -> None:
    assert pause(1) == 0.0


@pytest.mark.parametrize(("failures", "longest"), [(2, 1), (3, 2), (4, 4), (9, 128), (11, 300), (1000, 300)])
def test_then_with_pauses_that_double_from_a_second_to_five_minutes(failures: int, longest: int) -> None:
    assert pause(failures) == pytest.approx(longest, rel=0.001)


def test_who_wants_fewer_messages_is_left_alone_from_the_first_time_on() -> None:
    assert pause(1, limited=True) == pytest.approx(1.0, rel=0.001)


def test_an_integration_is_left_alone_for_as_long_as_it_asks() -> None:
    assert pause(1, retry_after=30.0, limited=True) == 30.0
    assert pause(12, retry_after=30.0) == pytest.approx(MAX_BACKOFF_S, rel=0.001)
