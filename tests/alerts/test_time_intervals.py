"""alerts/time_intervals.py and how a file says them: Alertmanager's facts."""

from __future__ import annotations

from datetime import datetime

import pytest

from alerts.config import parse_config
from alerts.routes import Route
from alerts.time_intervals import Span, TimeInterval, muted_by

BUSINESS = {"weekdays": ["monday:friday"], "times": [{"start_time": "09:00", "end_time": "17:00"}]}


def read(*spans: object, setting: str = "time_intervals") -> tuple[TimeInterval, list[str]]:
    """Return the interval that a file says, and what is wrong with it."""
    config, problems = parse_config({setting: [{"name": "x", "time_intervals": list(spans)}]}, ())
    return config.time_intervals["x"], [problem.said for problem in problems]


def contains(span: object, when: str) -> bool:
    interval, problems = read(span)
    assert problems == []
    return interval.contains(datetime.fromisoformat(when).timestamp())


@pytest.mark.parametrize(
    ("span", "inside", "outside"),
    [
        ({}, ["2006-01-02T15:04Z"], []),
        (
            BUSINESS,
            ["2020-05-04T15:04Z", "2020-05-05T09:00Z", "2020-05-05T16:59:59Z"],
            ["2020-05-03T15:04Z", "2020-05-04T08:59:59Z", "2020-05-04T17:00Z"],
        ),
        (
            {"days_of_month": ["4:6"], "months": ["april"], "years": ["2020"]},
            ["2020-04-04T15:04Z", "2020-04-06T23:59Z"],
            ["2018-04-04T15:04Z", "2020-04-03T23:59Z", "2020-06-04T23:59Z", "2020-04-07T00:00Z"],
        ),
        (
            {"days_of_month": ["-3:-1"]},
            ["2020-01-31T15:04Z", "2020-01-29T15:04Z", "2020-06-30T00:00Z", "2020-02-29T23:05Z", "2020-02-27T00:00Z"],
            ["2020-01-28T15:04Z", "2020-03-01T00:00Z", "2020-02-26T23:59Z"],
        ),
        # Cut at the length of the month, in it and never in the next.
        (
            {"months": ["6"], "days_of_month": ["-31:-1"]},
            ["2020-06-30T00:00Z", "2020-06-01T00:00Z"],
            ["2020-05-31T00:00Z", "2020-07-01T00:00Z"],
        ),
        ({"months": ["february"], "days_of_month": ["30:31"]}, [], ["2021-02-28T13:00Z"]),
        ({"days_of_month": ["1:-1"]}, ["2021-02-28T13:00Z", "2021-02-01T00:00Z"], []),
        ({"times": [{"start_time": "16:00", "end_time": "24:00"}]}, ["2020-05-04T23:59:59Z"], ["2020-05-05T00:00Z"]),
        ({"times": []}, [], ["2020-05-04T12:00Z"]),
        # Sunday is the first day of the week.
        ({"weekdays": ["sunday:monday"]}, ["2020-05-03T00:00Z", "2020-05-04T00:00Z"], ["2020-05-02T00:00Z"]),
        ({"months": ["January:march", 12]}, ["2020-02-01T00:00Z", "2020-12-31T00:00Z"], ["2020-04-01T00:00Z"]),
        ({"years": ["2020:2022"]}, ["2022-12-31T23:59Z"], ["2023-01-01T00:00Z", "2019-12-31T23:59Z"]),
        (
            BUSINESS | {"location": "Australia/Sydney"},
            ["2021-04-06T13:00+10:00", "2021-10-31T22:00Z"],
            ["2021-04-06T13:00Z", "2021-10-31T21:00Z"],
        ),
        (
            {"days_of_month": ["-1"], "location": "America/New_York"},
            ["2021-03-31T12:00-04:00"],
            ["2021-03-30T12:00-04:00", "2021-03-31T00:00Z"],
        ),
        # What YAML makes of 17:00, 1:15 and 3 without quotes.
        ({"times": [{"start_time": 600, "end_time": 1020}]}, ["2020-05-04T16:59Z"], ["2020-05-04T17:00Z"]),
        ({"days_of_month": [75, 20]}, ["2020-05-15T00:00Z", "2020-05-20T00:00Z"], ["2020-05-16T00:00Z"]),
        ({"months": [3]}, ["2020-03-15T00:00Z"], ["2020-04-01T00:00Z"]),
        ({"years": [2026]}, ["2026-03-15T00:00Z"], ["2027-04-01T00:00Z"]),
        ({"weekdays": None, "times": None, "location": ""}, ["2026-03-15T00:00Z"], []),
    ],
)
def test_an_interval_contains_what_it_contains_in_alertmanager(
    span: object, inside: list[str], outside: list[str]
) -> None:
    assert [when for when in inside if not contains(span, when)] == []
    assert [when for when in outside if contains(span, when)] == []


def test_an_instant_lies_in_an_interval_that_lies_in_one_of_its_spans() -> None:
    interval, _ = read({"months": ["may"]}, {"weekdays": ["monday"]})

    def at(when: str) -> bool:
        return interval.contains(datetime.fromisoformat(when).timestamp())

    assert (at("2020-05-05T00:00Z"), at("2020-06-01T00:00Z"), at("2020-06-02T00:00Z")) == (True, True, False)
    assert not TimeInterval(name="never").contains(0.0)


def test_an_interval_may_stand_under_its_old_name() -> None:
    assert read(BUSINESS, setting="mute_time_intervals") == read(BUSINESS)


@pytest.mark.parametrize(
    ("span", "said"),
    [
        ({"times": [{"start_time": "17:31", "end_time": "17:31"}]}, "times[0]: start_time must be before end_time"),
        ({"times": [{"start_time": "09:30", "end_time": "07:41"}]}, "times[0]: start_time must be before end_time"),
        ({"times": [{"start_time": "12:30", "end_time": "24:01"}]}, "times[0].end_time: '24:01': not a time"),
        ({"times": [{"start_time": "9:00", "end_time": "10:00"}]}, "times[0].start_time: '9:00': not a time"),
        ({"times": [{"start_time": 540, "end_time": "10:00"}]}, "times[0].start_time: 540: not a time"),
        ({"times": [{"start_time": "14:03"}]}, "times[0]: end_time: missing"),
        ({"times": [{"start": "14:03"}]}, "times[0].start: not a setting: one of start_time, end_time"),
        ({"weekdays": "monday"}, "weekdays: 'monday': expected a list"),
        ({"weekdays": ["friday:monday"]}, "weekdays[0]: 'friday:monday': ends before it begins"),
        ({"weekdays": ["mondag"]}, "weekdays[0]: 'mondag': not a weekday: did you mean monday?"),
        ({"weekdays": ["1:3"]}, "weekdays[0]: '1:3': not a weekday"),
        ({"weekdays": [True]}, "weekdays[0]: True: expected a text, in quotes"),
        ({"days_of_month": ["0"]}, "days_of_month[0]: '0': not a day of the month"),
        ({"days_of_month": ["-50:-20"]}, "days_of_month[0]: '-50:-20': not a day of the month"),
        ({"days_of_month": ["1:50"]}, "days_of_month[0]: '1:50': not a day of the month"),
        ({"days_of_month": ["-15:5"]}, "days_of_month[0]: '-15:5': a range that begins with a negative day"),
        ({"days_of_month": ["10:-25"]}, "days_of_month[0]: '10:-25': ends before it begins"),
        ({"days_of_month": ["1:2:3"]}, "days_of_month[0]: '1:2:3': not a number"),
        ({"months": ["martius:june"]}, "months[0]: 'martius:june': not a number"),
        ({"months": ["december:january"]}, "months[0]: 'december:january': ends before it begins"),
        ({"months": ["13"]}, "months[0]: '13': not a month"),
        ({"years": ["2022:2020"]}, "years[0]: '2022:2020': ends before it begins"),
        ({"location": "Mars/Olympus"}, "location: 'Mars/Olympus': not a time zone"),
        ({"location": "Local"}, "location: 'Local': not a time zone"),
        ({"location": 3}, "location: 3: not a time zone"),
        ({"hours": []}, "hours: not a setting: one of times, weekdays"),
    ],
)
def test_what_is_no_interval_is_refused_with_its_place(span: object, said: str) -> None:
    _, problems = read(span)

    assert problems[0].startswith(f"time_intervals[0].time_intervals[0].{said}"), problems


def test_two_intervals_of_one_name_are_refused() -> None:
    data = {"mute_time_intervals": [{"name": "x"}], "time_intervals": [{"name": "x"}]}

    assert [p.said for p in parse_config(data, ())[1]] == [
        "time_intervals[0].name: 'x': used twice: give each time interval a name of its own"
    ]


# ── what mutes a route ────────────────────────────────────────────────────────

ALWAYS = TimeInterval(name="always", spans=(Span(),))
NEVER = TimeInterval(name="never")
INTERVALS = {"always": ALWAYS, "never": NEVER}


@pytest.mark.parametrize(
    ("mute", "active", "by"),
    [
        ((), (), []),
        (("never",), (), []),
        (("never", "always", "always"), (), ["always"]),
        ((), ("never",), ["never"]),
        ((), ("never", "always"), []),
        (("always",), ("always",), ["always"]),
        # What is outside of its active time says so, whatever else mutes it.
        (("always",), ("never",), ["never"]),
        # Of a configuration that was replaced: quiet is not the safe side.
        (("gone",), ("gone",), []),
    ],
)
def test_a_route_is_quiet_in_its_mute_intervals_and_outside_its_active_ones(
    mute: tuple[str, ...], active: tuple[str, ...], by: list[str]
) -> None:
    route = Route(receiver="x", mute_time_intervals=mute, active_time_intervals=active)

    assert muted_by(route, INTERVALS, 0.0) == by
