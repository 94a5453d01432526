"""What a rule may well mean, and probably does not: warned of, never refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from claxon.taxonomy import KINDS

from .conditions import Budget, Consecutive, ErrorRate, Own
from .durations import format_duration
from .error_rate import z_value
from .problems import Problem, shown
from .rule_matches import categories

if TYPE_CHECKING:
    from .rules import Rule

SEVERITIES = ("page", "ticket")
_MANY_CALLS = 1000
_LATE_S = 60  # within which nearly every event has come


def oddities(rule: Rule) -> Iterator[Problem]:
    """Yield what is odd about a rule that is good: *value: remedy*; paths begin inside the rule."""
    if isinstance(rule.condition, Own):
        return
    yield from _severity(rule)
    if "app" not in rule.by:
        text = "without app: one alert for all apps, which inhibits and is inhibited by none of them: add app"
        yield Problem(("by",), text)
    yield from _times(rule)
    match rule.condition:
        case ErrorRate() as rate:
            yield from _error_rate(rule, rate)
        case Consecutive():
            yield from _consecutive(rule)
        case Budget(max_count=None) as budget:
            yield from _burns(budget)
    yield from _unhelped(rule)


def _severity(rule: Rule) -> Iterator[Problem]:
    severity = rule.labels.get("severity")
    if severity is None:
        text = "no severity: counts as a page, but no route and no inhibit rule finds it by that: add severity: page"
        yield Problem(("labels",), text)
    elif severity not in SEVERITIES:
        remedy = "which routes and inhibit rules go by: write one of them, or route it yourself"
        yield Problem(("labels", "severity"), f"{shown(severity)}: neither page nor ticket, {remedy}")


def _times(rule: Rule) -> Iterator[Problem]:
    stale = format_duration(rule.stale_after_s)
    if rule.stale_after_s < _LATE_S:
        text = f"{stale}: events come some seconds late; older than this they begin nothing: at least 1m"
        yield Problem(("stale_after",), text)
    if rule.hold_s >= rule.stale_after_s:
        hold = format_duration(rule.hold_s)
        text = f"{hold}: an app that goes silent meanwhile is never told of: shorter than stale_after, {stale}"
        yield Problem(("for",), text)


def _error_rate(rule: Rule, rate: ErrorRate) -> Iterator[Problem]:
    if rule.hold_s > rate.window_s:
        text = f"{format_duration(rule.hold_s)}: longer than the window: short outages are never told of: shorten it"
        yield Problem(("for",), text)
    if rate.confidence is not None:
        # With every call failed the bound is 1 / (1 + z²/n).
        least = z_value(rate.confidence) ** 2 * rate.above / (1 - rate.above)
        if least > _MANY_CALLS:
            text = f"{rate.above:g}: a total outage is sure to be over it only after {least:,.0f} {rate.of}: lower it"
            yield Problem(("error_rate", "above"), text)


def _consecutive(rule: Rule) -> Iterator[Problem]:
    if rule.keep_firing_for_s < _LATE_S:
        kept = format_duration(rule.keep_firing_for_s)
        text = f"{kept}: failures that come later than this begin nothing: at least 1m"
        yield Problem(("keep_firing_for",), text)
    if not rule.failures:
        text = 'any failure counts, a 400 too: add category=~"server|overloaded"'
        yield Problem(("consecutive",), text)


def _burns(budget: Budget) -> Iterator[Problem]:
    most = 1 / (1 - budget.objective)
    for i, tier in enumerate(budget.tiers):
        path = ("budget", "tiers", i)
        if tier.burn > most / 2:
            share = tier.burn * (1 - budget.objective)
            text = f"{tier.burn:g}: fires only when over {share:.0%} of all calls are exhausted: lower it"
            yield Problem((*path, "burn"), text)
        if tier.short_s >= tier.long_s:
            short, long = format_duration(tier.short_s), format_duration(tier.long_s)
            yield Problem((*path, "short"), f"{short}: not shorter than long, {long}: a twelfth of it is usual")


def _unhelped(rule: Rule) -> Iterator[Problem]:
    """Yield that a rule on spent retries looks only at what is never retried."""
    named = [m for m in rule.failures if m.name == "category"]
    spent = isinstance(rule.condition, Budget) or any(str(m) == 'exhausted="true"' for m in rule.failures)
    if not named or not spent:
        return
    meant = [name for name in categories() if all(m.matches(name) for m in named)]
    if meant and not any(KINDS[c].retryable for c in KINDS if c.value in meant):
        said = ", ".join(meant)
        text = f"{said}: no retry helps, so only a client that says `exhausted` itself counts: use error_rate"
        yield Problem(("match", rule.match.index(named[0])), text)
