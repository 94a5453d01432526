"""`silent`: after 10 min, steady for 10 min; the window is 30 min, its buckets 30 s, and begin at 10."""

from __future__ import annotations

from typing import Any

from alerts.conditions import Silent
from alerts.rules import Rule

from .case import Case, at, cancelled, ok, resumed, stream


def silent(*, per_minute: float = 2, **fields: Any) -> Rule:
    condition = Silent(after_s=600, steady_s=600, per_minute=per_minute)
    settings = {"alert": "Silent", "condition": condition, "keep_firing_for_s": 0, "stale_after_s": 2000}
    return Rule(**(settings | fields))


def seconds(first: int, last: int, step: int = 10) -> list[float]:
    return [s + 0.5 for s in range(first, last + 1, step)]


# The last at 700.5; the buckets from 130 to 700 must have one attempt each.
STEADY = stream(seconds(0, 700))

CASES = {
    "silent: 10 min after the last of a steady stream, until it is stale": Case(
        rule=silent(),
        log=STEADY,
        until=3000,
        expected=("fired 1301", "resolved 2701 stale"),
    ),
    "silent: ends with the first event, and who is not steady again is not missed": Case(
        rule=silent(),
        log=(*STEADY, at(1400.5, ok())),
        until=5000,
        expected=("fired 1301", "resolved 1401 recovered"),
    ),
    "silent: a cancelled attempt ends it too": Case(
        rule=silent(),
        log=(*STEADY, at(1400.5, cancelled())),
        until=1500,
        expected=("fired 1301", "resolved 1401 recovered"),
    ),
    "silent: a late event ends it only when it is young enough": Case(
        rule=silent(),
        log=(*STEADY, at(1400.5, ok(late=650)), at(1450.5, ok(late=590))),
        until=1500,
        expected=("fired 1301", "resolved 1451 recovered"),
    ),
    "silent: one empty bucket is not steady": Case(
        rule=silent(),
        log=stream(seconds(0, 300) + seconds(340, 700)),
        until=3000,
        expected=(),
    ),
    "silent: a bucket that is filled late is full": Case(
        rule=silent(),
        log=(*stream(seconds(0, 300) + seconds(340, 600)), at(605.5, ok(late=290)), *stream(seconds(610, 700))),
        until=1400,
        expected=("fired 1301",),
    ),
    "silent: an empty bucket before the 10 min does not matter": Case(
        rule=silent(),
        log=stream(seconds(0, 30) + seconds(130, 700)),
        until=1400,
        expected=("fired 1301",),
    ),
    "silent: who came 7 min ago was not steady, and does not become it": Case(
        rule=silent(),
        log=stream(seconds(300, 700)),
        until=5000,
        expected=(),
    ),
    "silent: just enough attempts": Case(
        rule=silent(),
        log=stream(seconds(20, 680, 30)),
        until=1400,
        expected=("fired 1281",),
    ),
    "silent: just not enough attempts": Case(
        rule=silent(per_minute=2.1),
        log=stream(seconds(20, 680, 30)),
        until=1400,
        expected=(),
    ),
    "silent: cancelled attempts are heard, and are not what is steady": Case(
        rule=silent(),
        log=(*STEADY, at(730.5, cancelled(app="default")), *stream(seconds(0, 700), app="b", error_type="cancelled")),
        until=1400,
        expected=("fired 1331",),
    ),
    "silent: failures are heard as well": Case(
        rule=silent(),
        log=stream(seconds(0, 700), status=500, final=False),
        until=1400,
        expected=("fired 1301",),
    ),
    "silent: 10 min after a pause": Case(
        rule=silent(),
        log=(*STEADY, resumed(1100.5)),
        until=1800,
        expected=("fired 1701",),
    ),
    "silent: nobody knows who was steady before a longer pause": Case(
        rule=silent(),
        log=(*STEADY, resumed(1500.5)),
        until=4000,
        expected=(),
    ),
    "silent: an alert that fires goes on after a pause, and is stale later": Case(
        rule=silent(),
        log=(*STEADY, at(1400), resumed(1500.5)),
        until=4000,
        expected=("fired 1301", "resolved 3501 stale"),
    ),
    "silent: a pending alert is not asked again whether it was steady": Case(
        rule=silent(hold_s=1000, stale_after_s=4000),
        log=STEADY,
        until=5000,
        expected=("pending 1301", "fired 2301", "resolved 4701 stale"),
    ),
    "silent: a pending alert is calmed by an event": Case(
        rule=silent(hold_s=1000, stale_after_s=4000),
        log=(*STEADY, at(1400.5, ok())),
        until=5000,
        expected=("pending 1301", "calmed 1401"),
    ),
}
