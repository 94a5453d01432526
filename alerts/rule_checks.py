"""What makes a rule one that cannot be evaluated or could never fire.

≠ YAML, state. Paths begin inside the rule: ("error_rate", "above").
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from .conditions import (
    Any,
    Budget,
    Condition,
    Consecutive,
    EndOfLife,
    ErrorRate,
    Headroom,
    Of,
    Own,
    Parked,
    Silent,
    windows_of,
)
from .durations import exact_duration, format_duration
from .errors import RuleError
from .problems import Path, Problem, shown
from .rule_bounds import BOUNDS
from .rule_matches import unmatched
from .rule_oddities import oddities

if TYPE_CHECKING:
    from .rules import Rule

__all__ = ["OWN_ALERTS", "check_rule", "oddities", "problems_of"]

OWN_ALERTS = ("ClaxonRuleFailed", "ClaxonKeysOverflow")
"""What Claxon says of itself; no rule may take these names."""

_MINUTES = BOUNDS["error_rate", "window"]
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_rule(rule: Rule, scope: tuple[str, ...], failures: tuple[str, ...]) -> None:
    """Raise if anything keeps a rule from ever firing.

    Args:
        rule: Any rule.
        scope: The labels every event has.
        failures: The labels only failures are asked for.

    Raises:
        RuleError: *rule: where: value: remedy*, of the first; `problems` has all.
    """
    found = list(problems_of(rule, scope, failures))
    if found:
        raise RuleError(f"rule {rule.id!r}: {found[0].said}", found)


def problems_of(rule: Rule, scope: tuple[str, ...], failures: tuple[str, ...]) -> Iterator[Problem]:
    """Yield what keeps a rule from ever firing, or from being evaluated."""
    if isinstance(rule.condition, Own):
        return
    if rule.alert in OWN_ALERTS:
        yield Problem(("alert",), f"{rule.alert}: what Claxon says of itself: choose another name")
    yield from _by(rule, scope)
    yield from _labels(rule, scope)
    for i, matcher in enumerate(rule.match):
        if matcher.name not in scope + failures:
            known = ", ".join(scope + failures)
            yield Problem(("match", i), f"{matcher}: no event has this label: one of {known}")
    for path, seconds in _instants(rule):
        if seconds < 0:
            yield Problem(path, f"{shown(seconds)}: not negative")
    if rule.stale_after_s <= 0:
        yield Problem(("stale_after",), f"{rule.stale_after_s}s: more than 0s")
    yield from _clear_below(rule)
    for length in windows_of(rule.condition):
        if not _MINUTES.holds(length):
            yield Problem(_window_path(rule, length), f"{exact_duration(length)}: whole minutes, at least 1m")
    for problem in _condition(rule, rule.condition):
        yield problem.under((rule.kind,)) if problem.path[0] not in _OUTSIDE else problem
    yield from unmatched(rule)


# What a condition's check may blame beside the condition itself.
_OUTSIDE = ("for", "keep_firing_for", "stale_after", "match")


def _by(rule: Rule, scope: tuple[str, ...]) -> Iterator[Problem]:
    for i, name in enumerate(rule.by):
        if name not in scope:
            yield Problem(("by", i), f"{shown(name)}: not what a rule can be split by: one of {', '.join(scope)}")
        elif name in rule.by[:i]:
            yield Problem(("by", i), f"{name}: written twice: keep one")


def _labels(rule: Rule, scope: tuple[str, ...]) -> Iterator[Problem]:
    for name in rule.labels:
        if name in ("alertname", *scope):
            yield Problem(("labels", name), "the alert has this label from its name or from `by`: leave it out")
        elif _NAME.fullmatch(name) is None or name.startswith("__"):
            yield Problem(("labels", name), "not a label's name: letters, digits and _, such as team")
    for name in rule.annotations:
        if _NAME.fullmatch(name) is None:
            yield Problem(("annotations", name), "not an annotation's name: letters, digits and _, such as summary")


def _instants(rule: Rule) -> Iterator[tuple[Path, float]]:
    yield ("for",), rule.hold_s
    yield ("keep_firing_for",), rule.keep_firing_for_s
    if isinstance(rule.condition, Parked):
        yield ("parked", "over"), rule.condition.over_s
    if isinstance(rule.condition, EndOfLife):
        yield ("end_of_life", "within"), rule.condition.within_s


def _window_path(rule: Rule, length: int) -> Path:
    if isinstance(rule.condition, Budget) and rule.condition.max_count is None:
        tiers = enumerate(rule.condition.tiers)
        i, tier = next((i, tier) for i, tier in tiers if length in (tier.long_s, tier.short_s))
        return ("budget", "tiers", i, "long" if length == tier.long_s else "short")
    return (rule.kind, "window")


def _clear_below(rule: Rule) -> Iterator[Problem]:
    below = rule.clear_below
    if below is None:
        return
    if not isinstance(rule.condition, ErrorRate):
        text = f"{below:g}: only `error_rate` has a share to fall below: leave it out"
        yield Problem(("clear_below",), text)
    elif not 0 < below <= rule.condition.above:
        yield Problem(("clear_below",), f"{below:g}: over 0 and at most `above`, which is {rule.condition.above:g}")


def _condition(rule: Rule, condition: Condition) -> Iterator[Problem]:
    match condition:
        case Any() if rule.hold_s:
            yield Problem(("for",), f"{format_duration(rule.hold_s)}: `any` fires at once: leave it out")
        case ErrorRate():
            yield from _error_rate(condition)
        case Consecutive():
            yield from _consecutive(rule, condition)
        case Budget(max_count=None):
            yield from _budget(condition)
        case Budget(max_count=int(most)) if not BOUNDS["budget", "max"].holds(most):
            yield Problem(("max",), f"{most}: not negative")
        case Parked(calls=calls) if not (bound := BOUNDS["parked", "calls"]).holds(calls):
            yield Problem(("calls",), f"{calls}: from {bound.least} to {bound.most}")
        case Headroom():
            yield from _headroom(condition)
        case Silent():
            yield from _silent(rule, condition)


def _error_rate(rate: ErrorRate) -> Iterator[Problem]:
    if not BOUNDS["error_rate", "above"].holds(rate.above):
        yield Problem(("above",), f"{rate.above:g}: write a share between 0 and 1, such as 5%")
    if not BOUNDS["error_rate", "min_failed"].holds(rate.min_failed):
        yield Problem(("min_failed",), f"{rate.min_failed}: at least 1")
    if not BOUNDS["error_rate", "min_absorbed"].holds(rate.min_absorbed):
        yield Problem(("min_absorbed",), f"{rate.min_absorbed}: not negative")
    elif rate.min_absorbed and rate.of is Of.CALLS:
        text = f"{rate.min_absorbed}: an absorbed attempt is no call: write `of: attempts`"
        yield Problem(("min_absorbed",), text)
    yield from _confidence(rate.confidence)


def _confidence(confidence: float | None) -> Iterator[Problem]:
    if confidence is not None and not BOUNDS["error_rate", "confidence"].holds(confidence):
        yield Problem(("confidence",), f"{confidence:g}: between 50% and 100%, such as 99%")


def _consecutive(rule: Rule, condition: Consecutive) -> Iterator[Problem]:
    if not (bound := BOUNDS["consecutive", "count"]).holds(condition.count):
        text = f"{condition.count}: from {bound.least} to {bound.most}; for one event write `any`"
        yield Problem(("count",), text)
    if not BOUNDS["consecutive", "floor"].holds(condition.floor):
        yield Problem(("floor",), f"{condition.floor:g}: write a share from 0 and under 1, such as 0.5%")
    if not BOUNDS["consecutive", "settle"].holds(condition.settle_s):
        yield Problem(("settle",), f"{exact_duration(condition.settle_s)}: from 0s to 60s")
    elif rule.keep_firing_for_s <= condition.settle_s:
        # A failure is ready `settle` after it was observed, and what is older than this by then is passed over.
        kept, settle = format_duration(rule.keep_firing_for_s), exact_duration(condition.settle_s)
        text = f"{kept}: failures older than this are passed over, so it can never fire: longer than settle, {settle}"
        yield Problem(("keep_firing_for",), text)


def _budget(budget: Budget) -> Iterator[Problem]:
    yield from _confidence(budget.confidence)
    if not BOUNDS["budget", "min_exhausted"].holds(budget.min_exhausted):
        yield Problem(("min_exhausted",), f"{budget.min_exhausted}: at least 1")
    if not budget.tiers:
        yield Problem(("tiers",), "none: write at least one, such as {burn: 14.4, long: 1h, short: 5m}")
    if not BOUNDS["budget", "objective"].holds(budget.objective):
        yield Problem(("objective",), f"{budget.objective:g}: write a share between 0 and 1, such as 99.9%")
        return
    most = 1 / (1 - budget.objective)
    for i, tier in enumerate(budget.tiers):
        if not BOUNDS["budget", "burn"].holds(tier.burn):
            yield Problem(("tiers", i, "burn"), f"{tier.burn:g}: more than 0")
        if tier.burn >= most:
            remedy = "so it can never fire: lower the burn or raise the objective"
            text = f"{tier.burn:g}: even a total outage burns at {most:.4g}x, {remedy}"
            yield Problem(("tiers", i, "burn"), text)
        if tier.long_s > budget.period_s:
            long, period = format_duration(tier.long_s), format_duration(budget.period_s)
            yield Problem(("tiers", i, "long"), f"{long}: longer than the budget's period, {period}: shorten it")


def _headroom(headroom: Headroom) -> Iterator[Problem]:
    bound = BOUNDS["headroom", "window"]
    if not bound.holds(headroom.window_s):
        least, most = format_duration(int(bound.least)), format_duration(int(bound.most))
        yield Problem(("window",), f"{format_duration(headroom.window_s)}: from {least} to {most}")
    if not BOUNDS["headroom", "below"].holds(headroom.below):
        yield Problem(("below",), f"{headroom.below:g}: write a share over 0 and at most 1, such as 50%")


def _silent(rule: Rule, silent: Silent) -> Iterator[Problem]:
    if not BOUNDS["silent", "after"].holds(silent.after_s):
        yield Problem(("after",), f"{format_duration(silent.after_s)}: at least 1m")
    if not BOUNDS["silent", "steady"].holds(silent.steady_s):
        yield Problem(("steady",), f"{format_duration(silent.steady_s)}: at least 10m")
    # Only then does a whole bucket of the window lie in any `steady`.
    elif 2 * silent.window_s > 60 * silent.steady_s:
        steady = format_duration(silent.steady_s)
        yield Problem(("steady",), f"{steady}: shorter than two buckets of its window: nearer to `after`")
    if not BOUNDS["silent", "per_minute"].holds(silent.per_minute):
        yield Problem(("per_minute",), f"{silent.per_minute:g}: more than 0")
    least = silent.after_s + rule.hold_s
    if rule.stale_after_s <= least:
        stale = format_duration(rule.stale_after_s)
        and_for = " and `for` together" if rule.hold_s else ""
        text = (
            f"{stale}: the alert is closed before it is told of: longer than `after`{and_for}, {format_duration(least)}"
        )
        yield Problem(("stale_after",), text)
