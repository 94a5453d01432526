"""Rules as the API shows them: what they say, where they stand, and whether they work.

≠ HTTP, HTML.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import floor, isfinite

import msgspec

from alerts.decisions import Decision
from alerts.lifecycle import State
from alerts.reading import Reading
from alerts.rules import Rule

from .pages.words import rule_words
from .rule_texts import definition


class Health(msgspec.Struct, kw_only=True):
    """Whether a rule can be evaluated.

    Attributes:
        ok: False while its evaluation raises.
        fault: What it said last, with when; "" is nothing known.
        at: When, Unix seconds.
    """

    ok: bool = True
    fault: str = ""
    at: float | None = None


class RuleView(msgspec.Struct, kw_only=True):
    """One rule.

    Attributes:
        id: What names it among others and over reloads.
        alert: The name of its alerts.
        severity: Of its alerts.
        kind: Such as `error_rate`.
        hash: 12 hex digits that change when anything that decides changes.
        place: "file:line"; "" for one that Claxon ships.
        definition: The whole rule as a rule file writes it.
        by: What its alerts are split by.
        match: Its matchers.
        evaluated_at: Up to when it was evaluated, Unix seconds.
        firing: How many of its alerts fire.
        pending: How many are pending.
        health: Whether it can be evaluated.
    """

    id: str
    alert: str
    severity: str
    kind: str
    hash: str
    place: str
    definition: msgspec.Raw
    by: list[str]
    match: list[str]
    evaluated_at: int | None
    firing: int
    pending: int
    health: Health


class RuleText(msgspec.Struct, kw_only=True):
    """A rule as it was when an alert fired.

    Attributes:
        id: What names it among others.
        hash: Of this text.
        hash_now: Of the text in force; "" when the rule is gone.
        place: "file:line" of the text in force.
        words: Names and words, most important first.
        definition: As a rule file writes it.
    """

    id: str
    hash: str
    hash_now: str
    place: str
    words: list[tuple[str, str]]
    definition: msgspec.Raw


def rule_text(rule: Rule, *, now: Rule | None, place: str) -> RuleText:
    """Return a rule as it was; `now` is the one of its id that is in force."""
    return RuleText(
        id=rule.id,
        hash=rule.hash,
        hash_now=now.hash if now is not None else "",
        place=place,
        words=rule_words(rule),
        definition=msgspec.Raw(definition(rule).encode()),
    )


def rule_views(engine: Reading, *, places: Mapping[str, str], faults: Mapping[str, Decision]) -> list[RuleView]:
    """Return the rules in force.

    Args:
        engine: Evaluates them.
        places: Where each was written, by id.
        faults: The latest fault of each that had one, by id.
    """
    states = Counter((alert.rule, alert.state) for alert in engine.alerts())
    return [
        RuleView(
            id=rule.id,
            alert=rule.alert,
            severity=rule.severity,
            kind=rule.kind,
            hash=rule.hash,
            place=places.get(rule.id, ""),
            definition=msgspec.Raw(definition(rule).encode()),
            by=list(rule.by),
            match=[str(matcher) for matcher in rule.match],
            evaluated_at=floor(engine.now) if isfinite(engine.now) else None,
            firing=states[rule.id, State.FIRING],
            pending=states[rule.id, State.PENDING],
            health=_health(rule, engine, faults.get(rule.id)),
        )
        for rule in engine.rules.values()
    ]


def _health(rule: Rule, engine: Reading, fault: Decision | None) -> Health:
    failing = any(
        alert.labels.get("alertname") == "ClaxonRuleFailed" and alert.labels.get("rule") == rule.id
        for alert in engine.firing()
    )
    if fault is None:
        return Health(ok=not failing)
    return Health(ok=not failing, fault=fault.note, at=fault.at)
