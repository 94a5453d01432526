"""What a condition measured, in words: k of n, the streak, the burn, what is left.

≠ whose alert it is.
"""

from __future__ import annotations

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
)
from .durations import format_duration
from .lifecycle import Value
from .rules import Rule
from .values import limit_word


def measured(value: Value, rule: Rule, *, peak: bool = False) -> str:
    """Return what was measured; `peak` says it is the worst of the episode."""
    text = _measured(value, rule.condition)
    if peak and isinstance(rule.condition, Any):
        return f"in all {whole(value, 'count')} attempts"
    if peak and isinstance(rule.condition, Own):
        return f"in all {text}"
    return f"at its worst {text}" if peak and text else text


def _measured(value: Value, condition: Condition) -> str:
    match condition:
        case Any():
            return _any(value)
        case ErrorRate():
            return _error_rate(value, condition)
        case Consecutive():
            return f"{whole(value, 'streak')} in a row from different calls (threshold {whole(value, 'count')})"
        case Budget(max_count=None):
            return _burn(value)
        case Budget(max_count=most, window_s=window):
            return f"{whole(value, 'exhausted')} exhausted in {format_duration(window)} (threshold {most})"
        case Parked(over_s=over, calls=calls):
            sleeping = f"{_many(value, 'parked', 'call')} asleep for over {format_duration(over)} (threshold {calls})"
            return f"{sleeping}; the last wakes in {about(value.get('longest_s', 0))}"
        case Headroom():
            return _headroom(value)
        case Silent(steady_s=steady):
            before = f"{_many(value, 'attempts', 'attempt')} in the {format_duration(steady)} before"
            return f"nothing for {about(value.get('silent_s', 0))}; {before}"
        case EndOfLife(within_s=within):
            return f"{ends(value)} (threshold {format_duration(within)})"
    return _many(value, "count", "fault")


def _any(value: Value) -> str:
    late = value.get("age_s", 0)
    age = f", {format_duration(late)} before it reached Claxon" if late >= 60 else ""
    return f"{_many(value, 'count', 'attempt')}; one is enough{age}"


def _error_rate(value: Value, rate: ErrorRate) -> str:
    bound = f", surely over {percent(value['bound'])}" if "bound" in value else ""
    of = "calls" if rate.of is Of.CALLS else "attempts"
    counts = f"{whole(value, 'failed')} of {whole(value, of)} {of} failed in {format_duration(rate.window_s)}"
    absorbed = f", {whole(value, 'absorbed')} absorbed by retries" if "absorbed" in value else ""
    share = percent(value.get("share", 0))
    return f"{counts}{absorbed} ({share}{bound}; threshold {percent(rate.above)})"


def _burn(value: Value) -> str:
    counts = f"{whole(value, 'exhausted')} of {whole(value, 'calls')} calls exhausted their retries"
    long = format_duration(value.get("long_s", 0))
    bound = f", surely over {percent(value['bound'])}" if "bound" in value else ""
    burn = f"{value.get('burn', 0):.3g}x, threshold {value.get('tier', 0):g}x"
    return f"{counts} in {long}{bound} (burns the budget at {burn})"


def _headroom(value: Value) -> str:
    limit = limit_word(value) or "of the limit"
    share = f" ({percent(value['share'])})" if "share" in value else ""
    left = f"{whole(value, 'remaining')} of {whole(value, 'limit')} {limit} left{share}"
    out = value.get("out_in_s")
    soon = f", out in {about(out)} at the present pace" if out is not None and out > 0 else ""
    full = f", full again in {about(value['reset_in_s'])}" if value.get("reset_in_s", 0) > 0 else ""
    return f"{left}{soon}{full}"


def ends(value: Value) -> str:
    """Return when a model is gone, from now."""
    left = value.get("left_s", 0)
    return f"gone in {about(left)}" if left > 0 else f"gone since {about(-left)}"


def about(seconds: float) -> str:
    """Return a duration to the minute from an hour on, to the hour from a day on."""
    for least, unit in ((86_400, 3600), (3600, 60)):
        if seconds >= least:
            return format_duration(seconds // unit * unit)
    return format_duration(seconds)


def whole(value: Value, name: str) -> str:
    """Return a count, with separators."""
    return f"{int(value.get(name, 0)):,}"


def _many(value: Value, name: str, word: str) -> str:
    return f"{whole(value, name)} {word}{'' if int(value.get(name, 0)) == 1 else 's'}"


def percent(share: float) -> str:
    """Return a share with three digits."""
    return f"{share * 100:.3g} %"
