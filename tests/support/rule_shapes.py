"""Rules of every kind in shapes that the default rules do not have: held, not kept, matched, split in other ways."""

from __future__ import annotations

from alerts.budgets import Tier
from alerts.conditions import Any, Budget, Consecutive, EndOfLife, ErrorRate, Headroom, Of, Parked, Silent
from alerts.default_rules import DEFAULT_RULES
from alerts.matchers import parse_matcher
from alerts.rules import Rule

HOUR, DAY = 3600, 86_400

COUNTING_RULES = (
    Rule(
        alert="HeldRate",
        condition=ErrorRate(above=0.29, window_s=60, min_failed=1),
        by=("model", "path"),
        hold_s=20,
        keep_firing_for_s=0,
    ),
    Rule(
        alert="HeldSureRate",
        condition=ErrorRate(above=0.1, window_s=600, min_failed=2, confidence=0.9),
        match=(parse_matcher('app="a"'), parse_matcher('status=~"5.."')),
        hold_s=120,
        keep_firing_for_s=7,
    ),
    Rule(
        alert="PlainRow",
        condition=Consecutive(count=3, settle_s=0.0, adaptive=False),
        match=(parse_matcher('category!="rate_limit"'),),
        by=("app",),
        keep_firing_for_s=60,
    ),
    Rule(
        alert="SlowRow",
        condition=Consecutive(count=2, settle_s=7.5, adaptive=False),
        match=(parse_matcher('category="server"'), parse_matcher('model="m1"')),
        hold_s=10,
        keep_firing_for_s=300,
    ),
    Rule(
        alert="CarefulRow",
        condition=Consecutive(floor=0.3),
        match=(parse_matcher('category=~"server|overloaded"'),),
        by=("app",),
        keep_firing_for_s=60,
    ),
    Rule(alert="PlainCount", condition=Budget(max_count=2, window_s=600), keep_firing_for_s=120),
    Rule(
        alert="Burn",
        condition=Budget(
            objective=0.9,
            min_exhausted=1,
            tiers=(Tier(burn=2, long_s=600, short_s=60), Tier(burn=1, long_s=7200, short_s=300)),
        ),
        by=("app", "path"),
        keep_firing_for_s=1,
    ),
    Rule(
        alert="AnyOverload",
        condition=Any(),
        match=(parse_matcher('category="overloaded"'), parse_matcher('path!="/p2"')),
        by=("app", "model"),
        keep_firing_for_s=30,
        stale_after_s=600,
    ),
)

SURE_RULES = (
    Rule(
        alert="Storm",
        condition=ErrorRate(of=Of.ATTEMPTS, above=0.3, window_s=60, min_failed=1, min_absorbed=2),
        keep_firing_for_s=30,
    ),
    Rule(
        alert="HeldStorm",
        condition=ErrorRate(of=Of.ATTEMPTS, above=0.2, min_failed=2, min_absorbed=1, confidence=0.9),
        match=(parse_matcher('category!="rate_limit"'),),
        by=("model",),
        hold_s=20,
        keep_firing_for_s=0,
    ),
    Rule(
        alert="AttemptsRate",
        condition=ErrorRate(of=Of.ATTEMPTS, above=0.4, window_s=120, min_failed=3),
        by=("environment", "path"),
        clear_below=0.1,
        keep_firing_for_s=0,
        stale_after_s=600,
    ),
    Rule(
        alert="Clearing",
        condition=ErrorRate(above=0.4, window_s=60, min_failed=2),
        by=("app",),
        clear_below=0.1,
        keep_firing_for_s=10,
    ),
    Rule(
        alert="HeldClearing",
        condition=ErrorRate(above=0.5, window_s=1800, min_failed=1, confidence=0.8),
        match=(parse_matcher('exhausted="true"'),),
        clear_below=0.5,
        hold_s=30,
    ),
    Rule(
        alert="SureBurn",
        condition=Budget(
            objective=0.9,
            min_exhausted=1,
            confidence=0.95,
            tiers=(Tier(burn=2, long_s=600, short_s=60), Tier(burn=1, long_s=7200, short_s=300)),
        ),
        keep_firing_for_s=0,
    ),
    Rule(
        alert="HeldSureBurn",
        condition=Budget(
            objective=0.5, min_exhausted=2, confidence=0.7, tiers=(Tier(burn=0.5, long_s=3600, short_s=300),)
        ),
        match=(parse_matcher('status=~"5.."'),),
        by=("model",),
        hold_s=30,
        keep_firing_for_s=240,
    ),
)

STATE_RULES = (
    Rule(alert="Parked", condition=Parked(over_s=20, calls=2), keep_firing_for_s=0),
    Rule(
        alert="HeldParked",
        condition=Parked(over_s=60, calls=1),
        match=(parse_matcher('category="server"'),),
        by=("model",),
        hold_s=20,
        keep_firing_for_s=60,
    ),
    Rule(
        alert="ParkedRow",
        condition=Parked(over_s=0, calls=3),
        by=("environment", "path"),
        keep_firing_for_s=300,
        stale_after_s=600,
    ),
    Rule(alert="Headroom", condition=Headroom(window_s=60, below=0.5), keep_firing_for_s=0),
    Rule(
        alert="HeldHeadroom",
        condition=Headroom(window_s=20, below=1),
        match=(parse_matcher('path="/p1"'),),
        by=("model",),
        hold_s=5,
        keep_firing_for_s=3,
    ),
    Rule(
        alert="LongHeadroom",
        condition=Headroom(window_s=600, below=0.9),
        by=("app",),
        keep_firing_for_s=120,
        stale_after_s=600,
    ),
    Rule(
        alert="Silent",
        condition=Silent(after_s=60, steady_s=600, per_minute=0.5),
        by=("app", "environment", "model"),
        keep_firing_for_s=0,
        stale_after_s=DAY,
    ),
    Rule(
        alert="LongSilent",
        condition=Silent(after_s=12_000, steady_s=600, per_minute=0.01),
        match=(parse_matcher('app="a"'),),
        by=("model",),
        hold_s=600,
        keep_firing_for_s=0,
        stale_after_s=2 * DAY,
    ),
    Rule(
        alert="KeptSilent",
        condition=Silent(after_s=600, steady_s=1200, per_minute=0.1),
        by=("path",),
        keep_firing_for_s=60,
        stale_after_s=HOUR,
    ),
    Rule(
        alert="EndOfLife",
        condition=EndOfLife(),
        by=("app", "model"),
        keep_firing_for_s=0,
        stale_after_s=DAY,
    ),
    Rule(
        alert="HeldEndOfLife",
        condition=EndOfLife(within_s=2 * DAY),
        match=(parse_matcher('model="m1"'),),
        by=("model",),
        hold_s=60,
        keep_firing_for_s=60,
    ),
)

RULE_SETS: dict[str, tuple[Rule, ...]] = {
    "default": DEFAULT_RULES,
    "counting": COUNTING_RULES,
    "sure": SURE_RULES,
    "state": STATE_RULES,
}
