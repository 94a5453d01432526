"""What a silence would hide: now, and in the last week, had it been there. Pure.

≠ where episodes are stored, whether the silence may be made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from alerts.decisions import Decision, What
from alerts.labels import Labels
from alerts.matchers import Matcher, all_match
from alerts.notification import NotifyReason
from alerts.rules import Rule

WEEK_S = 7 * 86_400.0
SHOWN = 50
"""Of each kind; the others are counted."""

KEY_TROUBLE = frozenset({"authentication", "account", "permission"})
"""Categories that do not get better by waiting: a person has to do something."""

KEY_ALERTS = frozenset({"ClaudeAuthError", "ClaudeAccountBlocked"})

_TELLING = (NotifyReason.FIRST.value, NotifyReason.NEW.value)
_IN_GROUP = ", in the group "
_ESCALATED = "nobody looks after it"


class Hidden(msgspec.Struct, kw_only=True):
    """An episode of an alert that the silence hides, or would have hidden.

    Attributes:
        fingerprint, episode, labels: Of the alert.
        fired_at: Unix seconds.
        resolved_at: None while it fires.
        told: Who knows of it, or was told then.
        key_trouble: Whether it says that the key or the account does not work.
    """

    fingerprint: str
    episode: int
    labels: Labels
    fired_at: float
    resolved_at: float | None = None
    told: list[str] = []
    key_trouble: bool = False


class Preview(msgspec.Struct, kw_only=True):
    """What a silence would hide.

    Attributes:
        now: Alerts that fire, pages first; at most 50.
        now_total: How many there are.
        past: Episodes of the last 7 days that are over, newest first; at most 50.
        past_total: How many there are.
        past_pages: How many of them were pages.
        warnings: What whoever makes it must know, a sentence each.
    """

    now: list[Hidden]
    now_total: int
    past: list[Hidden]
    past_total: int
    past_pages: int
    warnings: list[str]


def preview(
    matchers: tuple[Matcher, ...], *, firing: Iterable[Hidden], episodes: Iterable[Hidden], rules: Iterable[Rule]
) -> Preview:
    """Return what a silence with these matchers would hide.

    Args:
        matchers: All must match.
        firing: What fires now.
        episodes: What ended in the last week.
        rules: Those in force.
    """
    now = sorted((h for h in firing if all_match(matchers, h.labels)), key=lambda h: (not _pages(h), -h.fired_at))
    past = sorted((h for h in episodes if all_match(matchers, h.labels)), key=lambda h: -h.fired_at)
    for hidden in (*now, *past):
        hidden.key_trouble = hidden.labels.get("alertname") in KEY_ALERTS
    return Preview(
        now=now[:SHOWN],
        now_total=len(now),
        past=past[:SHOWN],
        past_total=len(past),
        past_pages=sum(map(_pages, past)),
        warnings=warnings(matchers, now, rules),
    )


def _pages(hidden: Hidden) -> bool:
    return hidden.labels.get("severity") in ("page", "critical")


def warnings(matchers: tuple[Matcher, ...], now: list[Hidden], rules: Iterable[Rule]) -> list[str]:
    """Return what whoever makes a silence must know."""
    said = []
    if fires := [h for h in now if h.key_trouble]:
        named = ", ".join(sorted({h.labels["alertname"] for h in fires}))
        said.append(f"{named} fires now and would be hidden: calls fail until somebody repairs the key or the account.")
    names = sorted({rule.alert for rule in rules if is_key_trouble(rule) and could_match(matchers, rule)})
    if names:
        said.append(
            f"It would hide {' and '.join(names)}: while it lasts, a rejected key or a blocked account wakes nobody."
        )
    return said


def is_key_trouble(rule: Rule) -> bool:
    """Whether a rule is about failures of the key or the account, and only those."""
    said = [m.value for m in rule.match if m.name == "category" and m.operator == "="]
    return rule.alert in KEY_ALERTS or (bool(said) and set(said) <= KEY_TROUBLE)


def could_match(matchers: Iterable[Matcher], rule: Rule) -> bool:
    """Whether some alert of a rule could match; a label that the rule is split by may have any value it looks at."""
    fixed = {"alertname": rule.alert, "severity": rule.severity} | dict(rule.labels)
    pinned = {m.name: m.value for m in rule.scope if m.operator == "=" and m.name in rule.by}
    fixed |= pinned
    return all((m.name in rule.by and m.name not in pinned) or m.matches(fixed.get(m.name, "")) for m in matchers)


def told_by(rows: Iterable[Decision]) -> list[str]:
    """Return who was told, by the rows of the ledger about one episode, in order, each once."""
    told: dict[str, None] = {}
    for row in reversed(list(rows)):
        reason, _, names = row.note.partition(": ")
        takes = (row.what is What.NOTIFIED and reason in _TELLING) or (
            row.what is What.ESCALATED and reason == _ESCALATED
        )
        if takes:
            told |= dict.fromkeys(names.partition(_IN_GROUP)[0].split(", "))
    return list(told)


def with_told(found: Preview, told: Mapping[tuple[str, int], list[str]]) -> Preview:
    """Return a preview that says who was told of each episode, by (fingerprint, episode)."""
    for hidden in found.past:
        hidden.told = told.get((hidden.fingerprint, hidden.episode), [])
    return found
