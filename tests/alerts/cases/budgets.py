"""`budget` with `confidence`. The limit is 20 %; the lower bounds at 95 % are 0.12 for 1 of 2, 0.18 for 2 of 4,
0.22 for 3 of 6, 0.11 for 3 of 12, 0.36 for 3 of 4, 0.27 for 1 of 1, 0.43 for 2 of 2."""

from __future__ import annotations

from typing import Any

from alerts.budgets import Tier
from alerts.conditions import Budget
from alerts.rules import Rule

from .case import Case, at, exhausted, ok

PAIR = Tier(burn=2, long_s=600, short_s=60)
HALF = Tier(burn=1, long_s=1200, short_s=120)


def burn(*tiers: Tier, least: int = 1, **fields: Any) -> Rule:
    condition = Budget(objective=0.9, tiers=tiers or (PAIR,), min_exhausted=least, confidence=0.95)
    return Rule(**({"alert": "Burn", "condition": condition, "keep_firing_for_s": 0} | fields))


CASES = {
    "budget: begins when it is no longer chance": Case(
        rule=burn(),
        log=tuple(at(s, exhausted(), ok()) for s in (0.5, 1.5, 2.5)),
        until=10,
        expected=("fired 3",),
    ),
    "budget: holds when it is chance again": Case(
        rule=burn(),
        log=(at(0.5, exhausted(3), ok(3)), at(3.5, ok(6)), at(4.5, ok(4))),
        until=10,
        expected=("fired 1", "resolved 5 recovered"),
    ),
    "budget: a pending alert must be more than chance all the time": Case(
        rule=burn(hold_s=5),
        log=(at(0.5, exhausted(3), ok(3)), at(3.5, ok(6))),
        until=10,
        expected=("pending 1", "calmed 4"),
    ),
    "budget: both windows must be more than chance": Case(
        rule=burn(),
        log=(at(0.5, exhausted(2), ok(2)), at(100.5, exhausted(), ok()), at(101.5, exhausted(2))),
        until=110,
        expected=("fired 102",),
    ),
    "budget: an empty short window says nothing": Case(
        rule=burn(),
        log=(at(0.5, exhausted()),),
        until=4000,
        expected=("fired 1", "resolved 3601 stale"),
    ),
    "budget: the floor counts too": Case(
        rule=burn(least=3),
        log=(at(0.5, exhausted(2)), at(5.5, exhausted())),
        until=10,
        expected=("fired 6",),
    ),
    "budget: each pair is held to its own limit": Case(
        rule=burn(PAIR, HALF),
        log=(at(0.5, exhausted(2), ok(2)),),
        until=10,
        expected=("fired 1",),
    ),
    "budget: what comes late counts in the long window alone": Case(
        rule=burn(),
        log=(
            at(0.5, exhausted(2), ok(2)),
            at(300.5, exhausted(late=299), ok(late=299)),
            at(301.5, exhausted(2)),
        ),
        until=310,
        expected=("fired 302",),
    ),
}
