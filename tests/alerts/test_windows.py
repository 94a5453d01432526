"""alerts/windows.py and alerts/meters.py: rolling counts in 60 buckets."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from alerts.meters import Series, buckets_of, new_series, seconds_of
from alerts.windows import BUCKETS, CALLS, COLUMNS, FAILED, Window

START = 1_790_000_000


def counted(series: Series, *seconds: int, columns: tuple[int, ...] = (CALLS,)) -> None:
    """Have a series count one event at each second."""
    widths = tuple(window.width for window in series.windows.values())
    series.add(buckets_of(seconds_of([float(second) for second in seconds]), widths), columns)


def test_a_window_holds_the_bucket_of_now_and_the_59_before_it() -> None:
    window = Window(width=5)
    window.add([(START // 5, 1)], (CALLS,))

    held = [window.counts(START + age)[CALLS] for age in (0, 299)]
    gone = window.counts(START + 300)[CALLS]

    assert (held, gone) == ([1, 1], 0)


def test_a_late_count_goes_where_it_belongs() -> None:
    window = Window(width=5)
    for second in (100, 50, 75, 100, 0):
        window.add([((START + second) // 5, 1)], (CALLS,))

    assert [window.counts(START + g)[CALLS] for g in (100, 300, 350, 375, 400)] == [5, 4, 3, 2, 0]


def test_what_is_taken_back_is_gone_from_every_window() -> None:
    series = new_series((300, 3600))
    counted(series, START, START, columns=(CALLS, FAILED))

    series.take_back(START + 0.75, (CALLS, FAILED))

    assert [series.counts(length, START + 1)[:2] for length in (300, 3600)] == [[1, 1], [1, 1]]


def test_what_is_taken_back_after_it_has_left_the_window_leaves_nothing_behind() -> None:
    series = new_series((300, 3600))
    counted(series, START, columns=(FAILED,))
    series.counts(300, START + 400)

    series.take_back(float(START), (FAILED,))
    counted(series, START + 400, columns=(FAILED,))

    assert series.counts(300, START + 401)[FAILED] == 1
    assert series.counts(3600, START + 401)[FAILED] == 1


@given(st.lists(st.integers(0, 20_000), max_size=60), st.sampled_from([(5, 60), (5, 60, 1440), (7, 60, 120)]))
def test_every_width_has_each_second_in_its_bucket(seconds: list[int], widths: tuple[int, ...]) -> None:
    """Where a width is no multiple of the one before it too."""
    found = buckets_of(seconds_of([START + s + 0.5 for s in seconds]), widths)

    for width in widths:
        buckets = [(START + s) // width for s in seconds]
        assert found[width] == [(bucket, buckets.count(bucket)) for bucket in sorted(set(buckets))]


@given(st.lists(st.tuples(st.integers(0, 900), st.integers(0, 900), st.integers(1, 3)), max_size=40))
def test_a_window_counts_what_a_scan_counts(added: list[tuple[int, int, int]]) -> None:
    window = Window(width=5)
    seen: list[int] = []
    for g, late, n in sorted(added):
        second = START + g - late
        window.add([(second // 5, n)], (CALLS, FAILED))
        seen += [second] * n

        assert window.counts(START + g)[:3] == [len(inside(seen, START + g))] * 2 + [0]


def inside(seconds: Iterable[int], g: int, *, width: int = 5) -> list[int]:
    newest = g // width
    return [s for s in seconds if newest - 59 <= s // width <= newest]


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans()), max_size=60), st.data())
def test_what_is_taken_back_was_never_counted(added: list[tuple[int, bool]], data: st.DataObject) -> None:
    """Or had left the window."""
    window = Window(width=5)
    kept: list[int] = []
    for second, _ in sorted(added):
        window.add([((START + second) // 5, 1)], (CALLS, FAILED))
    g = START + data.draw(st.integers(400, 800))
    window.counts(g)
    for second, back in added:
        if back:
            window.take_back((START + second) // 5, (CALLS, FAILED))
        else:
            kept.append(START + second)

    assert window.counts(g)[:2] == [len(inside(kept, g))] * 2


def test_a_bucket_has_one_row_of_all_columns_however_late_and_often_its_counts_come() -> None:
    window = Window(width=5)
    for bucket in (7, 3, 5, 3, 7, 5, 9):
        window.add([(bucket, 2)], range(COLUMNS))

    assert window.rows == [[3, *[4] * 5], [5, *[4] * 5], [7, *[4] * 5], [9, *[2] * 5]]
    assert window.totals == [14] * 5


def test_rows_that_have_left_are_let_go_without_being_asked_for() -> None:
    """A key that nobody looks at must not grow; what is still in the window stays."""
    window = Window(width=5)
    for bucket in range(1000):
        window.add([(bucket, 1)], (CALLS,))
        held = [row[0] for row in window.rows]
        assert held[-BUCKETS:] == list(range(max(0, bucket - BUCKETS + 1), bucket + 1))
        assert len(held) < 2 * BUCKETS
        assert window.totals[CALLS] == len(held)


def test_a_row_leaves_when_its_bucket_is_60_buckets_old() -> None:
    window = Window(width=5)
    assert window.next_leave() is None

    window.add([(3, 1), (4, 1)], (CALLS,))

    assert (window.next_leave(), [window.counts(g)[CALLS] for g in (314, 315)]) == (315, [2, 1])
    assert window.next_leave() == 320


@pytest.mark.parametrize(("now", "left"), [(24.9, [3, 4]), (25.0, [3, 4, 5]), (14.9, []), (1000.0, [3, 4, 5, 6])])
def test_a_clock_that_was_set_back_takes_the_buckets_that_begin_later_away(now: float, left: list[int]) -> None:
    window = Window(width=5)
    for column in range(COLUMNS):
        window.add([(bucket, 100 * bucket + column) for bucket in (3, 4, 5, 6)], (column,))

    window.forget_after(now)

    assert window.rows == [[bucket, *(100 * bucket + column for column in range(COLUMNS))] for bucket in left]
    assert window.totals == [sum(100 * bucket + column for bucket in left) for column in range(COLUMNS)]


# ── when a share may be over a limit, or under it ─────────────────────────────

Row = tuple[int, int, int]
"""(bucket, calls, failed)."""
ABOVE = st.sampled_from([0.01, 0.05, 0.3, 0.5, 0.9])
ROWS = st.dictionaries(
    st.integers(0, BUCKETS - 1), st.integers(0, 30).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))
).map(lambda found: [(bucket, calls, failed) for bucket, (calls, failed) in sorted(found.items()) if calls])
WIDTH = 5
NOW = (START // WIDTH + BUCKETS - 1) * WIDTH


def filled(rows: list[Row]) -> Window:
    """A window at NOW with counts in the buckets that are still in it."""
    window = Window(width=WIDTH)
    for bucket, calls, failed in rows:
        window.add([(START // WIDTH + bucket, calls)], (CALLS,))
        window.add([(START // WIDTH + bucket, failed)], (FAILED,))
    return window


def at(rows: list[Row], g: int) -> tuple[int, int]:
    """Calls and failed ones at a second, by a scan."""
    left = [row for row in rows if START // WIDTH + row[0] > g // WIDTH - BUCKETS]
    return sum(row[1] for row in left), sum(row[2] for row in left)


def over(calls: int, failed: int, *, above: float, least: int) -> bool:
    return calls > 0 and failed >= least and failed / calls > above


SECONDS = range(NOW, NOW + BUCKETS * WIDTH + 1)


@given(ROWS, ABOVE, st.integers(1, 5))
def test_a_share_does_not_rise_over_its_limit_in_silence_before_next_rise(
    rows: list[Row], above: float, least: int
) -> None:
    rise = filled(rows).next_rise(FAILED, CALLS, above=above, least=least)

    if over(*at(rows, NOW), above=above, least=least):
        return
    risen = [g for g in SECONDS if over(*at(rows, g), above=above, least=least)]
    assert not risen or (rise is not None and rise <= risen[0])


@given(ROWS, ABOVE, st.integers(1, 5))
def test_next_rise_is_an_instant_at_which_the_share_is_over(rows: list[Row], above: float, least: int) -> None:
    """Or so near to the limit that rounding may hide it; else it would be looked at in vain, again and again."""
    rise = filled(rows).next_rise(FAILED, CALLS, above=above, least=least)

    if rise is not None:
        calls, failed = at(rows, rise)
        assert rise > NOW
        assert failed >= least
        assert failed > above * calls * (1 - 1e-6)


def test_an_empty_window_has_nothing_to_spare_and_no_instant_at_which_it_would() -> None:
    assert Window(width=WIDTH).spare(FAILED, CALLS, above=0.05, least=1) == (0, None)


@given(ROWS, ABOVE, st.integers(1, 5), st.data())
def test_a_share_stays_over_its_limit_for_all_that_spare_lets_come(
    rows: list[Row], above: float, least: int, data: st.DataObject
) -> None:
    """Successes, at any instant until then."""
    assume(over(*at(rows, NOW), above=above, least=least))
    spare, until = filled(rows).spare(FAILED, CALLS, above=above, least=least)

    come = data.draw(st.integers(0, spare))
    for g in SECONDS if until is None else range(NOW, until):
        calls, failed = at(rows, g)
        if calls or come:
            assert over(calls + come, failed, above=above, least=least), (g, come)


@given(ROWS, ABOVE, st.integers(1, 5), st.data())
def test_a_share_stays_under_its_limit_for_all_the_failures_that_need_lets_come(
    rows: list[Row], above: float, least: int, data: st.DataObject
) -> None:
    assume(not over(*at(rows, NOW), above=above, least=least))
    need, until = filled(rows).need(FAILED, CALLS, above=above, least=least)

    come = data.draw(st.integers(0, need))
    for g in range(NOW, int(min(until, SECONDS[-1]))):
        calls, failed = at(rows, g)
        assert not over(calls + come, failed + come, above=above, least=least), (g, come)


def may_come(calls: int, failed: int, above: float) -> float:
    """How many successes bring a share that is over down to its limit."""
    return failed / above - calls


def may_fail(calls: int, failed: int, above: float) -> float:
    """How many failures bring a share that is not over up to its limit."""
    return (above * calls - failed) / (1 - above)


@given(ROWS, ABOVE, st.integers(1, 5))
def test_a_share_is_left_alone_as_long_as_half_of_its_spare_is_left(rows: list[Row], above: float, least: int) -> None:
    """A busy key must not be looked at more often than its share can change."""
    assume(over(*at(rows, NOW), above=above, least=least))
    spare, until = filled(rows).spare(FAILED, CALLS, above=above, least=least)
    now = may_come(*at(rows, NOW), above)

    assert now / 2 - 3 <= spare <= now
    assert until is not None
    calls, failed = at(rows, until)
    assert now < 4 or failed < least or 2 * (may_come(calls, failed, above) - 3) <= now
    if now >= 4:
        earlier = range(NOW, until)
        assert all(2 * (may_come(*at(rows, g), above) + 1) >= now - 3 for g in earlier)
        assert all(at(rows, g)[1] >= least for g in earlier)


@given(ROWS, ABOVE, st.integers(1, 5))
def test_a_share_under_its_limit_is_left_alone_as_long_as_half_of_its_need_is_left(
    rows: list[Row], above: float, least: int
) -> None:
    assume(not over(*at(rows, NOW), above=above, least=least))
    need, until = filled(rows).need(FAILED, CALLS, above=above, least=least)
    calls, failed = at(rows, NOW)
    now = max(may_fail(calls, failed, above), least - 1 - failed)

    assert max(0, now / 2 - 3) <= need <= max(0, now)
    if until != inf:
        assert NOW < until <= SECONDS[-1]
        calls, failed = at(rows, int(until))
        assert now < 4 or 2 * (max(may_fail(calls, failed, above), least - 1 - failed) - 3) <= now
