"""Rules, blame and decisions in words.

≠ HTML, how anything is decided.
"""

from __future__ import annotations

from collections.abc import Iterator

from alerts.conditions import (
    Any,
    Budget,
    Condition,
    Consecutive,
    EndOfLife,
    ErrorRate,
    Headroom,
    Of,
    Parked,
    Silent,
)
from alerts.decisions import Decision, What
from alerts.durations import format_duration
from alerts.rules import Rule
from alerts.values import limit_word

from .format import UNKNOWN, count, percent, span

_BLAME = {
    "provider": "the Claude API (provider)",
    "key": "the API key",
    "account": "the Claude account: billing and limits",
    "request": "the requests this app sends",
    "network": "the network between app and API",
    "nobody": "nobody",
}

_DECIDED = {
    What.PENDING: "pending",
    What.CALMED: "calmed before it fired",
    What.FIRED: "fired",
    What.RESOLVED: "resolved",
    What.KEPT: "kept",
    What.HELD: "held again",
    What.BELOW_FLOOR: "too few failed",
    What.CHANCE: "may be chance",
    What.SHORT_RUN: "a short run",
    What.BELOW_THRESHOLD: "below the threshold",
    What.RULE_FAILED: "the rule failed",
    What.RULE_CHANGED: "the rule changed",
    What.OVERFLOW: "too many keys",
    What.CLOCK_BACK: "the clock was set back",
    What.LONE_429: "a lone 429",
    What.LONE_500: "a lone 5xx",
    What.ABSORBED: "absorbed by a retry",
    What.LATE: "too late to count",
    What.INHIBITED: "held back",
    What.SILENCED: "silenced",
    What.MUTED: "muted",
    What.GROUPED: "in a group",
    What.NOTIFIED: "told",
    What.ESCALATED: "escalated",
    What.UNTOLD: "not told",
    What.SILENCE: "a silence",
    What.ACKNOWLEDGED: "acknowledged",
    What.ACK_EXPIRED: "acknowledgement over",
    What.DELIVERED: "delivered",
    What.FAILED: "not delivered",
}

_DELIVERY = {
    "pending": "waiting",
    "delivered": "delivered",
    "failed": "given up",
    "cancelled": "left out",
}

_NAMES = {
    "n": "times",
    "long_s": "window",
    "short_s": "short window",
    "after_s": "after",
    "age_s": "age",
    "tier": "threshold",
    "calls_24h": "calls in 24 h",
    "failures_24h": "failures in 24 h",
    "bound": "surely over",
    "longest_s": "last wakes in",
    "limit_kind": "limit on",
    "out_in_s": "out in",
    "reset_in_s": "full in",
    "silent_s": "silent for",
    "left_s": "left",
}
_SHARES = frozenset({"share", "bound"})
_RATES = frozenset({"burn", "tier"})


def blame_words(blame: str) -> str:
    """Return where to look first."""
    return _BLAME.get(blame, blame)


def decision_words(what: What) -> str:
    """Return what was decided."""
    return _DECIDED.get(what, str(what))


def delivery_words(state: str) -> str:
    """Return how a delivery stands."""
    return _DELIVERY.get(state, state)


def numbers(row: Decision) -> str:
    """Return the numbers a decision was made on: "failed 9, calls 61, share 14.8 %"."""
    return ", ".join(f"{_NAMES.get(name, name)} {_number(name, value)}" for name, value in row.value.items())


def _number(name: str, value: float) -> str:
    if name in _SHARES:
        return percent(value)
    if name in _RATES:
        return f"{value:.3g}x"
    if name == "limit_kind":
        return limit_word({name: value}) or UNKNOWN
    if name == "left_s" and value < 0:
        return f"gone since {span(-value)}"
    return span(value) if name.endswith("_s") else count(value)


def rule_words(rule: Rule) -> list[tuple[str, str]]:
    """Return a rule as pairs of a name and words, most important first."""
    matching = " and ".join(map(str, rule.match))
    said = [
        ("Fires when", _condition(rule.condition)),
        ("Looks at", f"attempts with {matching}" if matching else "every call but cancelled ones"),
        ("One alert for each", ", ".join(rule.by)),
        ("First waits for", format_duration(rule.hold_s) if rule.hold_s else ""),
        ("Clears below", percent(rule.clear_below) if rule.clear_below is not None else ""),
        ("Keeps firing for", _kept(rule.keep_firing_for_s)),
        ("Closed unheard", f"after {format_duration(rule.stale_after_s)} without any event"),
        ("Severity", rule.severity),
    ]
    return [(name, words) for name, words in said if words]


def _kept(seconds: int) -> str:
    return f"{format_duration(seconds)} after that has stopped being true" if seconds else ""


def _condition(condition: Condition) -> str:
    match condition:
        case Any():
            return "one matching attempt is enough"
        case ErrorRate():
            return _error_rate(condition)
        case Consecutive():
            return _consecutive(condition)
        case Budget(max_count=None):
            return "; or ".join(_tiers(condition))
        case Budget(max_count=most, window_s=window):
            return f"over {most} calls in {format_duration(window)} failed with retries exhausted"
        case Parked(over_s=over, calls=calls):
            return f"at least {calls} calls sleep at once for over {format_duration(over)}, as a retry-after told them"
        case Headroom(window_s=window, below=below):
            pace = f"at the pace of the last {format_duration(window)} a rate limit runs out before it is full again"
            return f"{pace}, and under {percent(below)} of it is left; or nothing is left"
        case Silent():
            return _silent(condition)
        case EndOfLife(within_s=within):
            return f"a model that is called is gone in {format_duration(within)} or less"
    return "something is wrong with Claxon itself"


def _error_rate(rule: ErrorRate) -> str:
    above, window = percent(rule.above), format_duration(rule.window_s)
    counted = f"over {above} of {rule.of} in {window} failed, and at least {rule.min_failed}"
    if rule.of is Of.ATTEMPTS and rule.min_absorbed:
        counted += f", at least {rule.min_absorbed} of them absorbed by a retry while a call succeeded"
    if rule.confidence is None:
        return counted
    return f"{counted}, and not by chance: it is {percent(rule.confidence)} sure that the share is over {above}"


def _silent(rule: Silent) -> str:
    steady = f"at least {count(rule.per_minute)} attempts a minute for {format_duration(rule.steady_s)}"
    return f"who made {steady} has sent nothing for {format_duration(rule.after_s)}"


def _consecutive(rule: Consecutive) -> str:
    more = "; more on busy paths, where chance makes such runs" if rule.adaptive else ""
    return f"{rule.count} failures in a row, of different calls, with no success between{more}"


def _tiers(rule: Budget) -> Iterator[str]:
    allowed = f"{percent(1 - rule.objective)} of the calls in {format_duration(rule.period_s)} may fail"
    if rule.confidence is not None:
        allowed += f"; {percent(rule.confidence)} sure that this is not by chance"
    for tier in rule.tiers:
        windows = f"in {format_duration(tier.long_s)} and in {format_duration(tier.short_s)}"
        yield f"{windows}, calls with retries exhausted spend the error budget at over {tier.burn:g}x ({allowed})"
