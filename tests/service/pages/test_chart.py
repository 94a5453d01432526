"""The geometry of the last hour."""

from __future__ import annotations

import re

from service.pages.chart import draw, rolling

NOON = 1_790_000_000
START = NOON // 60 * 60 - 59 * 60


def test_an_hour_without_calls_draws_nothing() -> None:
    chart = draw([], now=NOON)

    assert (chart.calls, chart.failed, chart.rate, chart.most, chart.peak) == ("", "", "", 0, None)
    assert chart.words == "No calls in the last hour."


def test_no_calls_break_the_line_and_are_not_zero_errors() -> None:
    rates = rolling([10, 0, 0, 0, 0, 0, 10], [1, 0, 0, 0, 0, 0, 0])

    assert rates == [0.1, 0.1, 0.1, 0.1, 0.1, None, 0.0]
    assert draw([(START, 10, 1), (START + 1800, 10, 0)], now=NOON).rate.count("M") == 2


def test_minutes_outside_the_hour_and_odd_counts_are_kept_out() -> None:
    chart = draw([(START - 60, 99, 99), (START + 3600, 99, 99), (START, 4, 9), (START + 60, -3, -3)], now=NOON)

    assert chart.most == 4
    assert chart.peak == 1.0
    assert "Last hour: 4 calls, 4 failed" in chart.words


def test_a_single_failure_among_thousands_can_be_seen() -> None:
    chart = draw([(START, 10_000, 1)], now=NOON)

    assert chart.failed == "M0.09 100V95h0.82V100z"


def test_the_threshold_line_has_room_above_it() -> None:
    assert draw([(START, 100, 1)], now=NOON).top == 0.1
    assert draw([(START, 100, 1)], now=NOON).threshold_y == 50.0
    assert draw([(START, 100, 40)], now=NOON).top == 0.5
    assert draw([(START, 100, 100)], now=NOON, threshold=0.9).top == 1.0


def test_every_point_lies_inside_the_plane() -> None:
    chart = draw([(START + 60 * i, i % 7 * 100, i % 5) for i in range(60)], now=NOON)

    for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", chart.rate):
        assert 0 <= float(x) <= 60
        assert 0 <= float(y) <= 100


def test_when_it_fired_is_marked_and_cut_at_the_edges() -> None:
    fired = [(START - 600, START + 60), (START + 1800, None), (START - 900, START - 800)]

    spans = draw([(START, 1, 1)], now=NOON, fired=fired).spans

    assert [(s.start, s.ended) for s in spans] == [(0.0, True), (30.0, False)]
    assert spans[0].width == 1.0
    assert spans[1].start + spans[1].width <= 60.0
