"""`parked`: two calls over 60 s."""

from __future__ import annotations

from typing import Any

from alerts.conditions import Parked
from alerts.matchers import parse_matcher
from alerts.rules import Rule

from .case import Case, Posted, absorbed, at, exhausted, ok, provisional


def parked(*, calls: int = 2, **fields: Any) -> Rule:
    condition = Parked(over_s=60, calls=calls)
    return Rule(**({"alert": "Parked", "condition": condition, "keep_firing_for_s": 0} | fields))


def park(*call_ids: str | None, after: float, **fields: Any) -> list[Posted]:
    return [p for c in call_ids for p in absorbed(status=429, retry_after_s=after, call_id=c, **fields)]


CASES = {
    "parked: from when they are observed until they wake": Case(
        rule=parked(),
        log=(at(0.5, park("a", "b", after=120)),),
        until=200,
        expected=("fired 1", "resolved 121 recovered"),
    ),
    "parked: the attempts of a call are one, parked until the last of them wakes": Case(
        rule=parked(),
        log=(at(0.5, park("a", after=120)), at(1.5, park("a", after=200)), at(10.5, park("b", after=300))),
        until=400,
        expected=("fired 11", "resolved 202 recovered"),
    ),
    "parked: the next attempt wakes its call": Case(
        rule=parked(),
        log=(at(0.5, park("a", "b", after=600)), at(100.5, ok(call_id="a", attempt=2))),
        until=200,
        expected=("fired 1", "resolved 101 recovered"),
    ),
    "parked: however long after": Case(
        rule=parked(),
        log=(at(0.5, park("a", "b", after=3000)), at(2000.5, ok(call_id="a", attempt=2))),
        until=2100,
        expected=("fired 1", "resolved 2001 recovered"),
    ),
    "parked: the same attempt again wakes nobody": Case(
        rule=parked(),
        log=(at(0.5, park("a", "b", after=120)), at(50.5, ok(call_id="a"))),
        until=200,
        expected=("fired 1", "resolved 121 recovered"),
    ),
    "parked: the next attempt came first": Case(
        rule=parked(),
        log=(
            at(0.5, ok(call_id="a", attempt=2)),
            at(1.5, park("a", "b", after=600)),
            at(5.5, park("c", after=600)),
        ),
        until=700,
        expected=("fired 6", "resolved 602 recovered"),
    ),
    "parked: the next attempt came first and is remembered for the whole minutes of 10 min": Case(
        rule=parked(),
        log=(at(0.5, ok(call_id="a", attempt=2)), at(639.5, park("a", "b", after=600))),
        until=700,
        expected=(),
    ),
    "parked: the next attempt came first and is forgotten": Case(
        rule=parked(),
        log=(at(0.5, ok(call_id="a", attempt=2)), at(640.5, park("a", "b", after=600))),
        until=700,
        expected=("fired 641",),
    ),
    "parked: the next attempt may be parked too": Case(
        rule=parked(),
        log=(at(0.5, park("a", "b", after=600)), at(100.5, park("a", after=120, attempt=2))),
        until=300,
        expected=("fired 1", "resolved 221 recovered"),
    ),
    "parked: in the same batch as the next attempt nobody sleeps": Case(
        rule=parked(),
        log=(at(0.5, park("a", "b", after=600), ok(call_id="a", attempt=2)),),
        until=50,
        expected=(),
    ),
    "parked: the next attempt may be of another model, which the rule splits by": Case(
        rule=parked(by=("app", "model")),
        log=(
            at(0.5, park("a", "b", after=600, model="m1")),
            at(50.5, ok(call_id="a", attempt=2, model="m2")),
        ),
        until=100,
        expected=("fired 1", "resolved 51 recovered"),
    ),
    "parked: the same call_id of another app is another call": Case(
        rule=parked(by=("model",)),
        log=(at(0.5, park("a", after=600, app="x"), park("a", after=600, app="y")),),
        until=50,
        expected=("fired 1",),
    ),
    "parked: a minute is not over a minute": Case(
        rule=parked(),
        log=(at(0.5, park("a", "b", after=60)), at(10.5, park("c", "d", after=60.25))),
        until=100,
        expected=("fired 11", "resolved 71 recovered"),
    ),
    "parked: who gave up does not sleep": Case(
        rule=parked(),
        log=(at(0.5, exhausted(2, status=429, retry_after_s=600)),),
        until=50,
        expected=(),
    ),
    "parked: a provisional failure sleeps": Case(
        rule=parked(),
        log=(at(0.5, provisional("a", "b", status=429, retry_after_s=100)),),
        until=200,
        expected=("fired 1", "resolved 101 recovered"),
    ),
    "parked: without a call_id each attempt stands for itself": Case(
        rule=parked(),
        log=(at(0.5, park(None, None, after=120)),),
        until=200,
        expected=("fired 1", "resolved 121 recovered"),
    ),
    "parked: only failures that match sleep": Case(
        rule=parked(match=(parse_matcher('category="overloaded"'),)),
        log=(at(0.5, park("a", "b", after=120)),),
        until=50,
        expected=(),
    ),
    "parked: who is heard of late sleeps the rest of the time": Case(
        rule=parked(),
        log=(at(110.5, park("a", "b", after=120, late=110)), at(300.5, park("a", "b", after=120, late=130))),
        until=400,
        expected=("fired 111", "resolved 121 recovered"),
    ),
    "parked: stale before they wake, and old failures begin nothing": Case(
        rule=parked(),
        log=(at(0.5, park("a", "b", after=10_000)),),
        until=11_000,
        expected=("fired 1", "resolved 3601 stale"),
    ),
    "parked: a young failure that does not sleep begins nothing on an old one": Case(
        rule=parked(calls=1),
        log=(at(0.5, exhausted(), park("a", after=5000, late=3600)), at(10.5, park("b", after=100))),
        until=200,
        expected=("fired 11",),
    ),
    "parked: others may go on sleeping while it is kept": Case(
        rule=parked(keep_firing_for_s=30),
        log=(at(0.5, park("a", "b", after=120)), at(130.5, park("c", "d", after=120))),
        until=400,
        expected=("fired 1", "resolved 281 recovered"),
    ),
    "parked: for so long": Case(
        rule=parked(hold_s=30),
        log=(at(0.5, park("a", "b", after=61)),),
        until=100,
        expected=("pending 1", "fired 31", "resolved 62 recovered"),
    ),
    "parked: not for so long": Case(
        rule=parked(hold_s=30),
        log=(at(0.5, park("a", "b", after=61)), at(10.5, ok(call_id="b", attempt=2))),
        until=100,
        expected=("pending 1", "calmed 11"),
    ),
    "parked: a thousand are remembered, those that wake last": Case(
        rule=parked(calls=1000),
        log=(
            at(0.5, *(park(f"c{n}", after=100 + n) for n in range(1001))),
            at(10.5, ok(call_id="c1000", attempt=2)),
        ),
        until=50,
        expected=("fired 1", "resolved 11 recovered"),
    ),
}
