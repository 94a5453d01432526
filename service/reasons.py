"""Why a decision was made, and what follows from it, in one sentence.

≠ HTML, numbers, how anything is decided.
"""

from __future__ import annotations

from alerts.decisions import Decision

_REASONS = {
    "pending": "the condition holds; it must go on for as long as the rule asks before anybody is told",
    "calmed": "the condition stopped holding before that was long enough: no alert",
    "fired": "the condition holds: the alert fires",
    "kept": "the condition does not hold any more; the alert is kept for a while, as its rule says",
    "held": "the condition holds again: the alert goes on",
    "resolved": "the alert has ended",
    "lone_429": "a single 429: nobody is paged for one",
    "lone_500": "a lone 5xx: nobody is paged for one",
    "absorbed_by_retry": "a retry followed: users saw nothing, nobody is paged",
    "late": "the event came too late for anybody to be told of it",
    "below_floor": "over the threshold, but with fewer failures than the rule's floor: no alert",
    "below_threshold": "some calls fail, but not more than the threshold: no alert",
    "chance": "over the threshold, but it may be chance: no alert yet",
    "short_run": "failures in a row, but fewer than the rule asks for: no alert",
    "inhibited": "held back: its cause is told of already",
    "silenced": "held back: somebody wanted no word of it for a while",
    "muted": "held back: its route is quiet at this time",
    "grouped": "told together with others, a little later",
    "escalated": "nobody looked after it in time: further people are told",
    "acknowledged": "somebody looks after it",
    "acknowledgement_expired": "nobody looks after it any more: those who were told are told again",
    "failed": "not tried again",
    "rule_failed": "the rule could not be evaluated; the alert stays as it was",
    "rule_changed": "the rule has another text from here on",
    "overflow": "the rule has too many keys: further ones share one",
    "clock_back": "the clock was set back; counting goes on from there",
}

_ENDS = {
    "recovered": "the condition has not held for as long as the rule asks: recovered",
    "stale": "nothing was heard for too long: closed, which is no proof of recovery",
    "rule changed": "its rule means other alerts now: closed, which is no proof of recovery",
    "rule removed": "its rule is gone from the configuration: closed, which is no proof of recovery",
}


def reason(row: Decision) -> str:
    """Return why; "" for what has no words yet."""
    if row.what == "resolved":
        return _ENDS.get(row.note, _REASONS["resolved"])
    return _REASONS.get(row.what, "")


def about(row: Decision) -> str:
    """Return what a decision is about: "ClaudeErrorRate (page): shop (prod), claude-x, /pay"."""
    labels = row.labels
    name = labels.get("alertname", "")
    if severity := labels.get("severity"):
        name = f"{name} ({severity})"
    app = labels.get("app", "")
    if app and (environment := labels.get("environment")):
        app = f"{app} ({environment})"
    shown = ("alertname", "severity", "app", "environment", "model", "path")
    parts = [app, labels.get("model", ""), labels.get("path", "")]
    parts += [f"{other}={value}" for other, value in labels.items() if other not in shown]
    place = ", ".join(part for part in parts if part)
    return f"{name}: {place}" if name and place else name or place
