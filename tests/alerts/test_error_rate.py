"""alerts/error_rate.py: the literal share, and whether it may be chance."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.error_rate import literal, wilson_lower, z_value
from tests.support import oracle


def least_failed(calls: int, *, confidence: float = 0.995, above: float = 0.05) -> int:
    """The fewest failures of so many calls that are not put down to chance."""
    z = z_value(confidence)
    return next(failed for failed in count(1) if wilson_lower(failed, calls, z) > above)


@pytest.mark.parametrize(("failed", "calls"), [(4, 20), (11, 100), (68, 1000)])
def test_the_page_begins_at_4_of_20_11_of_100_and_68_of_1000(failed: int, calls: int) -> None:
    assert least_failed(calls) == failed


@pytest.mark.parametrize(
    ("failed", "calls", "holds"),
    [
        (0, 1, False),
        (2, 2, False),  # the floor is on failures
        (3, 3, True),
        (3, 59, True),
        (3, 60, False),  # 5 % is not over 5 %
        (50, 1000, False),
        (51, 1000, True),
    ],
)
def test_the_literal_share_is_over_5_percent_with_3_failures_at_least(failed: int, calls: int, holds: bool) -> None:
    assert literal(failed, calls, above=0.05, min_failed=3) is holds


@given(st.integers(1, 99), st.integers(1, 10_000))
def test_a_share_that_is_the_limit_is_never_over_it(percent: int, hundreds: int) -> None:
    assert literal(percent * hundreds, 100 * hundreds, above=float(f"0.{percent:02}"), min_failed=1) is False


@given(st.integers(1, 10_000), st.floats(0.5, 0.999_999, exclude_min=True))
def test_without_failures_the_bound_is_0(calls: int, confidence: float) -> None:
    assert wilson_lower(0, calls, z_value(confidence)) == pytest.approx(0, abs=1e-12)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_bound_lies_between_0_and_the_share(seen: tuple[int, int]) -> None:
    failed, calls = seen

    bound = wilson_lower(failed, calls, z_value(0.99))

    assert 0 <= bound <= failed / calls + 1e-12
    assert bound == pytest.approx(oracle.wilson_lower(failed, calls, 0.99), abs=1e-12)


@given(st.integers(2, 1000).flatmap(lambda n: st.tuples(st.integers(1, n), st.just(n))))
def test_the_bound_grows_with_failures_and_with_evidence(seen: tuple[int, int]) -> None:
    failed, calls = seen
    z = z_value(0.99)

    assert wilson_lower(failed, calls, z) > wilson_lower(failed - 1, calls, z)
    assert wilson_lower(10 * failed, 10 * calls, z) > wilson_lower(failed, calls, z)


@pytest.mark.parametrize(("confidence", "z"), [(0.9, 1.281552), (0.95, 1.644854), (0.99, 2.326348)])
def test_z_is_the_one_sided_normal_quantile(confidence: float, z: float) -> None:
    assert z_value(confidence) == pytest.approx(z, abs=1e-6)
