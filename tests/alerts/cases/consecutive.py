"""`consecutive`: what a success in the same second does."""

from __future__ import annotations

from typing import Any

from alerts.conditions import Consecutive
from alerts.rules import Rule

from .case import Case, at, exhausted, ok


def row(count: int, *, settle_s: float = 0.0, adaptive: bool = False, **fields: Any) -> Rule:
    condition = Consecutive(count=count, settle_s=settle_s, adaptive=adaptive)
    return Rule(**({"alert": "Row", "condition": condition, "keep_firing_for_s": 60} | fields))


CASES = {
    "consecutive: a success at the instant of a failure comes first": Case(
        rule=row(2, settle_s=2),
        log=(at(0.5, exhausted()), at(30.5, ok(), exhausted())),
        until=50,
        expected=(),
    ),
    "consecutive: a success that has not settled ends no run before it": Case(
        rule=row(2, settle_s=2),
        log=(at(0.5, exhausted(2)), at(1.5, ok(), exhausted())),
        until=3.5,
        expected=("fired 3",),
    ),
    "consecutive: a run that a success of the same second ends holds for one second": Case(
        rule=row(3),
        log=(at(20.5, exhausted()), at(40.5, exhausted()), at(60.5, ok(), exhausted(late=0.25))),
        until=200,
        expected=("fired 61", "resolved 122 recovered"),
    ),
    "consecutive: a success that settles later ends it later": Case(
        rule=row(2, settle_s=2),
        log=(at(0.5, exhausted(2)), at(5.5, ok())),
        until=200,
        expected=("fired 3", "resolved 68 recovered"),
    ),
    "consecutive: a late success between them was there before they settled": Case(
        rule=row(2, settle_s=2),
        log=(at(0.5, exhausted()), at(5.5, exhausted()), at(6.5, ok(late=3))),
        until=200,
        expected=(),
    ),
    "consecutive: an adaptive count too": Case(
        rule=row(2, settle_s=2, adaptive=True),
        log=(at(0.5, exhausted(2)), at(1.5, ok(), exhausted())),
        until=3.5,
        expected=("fired 3",),
    ),
    "consecutive: a success that has not settled does not calm a run that was met": Case(
        rule=row(2, settle_s=7.5, hold_s=10),
        log=(at(0.5, exhausted()), at(1.5, exhausted()), at(18.5, ok(late=17.5))),
        until=100,
        expected=("pending 10", "fired 20", "resolved 87 recovered"),
    ),
    "consecutive: the failures of one call are one": Case(
        rule=row(2),
        log=(at(0.5, exhausted(3, call_id="a")), at(5.5, exhausted(call_id="b"))),
        until=50,
        expected=("fired 6",),
    ),
    "consecutive: what is too old as it is heard of begins no run": Case(
        rule=row(2),
        log=(at(100.5, exhausted(2, late=60)), at(101.5, exhausted(late=30))),
        until=150,
        expected=(),
    ),
}
