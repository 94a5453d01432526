"""Durations: each in the classic and the native bucket that Prometheus would put it in."""

from __future__ import annotations

import math
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.durations import BOUNDS, CLASSIC, SCHEMA, ZERO_S, Durations


def counted(*taken_s: float) -> Durations:
    found = Durations()
    found.add([one * 1000 for one in taken_s])
    return found


@pytest.mark.parametrize(
    ("taken_s", "bucket"),
    [(1.0, 0), (1.0000001, 1), (2.0, 8), (0.5, -8), (0.9, -1), (0.00098, -79), (100.0, 54), (16_384.0, 112)],
)
def test_a_duration_is_in_the_native_bucket_that_ends_at_it_or_next(taken_s: float, bucket: int) -> None:
    """Bucket i of schema 3 holds what is over 2 ** ((i - 1) / 8) and at most 2 ** (i / 8)."""
    assert counted(taken_s).native() == {bucket: 1}


@pytest.mark.parametrize("taken_s", [0.0, 0.0005, ZERO_S])
def test_about_a_millisecond_and_less_is_in_the_zero_bucket(taken_s: float) -> None:
    found = counted(taken_s)

    assert (found.zeros, found.native(), found.count) == (1, {}, 1)


@pytest.mark.parametrize("taken_s", [16_385.0, 1e9, 1e300])
def test_what_took_over_four_hours_is_in_the_last_bucket(taken_s: float) -> None:
    assert counted(taken_s).native() == {112: 1}


@pytest.mark.parametrize("end", CLASSIC)
def test_a_classic_bucket_holds_what_took_just_as_long_as_its_end(end: float) -> None:
    place = CLASSIC.index(end)

    assert counted(end).classic() == [0] * place + [1] * (len(CLASSIC) - place)
    assert counted(math.nextafter(end, math.inf)).classic() == [0] * (place + 1) + [1] * (len(CLASSIC) - place - 1)


@given(st.lists(st.floats(min_value=0.0, max_value=20_000.0), max_size=40))
def test_both_forms_count_each_duration_once(taken_s: list[float]) -> None:
    found = counted(*taken_s)
    taken_ms = [one * 1000 for one in taken_s]

    assert found.count == len(taken_s) == found.zeros + sum(found.native().values())
    assert found.classic() == [sum(one <= end * 1000 for one in taken_ms) for end in CLASSIC]
    assert found.total_s == pytest.approx(sum(taken_s))


@given(st.floats(min_value=0.001, max_value=16_000.0))
def test_the_native_bucket_is_right_to_nine_percent(taken_s: float) -> None:
    ((bucket, _),) = counted(taken_s).native().items()

    end = 2 ** (bucket / 2**SCHEMA)
    assert end / 2 ** (1 / 2**SCHEMA) * (1 - 1e-9) < taken_s <= end * (1 + 1e-9)


def test_a_duration_may_stand_for_several() -> None:
    found = Durations()
    found.add([1000.0], weight=4)

    assert (found.count, found.total_s, found.native()) == (4, 4.0, {0: 4})


def test_the_cells_are_in_order_and_each_ends_once() -> None:
    assert sorted(set(BOUNDS)) == BOUNDS
    assert list(accumulate(BOUNDS, max)) == BOUNDS
