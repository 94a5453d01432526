"""Watch: what one rule knows of one key, and what its condition says.

≠ other keys, time's passing, routes.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from .budgets import burn_rate
from .error_rate import literal, wilson_lower, z_value
from .evidence import Evidence
from .lifecycle import Alert, State, Value
from .meters import Series
from .rules import DAY, Any, Budget, Consecutive, ErrorRate, Rule
from .streaks import Streak, adaptive_count
from .windows import ATTEMPTS, CALLS, ERRORS, EXHAUSTED, FAILED

Found: TypeAlias = tuple[bool | None, Value]
"""Whether a condition holds (None: no evidence), and what it measured."""


class Watch(msgspec.Struct):
    """One rule x one key.

    Attributes:
        alert: From the key's first trouble on.
        wake: The whole second at which it is evaluated next.
        streak: For `consecutive`.
        matched_at: The newest match, for `any`.
        other_at: The newest attempt that did not match, for `any`.
        matches: Matches in this episode, for `any`.
        evidence: The failures since the key was last healthy.
    """

    alert: Alert | None = None
    wake: int | None = None
    streak: Streak | None = None
    matched_at: float = float("-inf")
    other_at: float = float("-inf")
    matches: int = 0
    evidence: Evidence | None = None

    @property
    def active(self) -> bool:
        """Whether the alert is pending or firing."""
        return self.alert is not None and self.alert.state is not State.INACTIVE


def evaluate(rule: Rule, watch: Watch, series: Series, g: int) -> Found:
    """Return whether a rule's condition holds for a key at `g`, and its numbers."""
    match rule.condition:
        case Any():
            return watch.matched_at >= watch.other_at, {"count": watch.matches}
        case ErrorRate() as rate:
            return _error_rate(rate, series, g, firing=watch.alert is not None and watch.alert.state is State.FIRING)
        case Consecutive() as consecutive:
            return _consecutive(consecutive, rule, watch, series, g)
        case Budget() as budget:
            return _budget(budget, series, g)


def _error_rate(rate: ErrorRate, series: Series, g: int, *, firing: bool) -> Found:
    counts = series.counts(rate.window_s, g)
    calls, failed = counts[CALLS], counts[FAILED]
    holds = literal(failed, calls, above=rate.above, min_failed=rate.min_failed)
    value: Value = {"failed": failed, "calls": calls}
    if calls > 0:
        value["share"] = failed / calls
    if holds and rate.confidence is not None:
        bound = wilson_lower(failed, calls, z_value(rate.confidence))
        if bound is not None:
            value["bound"] = bound
            holds = firing or bound > rate.above
    return holds, value


def _consecutive(condition: Consecutive, rule: Rule, watch: Watch, series: Series, g: int) -> Found:
    streak = watch.streak
    assert streak is not None
    count, value = condition.count, {}
    if condition.adaptive:
        day, recent = series.counts(DAY, g), series.counts(300, g)
        attempts, failures = day[ATTEMPTS] - recent[ATTEMPTS], day[ERRORS] - recent[ERRORS]
        count = adaptive_count(count, calls=day[CALLS], attempts=attempts, failures=failures)
        value = {"calls_24h": float(day[CALLS]), "failures_24h": float(failures)}
    met = streak.evaluate(g, count=count, oldest=g - rule.keep_firing_for_s)
    # A run is only told of when it is met: the count may have been higher then, and old failures are no news.
    return met or (streak.met and watch.active), value | {
        "streak": float(streak.met_length if met else streak.longest or streak.met_length),
        "count": float(count),
    }


def _budget(budget: Budget, series: Series, g: int) -> Found:
    if budget.max_count is not None:
        counts = series.counts(budget.window_s, g)
        value: Value = {"exhausted": counts[EXHAUSTED], "calls": counts[CALLS], "long_s": budget.window_s}
        return (counts[EXHAUSTED] > budget.max_count if counts[CALLS] > 0 else None), value
    return _burning(budget, series, g)


def _burning(budget: Budget, series: Series, g: int) -> Found:
    said: list[bool | None] = []
    best: Value = {}
    for tier in budget.tiers:
        long, short = series.counts(tier.long_s, g), series.counts(tier.short_s, g)
        burn = burn_rate(long[EXHAUSTED], long[CALLS], objective=budget.objective)
        if burn is None:
            said.append(None)
            continue
        still = burn_rate(short[EXHAUSTED], short[CALLS], objective=budget.objective)
        over = burn > tier.burn and long[EXHAUSTED] >= budget.min_exhausted
        # Without calls in the short window nobody knows whether it still burns.
        said.append(None if over and still is None else over and still is not None and still > tier.burn)
        if said[-1] or not best:
            best = {"exhausted": long[EXHAUSTED], "calls": long[CALLS], "burn": burn, "tier": tier.burn}
            best |= {"long_s": tier.long_s, "short_s": tier.short_s}
        if said[-1]:
            return True, best
    return (None if None in said else False), best


def rollover(rule: Rule, watch: Watch, series: Series, g: int) -> int | None:
    """Return when the condition may change without an event: at a bucket's end, or when a failure counts.

    None when only an event, or one of the alert's timers, can change it.
    """
    match rule.condition:
        case ErrorRate(window_s=window, min_failed=least):
            counts = series.windows[window].totals
            return _next_bucket(window, g) if counts[FAILED] >= least or (watch.active and counts[CALLS] > 0) else None
        case Budget() as budget:
            return _budget_rollover(rule, budget, watch, series, g)
        case Consecutive():
            assert watch.streak is not None
            # A run that is over when it is met holds for that one second only.
            over = watch.active and not watch.streak.met and watch.alert is not None and watch.alert.kept_at is None
            return g + 1 if over else watch.streak.next_ready()
    return None


def _budget_rollover(rule: Rule, budget: Budget, watch: Watch, series: Series, g: int) -> int | None:
    least = budget.min_exhausted if budget.max_count is None else budget.max_count
    totals = [series.windows[length].totals for length in rule.windows]
    if all(t[EXHAUSTED] < least for t in totals) and not (watch.active and any(t[CALLS] > 0 for t in totals)):
        return None
    return min(_next_bucket(length, g) for length in rule.windows)


def _next_bucket(window: int, g: int) -> int:
    width = window // 60
    return (g // width + 1) * width
