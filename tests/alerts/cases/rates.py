"""`error_rate` of attempts, and `clear_below`."""

from __future__ import annotations

from typing import Any

from alerts.conditions import ErrorRate, Of
from alerts.matchers import parse_matcher
from alerts.rules import Rule

from .case import Case, absorbed, at, cancelled, exhausted, ok, provisional


def storm(**fields: Any) -> Rule:
    condition = ErrorRate(of=Of.ATTEMPTS, above=0.3, window_s=60, min_failed=1, min_absorbed=3)
    return Rule(**({"alert": "Storm", "condition": condition, "keep_firing_for_s": 10} | fields))


def rate(**fields: Any) -> Rule:
    condition = ErrorRate(above=0.5, window_s=60, min_failed=2)
    return Rule(**({"alert": "Rate", "condition": condition, "clear_below": 0.2, "keep_firing_for_s": 0} | fields))


STORMS = {
    "storm: three absorbed of four attempts fire, and an empty window is no recovery": Case(
        rule=storm(),
        log=(at(0.5, absorbed(3), ok()),),
        until=4000,
        expected=("fired 1", "resolved 3601 stale"),
    ),
    "storm: the failures leave the window before the successes": Case(
        rule=storm(),
        log=(at(0.5, absorbed(3), ok()), at(30.5, ok())),
        until=100,
        expected=("fired 1", "resolved 70 recovered"),
    ),
    "storm: failed calls were not absorbed": Case(
        rule=storm(),
        log=(at(0.5, absorbed(2), exhausted(2), ok()),),
        until=100,
        expected=(),
    ),
    "storm: nobody absorbs while every call fails": Case(
        rule=storm(),
        log=(at(0.5, absorbed(3), exhausted()), at(10.5, ok())),
        until=20,
        expected=("fired 11",),
    ),
    "storm: provisional failures are absorbed when they are taken back": Case(
        rule=storm(),
        log=(at(0.5, provisional("a", "b", "c"), ok()), at(5.5, *(ok(call_id=c, attempt=2) for c in "abc"))),
        until=20,
        expected=("fired 6",),
    ),
    "storm: a failure that does not match is among the attempts": Case(
        rule=storm(match=(parse_matcher('category="overloaded"'),)),
        log=(at(0.5, absorbed(3, status=529), absorbed(7), ok()), at(1.5, absorbed(status=529))),
        until=20,
        expected=("fired 2",),
    ),
    "storm: a call that failed in another way was not absorbed either": Case(
        rule=storm(match=(parse_matcher('category="overloaded"'),)),
        log=(at(0.5, absorbed(3, status=529), exhausted()),),
        until=20,
        expected=("fired 1",),
    ),
    "storm: each attempt of one call counts": Case(
        rule=storm(),
        log=(at(0.5, *(absorbed(call_id="c", attempt=n) for n in (1, 2, 3)), ok(call_id="c", attempt=4)),),
        until=20,
        expected=("fired 1",),
    ),
    "storm: cancelled attempts are none": Case(
        rule=storm(),
        log=(at(0.5, absorbed(3), ok(), cancelled(100)),),
        until=20,
        expected=("fired 1",),
    ),
    "storm: a late one counts in the window that it still lies in": Case(
        rule=storm(),
        log=(at(0.5, absorbed(2), ok()), at(30.5, absorbed(late=29))),
        until=40,
        expected=("fired 31",),
    ),
    "storm: one that comes too late for the window does not": Case(
        rule=storm(),
        log=(at(20.5, absorbed(2), ok()), at(70.5, ok(), absorbed(late=65))),
        until=75,
        expected=(),
    ),
    "storm: calms while it is pending": Case(
        rule=storm(hold_s=5),
        log=(at(0.5, absorbed(3), ok()), at(3.5, ok(10))),
        until=20,
        expected=("pending 1", "calmed 4"),
    ),
    "storm: a provisional failure is final to a matcher, even if it is taken back": Case(
        rule=storm(match=(parse_matcher('final="true"'),)),
        log=(at(0.5, provisional("a", "b", "c"), ok()), at(5.5, *(ok(call_id=c, attempt=2) for c in "abc"))),
        until=20,
        expected=("fired 6",),
    ),
    "storm: it is not final to a matcher when the next attempt came first": Case(
        rule=storm(match=(parse_matcher('final="true"'),)),
        log=(at(0.5, *(ok(call_id=c, attempt=2) for c in "abc")), at(5.5, provisional("a", "b", "c"))),
        until=20,
        expected=(),
    ),
    "storm: without min_absorbed failed calls are a storm too": Case(
        rule=storm(condition=ErrorRate(of=Of.ATTEMPTS, above=0.3, window_s=60, min_failed=2)),
        log=(at(0.5, exhausted(), ok()), at(5.5, exhausted())),
        until=20,
        expected=("fired 6",),
    ),
}

CLEARINGS = {
    "clear_below: holds between the two shares": Case(
        rule=rate(),
        log=(at(0.5, exhausted(2), ok()), at(5.5, ok(3)), at(9.5, ok(5))),
        until=20,
        expected=("fired 1", "resolved 10 recovered"),
    ),
    "clear_below: without it the same log resolves earlier": Case(
        rule=rate(clear_below=None),
        log=(at(0.5, exhausted(2), ok()), at(5.5, ok(3)), at(9.5, ok(5))),
        until=20,
        expected=("fired 1", "resolved 6 recovered"),
    ),
    "clear_below: holds at the share itself": Case(
        rule=rate(),
        log=(at(0.5, exhausted(2), ok()), at(5.5, ok(7)), at(9.5, ok())),
        until=20,
        expected=("fired 1", "resolved 10 recovered"),
    ),
    "clear_below: nothing begins between the two": Case(
        rule=rate(),
        log=(at(0.5, exhausted(2), ok(3)),),
        until=20,
        expected=(),
    ),
    "clear_below: a pending alert must be over the higher one": Case(
        rule=rate(hold_s=5),
        log=(at(0.5, exhausted(2), ok()), at(2.5, ok())),
        until=20,
        expected=("pending 1", "calmed 3"),
    ),
    "clear_below: one failure is enough while it fires, and an empty window says nothing": Case(
        rule=rate(),
        log=(at(0.5, exhausted()), at(30.5, exhausted())),
        until=4000,
        expected=("fired 31", "resolved 3631 stale"),
    ),
    "clear_below: no failure at all is below it": Case(
        rule=rate(),
        log=(at(0.5, exhausted(2)), at(50.5, ok())),
        until=70,
        expected=("fired 1", "resolved 60 recovered"),
    ),
    "clear_below: an alert that is only kept holds again above it": Case(
        rule=rate(keep_firing_for_s=20),
        log=(at(0.5, exhausted(2), ok()), at(5.5, ok(9)), at(10.5, exhausted(2)), at(15.5, ok(20))),
        until=50,
        expected=("fired 1", "resolved 36 recovered"),
    ),
    "clear_below: what is taken back is no failure": Case(
        rule=rate(),
        log=(
            at(0.5, provisional("a", "b"), ok()),
            at(5.5, ok(call_id="a", attempt=2)),
            at(8.5, ok(call_id="b", attempt=2)),
        ),
        until=20,
        expected=("fired 1", "resolved 9 recovered"),
    ),
}

RISES = {
    "rise: successes leave the window before the failures, and nobody calls": Case(
        rule=rate(),
        log=(at(0.5, ok(5)), at(20.5, exhausted()), at(40.5, exhausted())),
        until=70,
        expected=("fired 60",),
    ),
    "rise: in a longer window at the end of a bucket, and an empty one says nothing": Case(
        rule=rate(condition=ErrorRate(above=0.5, window_s=600, min_failed=2)),
        log=(at(5.5, ok(5)), at(12.5, exhausted(2))),
        until=700,
        expected=("fired 600",),
    ),
    "rise: of attempts": Case(
        rule=storm(condition=ErrorRate(of=Of.ATTEMPTS, above=0.3, window_s=60, min_failed=2, min_absorbed=2)),
        log=(at(0.5, ok(5)), at(20.5, absorbed(2), ok())),
        until=70,
        expected=("fired 60",),
    ),
    "rise: to what chance does not explain": Case(
        rule=rate(condition=ErrorRate(above=0.5, window_s=60, min_failed=2, confidence=0.95), clear_below=None),
        log=(at(0.5, ok()), at(20.5, exhausted(3))),
        until=70,
        expected=("fired 60",),
    ),
}

CASES = STORMS | CLEARINGS | RISES
