"""Outlook: when a condition may change next, so that it need not be looked at every second.

A condition is looked at again at an instant, or when more than so many events
have come, or when a failure that it is about does. Too soon is only work; too
late would be another decision. ≠ what the condition says.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

from .budgets import Tier
from .conditions import Any, Budget, Consecutive, EndOfLife, ErrorRate, Headroom, Own, Parked, Silent
from .meters import Series
from .rules import Rule
from .watches import OWN_HOLDS_S, Watch, columns_of, is_awake
from .windows import CALLS, EXHAUSTED, NEARLY, Window


@dataclass(frozen=True, slots=True)
class Outlook:
    """When to look again.

    Attributes:
        at: An instant, Unix seconds; None: time alone changes nothing.
        spare: After more than so many further events; inf: only failures that speak for it matter, and hints.
        enough: After more than so many of these.
        until: And from this instant on after any.
    """

    at: float | None
    spare: float = inf
    enough: int = 0
    until: float = -inf


NEVER = Outlook(None)
NO_MATTER = 2**53
"""More failures than there will be."""


def outlook(
    rule: Rule, watch: Watch, series: Series, g: int, *, holds: bool | None, resumed_at: float = -inf
) -> Outlook:
    """Return when a condition that was just evaluated may change.

    Args:
        rule: Any rule.
        watch: As it is after its alert has moved.
        series: The key's counts.
        g: When it was evaluated, whole Unix seconds.
        holds: What it said.
        resumed_at: When it was last known that nobody could have been heard before.
    """
    match rule.condition:
        case Any():
            return Outlook(None, 0 if watch.active and holds else inf)
        case ErrorRate() as rate:
            return _of_rate(rate, rule.clear_below, watch, series.windows[rate.window_s], holds)
        case Budget(max_count=int(), window_s=window):
            return Outlook(series.windows[window].next_leave(), 0 if holds is None else inf) if watch.active else NEVER
        case Budget() as budget:
            for length in rule.windows:
                # Not all need have been looked at: one tier is enough.
                series.counts(length, g)
            return _of_budget(budget, watch, {length: series.windows[length] for length in rule.windows}, g, holds)
        case Consecutive():
            return _of_run(rule, watch, g)
        case Parked():
            assert watch.parked is not None
            return Outlook(watch.parked.next_wake()) if watch.active else NEVER
        case Headroom(below=below):
            assert watch.samples is not None
            # As samples leave the pace becomes another.
            return Outlook(g + 1) if watch.active or watch.samples.low(below) else NEVER
        case Silent() as silent:
            # After a silence that was passed over, for it was not steady before, the next event sets the timer anew.
            return Outlook(max(series.last_at, resumed_at) + silent.after_s, 0 if watch.active else inf)
        case EndOfLife(within_s=within):
            # Who calls it again after it was closed unheard is told again.
            unheard = holds and not watch.active
            return Outlook(watch.lifetime.ends_at - within, 0 if unheard else inf) if watch.lifetime else NEVER
        case Own():
            return Outlook(watch.matched_at + OWN_HOLDS_S)


def _of_run(rule: Rule, watch: Watch, g: int) -> Outlook:
    assert watch.streak is not None
    # A run that is over when it is met holds for that one second only.
    over = watch.active and not watch.streak.met and watch.alert is not None and watch.alert.kept_at is None
    if not is_awake(rule, watch):
        return Outlook(g + 1 if over else None)
    return Outlook(g + 1 if over else watch.streak.next_ready(), 0)


# ── shares ────────────────────────────────────────────────────────────────────


def _of_rate(rate: ErrorRate, clear_below: float | None, watch: Watch, window: Window, holds: bool | None) -> Outlook:
    part, whole = columns_of(rate.of)
    above, least = rate.above, rate.min_failed
    if clear_below is not None and watch.firing:
        above, least = clear_below, 1
    if not watch.active or holds is False:
        rise = _next_rise(window, part, whole, above=above, least=least)
        # Where the share is over, a call that succeeds may be all that is missing.
        over = window.totals[part] >= least and window.totals[part] > above * window.totals[whole] * NEARLY
        spare = 0 if rate.min_absorbed and over else inf
        return Outlook(rise, spare, *window.need(part, whole, above=above, least=least))
    if holds is None or rate.min_absorbed or not watch.firing:
        return Outlook(window.next_leave(), 0)
    spare, until = window.spare(part, whole, above=above, least=least)
    # A failure more makes it hold all the more.
    return Outlook(until, spare, NO_MATTER, inf)


def _next_rise(window: Window, part: int, whole: int, *, above: float, least: int) -> int | None:
    if window.totals[part] < least:
        return None
    return window.next_rise(part, whole, above=above, least=least)


def _of_budget(budget: Budget, watch: Watch, windows: dict[int, Window], g: int, holds: bool | None) -> Outlook:
    if not watch.active or holds is False:
        at = _first(_next_burn(budget, tier, windows, g) for tier in budget.tiers)
        needs = [_need(budget, tier, windows) for tier in budget.tiers]
        return Outlook(at, inf, min(enough for enough, _ in needs), min(until for _, until in needs))
    if holds is None or not watch.firing:
        return Outlook(_first(windows[length].next_leave() for length in windows), 0)
    # One tier that goes on is enough.
    burning = [tier for tier in budget.tiers if _burns(budget, tier, windows)]
    return max((_still_burns(budget, tier, windows) for tier in burning), key=lambda one: one.spare)


def _burns(budget: Budget, tier: Tier, windows: dict[int, Window]) -> bool:
    long, short, above = windows[tier.long_s].totals, windows[tier.short_s].totals, tier.burn * (1 - budget.objective)
    if long[CALLS] <= 0 or short[CALLS] <= 0 or long[EXHAUSTED] < budget.min_exhausted:
        return False
    return long[EXHAUSTED] / long[CALLS] > above and short[EXHAUSTED] / short[CALLS] > above


def _still_burns(budget: Budget, tier: Tier, windows: dict[int, Window]) -> Outlook:
    above = tier.burn * (1 - budget.objective)
    long = windows[tier.long_s].spare(EXHAUSTED, CALLS, above=above, least=budget.min_exhausted)
    short = windows[tier.short_s].spare(EXHAUSTED, CALLS, above=above, least=1)
    return Outlook(_first((long[1], short[1])), min(long[0], short[0]), NO_MATTER, inf)


def _need(budget: Budget, tier: Tier, windows: dict[int, Window]) -> tuple[int, float]:
    """Return how many exhausted calls may come, and until when, before both windows of a tier may burn."""
    above = tier.burn * (1 - budget.objective)
    long = windows[tier.long_s].need(EXHAUSTED, CALLS, above=above, least=budget.min_exhausted)
    short = windows[tier.short_s].need(EXHAUSTED, CALLS, above=above, least=1)
    return max(long[0], short[0]), min(long[1], short[1])


def _next_burn(budget: Budget, tier: Tier, windows: dict[int, Window], g: int) -> int | None:
    """Return the first second at which both windows of a tier may burn without another event."""
    long, short = windows[tier.long_s], windows[tier.short_s]
    above = tier.burn * (1 - budget.objective)
    first = _over_from(long, above, budget.min_exhausted, g)
    second = _over_from(short, above, 1, g)
    if first is None or second is None:
        return None
    if max(first, second) > g:
        return max(first, second)
    # Both are over now, and it did not hold: by chance, or the floor.
    return _first((long.next_leave(), short.next_leave()))


def _over_from(window: Window, above: float, least: int, g: int) -> int | None:
    exhausted, calls = window.totals[EXHAUSTED], window.totals[CALLS]
    if exhausted < least:
        return None
    if exhausted > above * calls * NEARLY:
        return g
    return window.next_rise(EXHAUSTED, CALLS, above=above, least=least)


def _first(instants: Iterable[int | None]) -> int | None:
    return min((instant for instant in instants if instant is not None), default=None)
