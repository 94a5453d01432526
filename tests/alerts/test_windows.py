"""alerts/windows.py and alerts/meters.py: rolling counts in 60 buckets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alerts.meters import new_series
from alerts.windows import CALLS, COLUMNS, FAILED, Window

START = 1_790_000_000


def one_call(*, failed: int = 0, n: int = 1) -> list[int]:
    counts = [0] * COLUMNS
    counts[CALLS], counts[FAILED] = n, failed
    return counts


def test_a_window_holds_the_bucket_of_now_and_the_59_before_it() -> None:
    window = Window(width=5)
    window.add(START, one_call())

    held = [window.counts(START + age)[CALLS] for age in (0, 299)]
    gone = window.counts(START + 300)[CALLS]

    assert (held, gone) == ([1, 1], 0)


def test_a_late_count_goes_where_it_belongs() -> None:
    window = Window(width=5)
    for second in (100, 50, 75, 100, 0):
        window.add(START + second, one_call())

    assert [window.counts(START + g)[CALLS] for g in (100, 300, 350, 375, 400)] == [5, 4, 3, 2, 0]


def test_what_is_taken_back_is_gone_from_every_window() -> None:
    series = new_series((300, 3600))
    for counts in (one_call(failed=1), one_call(failed=1), one_call(failed=-1, n=-1)):
        row = series.at_second(START)
        row[:] = [a + b for a, b in zip(row, counts, strict=True)]

    assert [series.counts(length, START + 1)[:2] for length in (300, 3600)] == [[1, 1], [1, 1]]


def test_what_is_taken_back_after_it_has_left_the_window_leaves_nothing_behind() -> None:
    series = new_series((300, 3600))
    series.at_second(START)[FAILED] += 1
    series.counts(300, START + 400)

    series.at_second(START)[FAILED] -= 1
    series.at_second(START + 400)[FAILED] += 1

    assert series.upper(300, FAILED) >= 1
    assert series.counts(300, START + 401)[FAILED] == 1
    assert series.counts(3600, START + 401)[FAILED] == 1


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900)), max_size=40))
def test_a_window_counts_what_a_scan_counts(added: list[tuple[int, int]]) -> None:
    window = Window(width=5)
    seen: list[int] = []
    for g, late in sorted(added):
        second = START + g - late
        window.add(second, one_call())
        seen.append(second)

        newest = (START + g) // 5
        inside = [s for s in seen if newest - 59 <= s // 5 <= newest]
        assert window.counts(START + g)[CALLS] == len(inside)
