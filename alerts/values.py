"""What each kind of condition measures: the names in an alert's value, which pages, templates and the ledger show.

≠ how it is measured.
"""

from __future__ import annotations

from collections.abc import Mapping

from .conditions import Budget, Condition, Consecutive, ErrorRate, Of, kind_of
from .headroom import LIMITS

VALUES: dict[str, dict[str, str]] = {
    "any": {
        "count": "matching attempts in this episode",
        "age_s": "how old the match that fired it was when it arrived",
    },
    "error_rate": {
        "failed": "failed calls that match; of attempts: failed attempts that match",
        "calls": "calls in the window; only of calls",
        "attempts": "attempts in the window; only of attempts",
        "absorbed": "failed attempts that a retry absorbed; only of attempts",
        "share": "failed / calls, or failed / attempts",
        "bound": "the Wilson lower bound of the share; only with confidence",
    },
    "consecutive": {
        "streak": "failures in a row, of different calls",
        "count": "how many it takes now",
        "calls_24h": "calls of the key in a day; only adaptive",
        "failures_24h": "matching failures of these; only adaptive",
    },
    "budget": {
        "exhausted": "exhausted calls in the long window",
        "calls": "calls in the long window",
        "burn": "how many times faster than allowed; only with an objective",
        "tier": "the burn it must be over; only with an objective",
        "long_s": "the long window, or the window of `max`",
        "short_s": "the short window; only with an objective",
        "bound": "the Wilson lower bound of exhausted / calls; only with confidence",
    },
    "parked": {
        "parked": "calls that sleep now",
        "longest_s": "how long the last of them sleeps from now",
        "calls": "how many it takes",
    },
    "headroom": {
        "limit_kind": "which limit is short; a word in templates and on pages",
        "limit": "the limit",
        "remaining": "what is left of it",
        "share": "remaining / limit",
        "out_in_s": "when it runs out at the present pace",
        "reset_in_s": "when it is full again",
    },
    "silent": {
        "silent_s": "since the last event",
        "attempts": "attempts in the steady time before",
    },
    "end_of_life": {
        "left_s": "until the model is gone; below 0 after that",
    },
    "own": {
        "count": "faults in this episode",
    },
}
"""By kind of rule; a name that is only there sometimes says when."""


def value_names(condition: Condition) -> tuple[str, ...]:
    """Return the names that the value of an alert with this condition may have."""
    match condition:
        case ErrorRate(of=Of.CALLS, confidence=confidence):
            return ("failed", "calls", "share", *_bound(confidence))
        case ErrorRate(confidence=confidence):
            return ("failed", "attempts", "absorbed", "share", *_bound(confidence))
        case Consecutive(adaptive=adaptive):
            return ("streak", "count", *(("calls_24h", "failures_24h") if adaptive else ()))
        case Budget(max_count=None, confidence=confidence):
            return ("exhausted", "calls", "burn", "tier", "long_s", "short_s", *_bound(confidence))
        case Budget():
            return ("exhausted", "calls", "long_s")
    return tuple(VALUES[kind_of(condition)])


def _bound(confidence: float | None) -> tuple[str, ...]:
    return () if confidence is None else ("bound",)


def limit_word(value: Mapping[str, float]) -> str:
    """Return which rate limit a value of `headroom` is about, in words; "" where it does not say."""
    place = value.get("limit_kind", -1)
    known = 0 <= place < len(LIMITS) and place == int(place)
    return LIMITS[int(place)].replace("_", " ") if known else ""
