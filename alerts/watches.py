"""Watch: what one rule knows of one key, and what its condition says.

≠ other keys, time's passing, routes.
"""

from __future__ import annotations

from math import inf
from typing import TypeAlias

import msgspec

from .budgets import Tier, burn_rate
from .conditions import (
    DAY,
    Any,
    Budget,
    Consecutive,
    EndOfLife,
    ErrorRate,
    Headroom,
    Of,
    Own,
    Parked,
    Silent,
)
from .end_of_life import Lifetime
from .error_rate import literal, wilson_lower, z_value
from .evidence import Evidence
from .headroom import Samples, Shortage, is_short
from .lifecycle import Alert, State, Value
from .meters import Series
from .parked import ParkedCalls
from .rules import Rule
from .steadiness import was_steady
from .streaks import Streak, adaptive_count
from .windows import ATTEMPTS, CALLS, ERRORS, EXHAUSTED, FAILED

Found: TypeAlias = tuple[bool | None, Value]
"""Whether a condition holds (None: no evidence), and what it measured."""

OWN_HOLDS_S = 300.0
"""How long after the last fault an alert about Claxon itself holds."""


class Watch(msgspec.Struct, omit_defaults=True):
    """One rule x one key, from the first time on that there is something to remember.

    Attributes:
        alert: From the key's first trouble on.
        wake: The whole second at which it is evaluated next.
        streak: For `consecutive`.
        parked: For `parked`.
        samples: For `headroom`.
        lifetime: For `end_of_life`.
        matched_at: The newest match, for `any`; the newest fault, for Claxon's own.
        matches: Matches in this episode, for these two.
        evidence: The failures since the key was last healthy.
        said: Why it did not fire, as the ledger was last told.
        said_until: Until when that need not be said again.
        version: Of the key's counts, when it was evaluated last.
        most: It is looked at when more events than so many were taken; None: no event matters by itself.
        failures: How many that speak for the rule came since it was evaluated.
        enough: More than so many may change what the condition says.
        until: From this second on fewer may.
    """

    alert: Alert | None = None
    wake: int | None = None
    streak: Streak | None = None
    parked: ParkedCalls | None = None
    samples: Samples | None = None
    lifetime: Lifetime | None = None
    matched_at: float = -inf
    matches: int = 0
    evidence: Evidence | None = None
    said: str = ""
    said_until: float = 0.0
    version: int = -1
    most: float | None = None
    failures: int = 0
    enough: int = 0
    until: float = 0.0

    @property
    def active(self) -> bool:
        """Whether the alert is pending or firing."""
        return self.alert is not None and self.alert.state is not State.INACTIVE

    @property
    def firing(self) -> bool:
        """Whether the alert fires."""
        return self.alert is not None and self.alert.state is State.FIRING


def new_watch(rule: Rule) -> Watch:
    """Return the watch of a rule's key of which nothing is known."""
    match rule.condition:
        case Consecutive():
            return Watch(streak=Streak())
        case Parked():
            return Watch(parked=ParkedCalls())
        case Headroom():
            return Watch(samples=Samples())
    return Watch()


def evaluate(rule: Rule, watch: Watch, series: Series, g: int, *, resumed_at: float = -inf) -> Found:
    """Return whether a rule's condition holds for a key at `g`, and its numbers.

    Args:
        rule: Any rule.
        watch: What it knows of the key.
        series: The key's counts, of all events observed before `g`.
        g: Whole Unix seconds.
        resumed_at: When it was last known that nobody could have been heard before.
    """
    match rule.condition:
        case Any():
            age_s = watch.alert.value.get("age_s", 0.0) if watch.alert is not None else 0.0
            return -inf < watch.matched_at >= series.other_at, {"count": watch.matches, "age_s": age_s}
        case ErrorRate() as rate:
            return _error_rate(rate, rule.clear_below, series.counts(rate.window_s, g), firing=watch.firing)
        case Consecutive() as consecutive:
            return _consecutive(consecutive, rule, watch, series, g)
        case Budget() as budget:
            return _budget(budget, series, g, firing=watch.firing)
        case Parked(calls=least):
            return _parked(watch, least, g)
        case Headroom() as headroom:
            return _headroom(headroom, watch, g)
        case Silent() as silent:
            return _silent(silent, series, g, active=watch.active, resumed_at=resumed_at)
        case EndOfLife(within_s=within):
            return _end_of_life(watch.lifetime, within, g)
        case Own():
            return g < watch.matched_at + OWN_HOLDS_S, {"count": watch.matches}


# ── error_rate ────────────────────────────────────────────────────────────────


def columns_of(of: Of) -> tuple[int, int]:
    """Return the columns of what failed and of what it is a share of."""
    return (FAILED, CALLS) if of is Of.CALLS else (ERRORS, ATTEMPTS)


def _error_rate(rate: ErrorRate, clear_below: float | None, counts: list[int], *, firing: bool) -> Found:
    part, whole = columns_of(rate.of)
    failed, n = counts[part], counts[whole]
    value: Value = {"failed": failed, str(rate.of): n}
    if n <= 0:
        return None, value
    value["share"] = failed / n
    holds = literal(failed, n, above=rate.above, min_failed=rate.min_failed)
    if rate.of is Of.ATTEMPTS:
        value["absorbed"] = absorbed = counts[ERRORS] - counts[FAILED]
        in_vain = absorbed < rate.min_absorbed or counts[CALLS] <= counts[FAILED]
        holds = holds and not (rate.min_absorbed and in_vain)
    if rate.confidence is not None and holds:
        bound = wilson_lower(failed, n, z_value(rate.confidence))
        value["bound"] = bound
        holds = firing or bound > rate.above
    if firing and clear_below is not None:
        holds = failed > 0 and failed / n >= clear_below
    return holds, value


# ── consecutive ───────────────────────────────────────────────────────────────


def _consecutive(condition: Consecutive, rule: Rule, watch: Watch, series: Series, g: int) -> Found:
    streak = watch.streak
    assert streak is not None
    if not watch.active and not is_awake(rule, watch):
        return False, {"count": float(condition.count)} if streak.size else {}
    count, value = condition.count, {}
    if condition.adaptive:
        day, recent = series.counts(DAY, g), series.counts(300, g)
        attempts, failures = day[ATTEMPTS] - recent[ATTEMPTS], day[ERRORS] - recent[ERRORS]
        floor = condition.floor
        count = adaptive_count(count, calls=day[CALLS], attempts=attempts, failures=failures, floor=floor)
        value = {"calls_24h": float(day[CALLS]), "failures_24h": float(failures)}
    met = streak.evaluate(g, count=count, keep_s=rule.keep_firing_for_s)
    # A run is only told of when it is met: the count may have been higher then, and old failures are no news.
    return met or (streak.met and watch.active), value | {
        "streak": float(streak.met_length if met else max(streak.longest, streak.met_length if streak.met else 0)),
        "count": float(count),
    }


# ── budget ────────────────────────────────────────────────────────────────────


def _budget(budget: Budget, series: Series, g: int, *, firing: bool) -> Found:
    if budget.max_count is not None:
        counts = series.counts(budget.window_s, g)
        value: Value = {"exhausted": counts[EXHAUSTED], "calls": counts[CALLS], "long_s": budget.window_s}
        return (counts[EXHAUSTED] > budget.max_count if counts[CALLS] > 0 else None), value
    said: list[bool | None] = []
    best: Value = {}
    for tier in budget.tiers:
        holds, measured = _tier(budget, tier, series, g, firing=firing)
        if holds:
            return True, measured
        said.append(holds)
        best = best or measured
    return (None if None in said else False), best


def _tier(budget: Budget, tier: Tier, series: Series, g: int, *, firing: bool) -> Found:
    long, short = series.counts(tier.long_s, g), series.counts(tier.short_s, g)
    above = tier.burn * (1 - budget.objective)
    burn = burn_rate(long[EXHAUSTED], long[CALLS], objective=budget.objective)
    if burn is None:
        return None, {}
    value: Value = {"exhausted": long[EXHAUSTED], "calls": long[CALLS], "burn": burn, "tier": tier.burn}
    value |= {"long_s": tier.long_s, "short_s": tier.short_s}
    if long[EXHAUSTED] / long[CALLS] <= above or long[EXHAUSTED] < budget.min_exhausted:
        return False, value
    if short[CALLS] <= 0:
        # Without calls in the short window nobody knows whether it still burns.
        return None, value
    still = short[EXHAUSTED] / short[CALLS] > above
    if budget.confidence is None or not still:
        return still, value
    z = z_value(budget.confidence)
    value["bound"] = bound = wilson_lower(long[EXHAUSTED], long[CALLS], z)
    return firing or min(bound, wilson_lower(short[EXHAUSTED], short[CALLS], z)) > above, value


# ── parked, headroom, silent, end_of_life ─────────────────────────────────────


def _parked(watch: Watch, least: int, g: int) -> Found:
    assert watch.parked is not None
    parked = watch.parked.count(g)
    last = watch.parked.last_wake()
    return parked >= least, {"parked": parked, "calls": least, "longest_s": last - g if last is not None else 0}


def _headroom(headroom: Headroom, watch: Watch, g: int) -> Found:
    assert watch.samples is not None
    found = watch.samples.judge(g - headroom.window_s)
    if not found:
        return None, {}
    short = [one for one in found if is_short(one, below=headroom.below)]
    least = min(short or found, key=lambda one: (one.sample.remaining / one.sample.limit, one.kind))
    return bool(short), _shortage(least, g)


def _shortage(shortage: Shortage, g: int) -> Value:
    sample = shortage.sample
    value: Value = {"limit_kind": shortage.kind, "remaining": sample.remaining, "limit": sample.limit}
    value["share"] = sample.remaining / sample.limit
    if shortage.out_at is not None:
        value["out_in_s"] = shortage.out_at - g
    if sample.reset is not None:
        value["reset_in_s"] = sample.reset - g
    return value


def _silent(silent: Silent, series: Series, g: int, *, active: bool, resumed_at: float) -> Found:
    last = series.last_at
    value: Value = {"silent_s": g - last, "attempts": series.counts(silent.window_s, g)[ATTEMPTS]}
    if active:
        return g - last >= silent.after_s, value
    if g - max(last, resumed_at) < silent.after_s:
        return False, value
    return was_steady(series.windows[silent.window_s], silent, last_at=last), value


def _end_of_life(lifetime: Lifetime | None, within_s: int, g: int) -> Found:
    assert lifetime is not None
    left = lifetime.ends_at - g
    return left <= within_s, {"left_s": left}


def worth_a_look(rule: Rule, series: Series) -> bool:
    """Whether there may be failures enough for the condition to hold, without looking closely."""
    condition, totals = rule.condition, series.windows[rule.windows[-1]].totals
    if isinstance(condition, ErrorRate):
        return totals[columns_of(condition.of)[0]] >= condition.min_failed
    assert isinstance(condition, Budget)
    if condition.max_count is not None:
        return totals[EXHAUSTED] > condition.max_count
    return totals[EXHAUSTED] >= condition.min_exhausted


def is_awake(rule: Rule, watch: Watch) -> bool:
    """Whether every success may change what a run says: there are failures enough, or an alert that may end."""
    if not isinstance(rule.condition, Consecutive) or watch.streak is None or watch.streak.quiet:
        return False
    return watch.active or watch.streak.size >= rule.condition.count
