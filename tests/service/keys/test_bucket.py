"""A token bucket: in the long run no more than its rate, and nobody waits for ever."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.keys.bucket import Bucket


def test_a_full_bucket_gives_its_burst_at_once_and_then_says_how_long_to_wait() -> None:
    bucket = Bucket(10, burst_s=2)

    assert [bucket.spend(1, 0.0) for _ in range(20)] == [0.0] * 20
    assert bucket.spend(1, 0.0) == 0.1
    assert bucket.spend(5, 0.0) == 0.5


def test_who_waits_as_long_as_was_said_is_let_through() -> None:
    bucket = Bucket(3, burst_s=1)
    bucket.spend(3, 100.0)

    wait_s = bucket.spend(2, 100.0)

    assert wait_s > 0
    assert bucket.spend(2, 100.0 + wait_s) == 0.0


def test_what_is_refused_costs_nothing() -> None:
    bucket = Bucket(1, burst_s=10)
    bucket.spend(9, 0.0)

    assert bucket.spend(5, 0.0) > 0
    assert bucket.spend(1, 0.0) == 0.0


def test_a_batch_larger_than_the_bucket_goes_through_when_it_is_full_and_is_paid_for() -> None:
    bucket = Bucket(10, burst_s=1)

    assert bucket.spend(500, 0.0) == 0.0
    assert bucket.spend(1, 0.0) == 49.1
    assert bucket.spend(1, 49.2) == 0.0


def test_a_rate_below_one_lets_one_through_now_and_then() -> None:
    bucket = Bucket(0.1, burst_s=1)

    assert bucket.spend(1, 0.0) == 0.0
    assert bucket.spend(1, 0.0) == 10.0
    assert bucket.spend(1, 10.0) == 0.0


def test_a_clock_that_is_set_back_fills_nothing_and_stops_nothing() -> None:
    bucket = Bucket(1, burst_s=1)
    bucket.spend(1, 1_000_000.0)

    assert bucket.spend(1, 0.0) == 1.0
    assert bucket.spend(1, 1.0) == 0.0


@given(
    rate=st.floats(0.5, 1000),
    burst_s=st.floats(0.1, 60),
    asked=st.lists(st.tuples(st.integers(1, 2000), st.floats(0, 5)), max_size=200),
)
def test_in_the_long_run_no_more_passes_than_the_rate(
    rate: float, burst_s: float, asked: list[tuple[int, float]]
) -> None:
    bucket, now, passed, largest = Bucket(rate, burst_s=burst_s), 0.0, 0, 0
    for n, pause in asked:
        now += pause
        if bucket.spend(n, now) == 0.0:
            passed += n
            largest = max(largest, n)

    assert passed <= rate * now + max(1.0, rate * burst_s) + largest + 1e-6
