"""`end_of_life` within 14 days. Noon is on 2026-09-21, and midnight comes at 35,200."""

from __future__ import annotations

from typing import Any

from alerts.conditions import EndOfLife
from alerts.rules import Rule

from .case import Case, Posted, at, cancelled, ok, resumed

SOON, LATER, FAR = "2026-10-05", "2026-10-06", "2027-01-01"


def end_of_life(**fields: Any) -> Rule:
    settings = {"condition": EndOfLife(), "by": ("app", "model"), "keep_firing_for_s": 0, "stale_after_s": 86_400}
    return Rule(**({"alert": "EndOfLife"} | settings | fields))


def says(date: str, **fields: Any) -> list[Posted]:
    return ok(model_end_of_life=date, **fields)


CASES = {
    "end of life: within 14 days, until nobody calls the model for a day": Case(
        rule=end_of_life(),
        log=(at(0.5, says(SOON)),),
        until=90_000,
        expected=("fired 1", "resolved 86401 stale"),
    ),
    "end of life: the day comes without an event": Case(
        rule=end_of_life(),
        log=(at(0.5, says(LATER)), at(30_000.5, ok())),
        until=120_000,
        expected=("fired 35200", "resolved 116401 stale"),
    ),
    "end of life: whoever calls the model again after a day is told again": Case(
        rule=end_of_life(),
        log=(at(0.5, says(SOON)), at(90_000.5, ok())),
        until=90_100,
        expected=("fired 1", "resolved 86401 stale", "fired 90001"),
    ),
    "end of life: nothing begins on events that are stale": Case(
        rule=end_of_life(stale_after_s=30_000),
        log=(at(0.5, says(LATER)),),
        until=40_000,
        expected=(),
    ),
    "end of life: nor after a pause": Case(
        rule=end_of_life(stale_after_s=30_000),
        log=(at(0.5, says(LATER)), resumed(34_000.5)),
        until=40_000,
        expected=(),
    ),
    "end of life: a cancelled attempt keeps it young": Case(
        rule=end_of_life(stale_after_s=30_000),
        log=(at(0.5, says(LATER)), at(20_000.5, cancelled())),
        until=40_000,
        expected=("fired 35200",),
    ),
    "end of life: what is no date is passed over": Case(
        rule=end_of_life(),
        log=(
            at(0.5, says("soon"), says("20261005"), says("2026-W40-1"), says("2026-02-30"), says("2026-1-1 00")),
            at(5.5, says(" 2026-10-05"), says("")),
            at(10.5, says(SOON)),
            at(20.5, says("unknown"), ok()),
        ),
        until=100,
        expected=("fired 11",),
    ),
    "end of life: what follows the date is not looked at": Case(
        rule=end_of_life(),
        log=(at(0.5, says("2026-10-05T23:00:00-09:00")),),
        until=100,
        expected=("fired 1",),
    ),
    "end of life: the newest event says the date": Case(
        rule=end_of_life(),
        log=(at(0.5, says(SOON)), at(10.5, says(FAR))),
        until=100,
        expected=("fired 1", "resolved 11 recovered"),
    ),
    "end of life: a late event is not the newest": Case(
        rule=end_of_life(),
        log=(at(10.5, says(FAR)), at(20.5, says(SOON, late=20))),
        until=100,
        expected=(),
    ),
    "end of life: of the same instant the earliest date": Case(
        rule=end_of_life(),
        log=(at(10.5, says(FAR), says(SOON), says(LATER)), at(20.5, says(FAR, late=10))),
        until=100,
        expected=("fired 11",),
    ),
    "end of life: a model that is gone already": Case(
        rule=end_of_life(),
        log=(at(0.5, says("2020-01-01")),),
        until=100,
        expected=("fired 1",),
    ),
    "end of life: a cancelled attempt says no date": Case(
        rule=end_of_life(),
        log=(at(0.5, cancelled(model_end_of_life=SOON)),),
        until=100,
        expected=(),
    ),
    "end of life: each model by itself": Case(
        rule=end_of_life(),
        log=(at(0.5, says(SOON, model="m1"), says(FAR, model="m2")), at(10.5, says(SOON, model="m2"))),
        until=100,
        expected=("fired 1", "fired 11"),
    ),
    "end of life: a pending alert is calmed by another date": Case(
        rule=end_of_life(hold_s=100),
        log=(at(0.5, says(SOON)), at(50.5, says(FAR))),
        until=200,
        expected=("pending 1", "calmed 51"),
    ),
}
