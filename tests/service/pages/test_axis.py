"""A stretch of time in steps: nothing is lost at its edges, and there are never too many steps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.pages.axis import fit

instants = st.floats(0, 4e9, allow_nan=False)


@given(left=instants, length=st.floats(0, 4e9), most=st.integers(2, 100))
def test_an_axis_covers_what_it_is_to_cover_with_few_steps(left: float, length: float, most: int) -> None:
    axis = fit(left, left + length, most=most)

    assert axis.start <= left
    assert axis.end >= left + length
    assert 1 <= axis.n <= most


@given(st.lists(instants, max_size=50))
def test_what_lies_on_an_axis_is_counted_once_and_nothing_else_is(found: list[float]) -> None:
    axis = fit(1e9, 2e9)

    assert sum(axis.counts(found)) == sum(axis.start <= at < axis.end for at in found)
