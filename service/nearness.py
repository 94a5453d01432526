"""How near rules are, and came, to firing: what their conditions measure against what they ask for.

≠ HTML, what is evaluated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from alerts.conditions import Any, Budget, Consecutive, EndOfLife, ErrorRate, Headroom, Own, Parked, Silent
from alerts.decisions import Decision, What
from alerts.feeds import Key
from alerts.labels import Labels
from alerts.lifecycle import Value
from alerts.reading import Reading
from alerts.rules import Rule
from alerts.wording import measured

from .history import WEEK_S
from .storage import ledger
from .storage.connecting import Connection

NEAR = (What.BELOW_FLOOR, What.CHANCE, What.SHORT_RUN, What.BELOW_THRESHOLD)
"""What the ledger says of a condition that had something to look at, and did not hold."""

KEYS = 200
"""Of a rule that many keys have trouble with, so many are measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """What a rule measured of one key.

    Attributes:
        way: How far it is to what the rule asks for. From 1 on all of it is met, but for another window of a budget, of
            which nothing is said. None where that is no number.
        words: What was measured.
        at: When; None is now.
        why: Why it did not fire, where the ledger says so.
    """

    labels: Labels
    way: float | None
    words: str
    at: float | None = None
    why: What | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NearMisses:
    """The near misses of one rule in the last 7 days.

    Attributes:
        n: How many the ledger holds; of one key one an hour and reason.
        cut: Whether there are more than were looked at: those are the newest.
        nearest: The nearest first.
    """

    n: int
    cut: bool
    nearest: tuple[Near, ...]


def way(rule: Rule, value: Value) -> float | None:
    """Return the least of what was measured as a share of what is asked for; None where that is no number.

    All of it must reach 1 before the rule fires.
    """
    match rule.condition:
        case ErrorRate() as rate:
            parts = [value.get("share", 0.0) / rate.above, value.get("failed", 0.0) / rate.min_failed]
            if rate.min_absorbed:
                parts.append(value.get("absorbed", 0.0) / rate.min_absorbed)
            return _least(parts, value, above=rate.above)
        case Consecutive() as run:
            return value.get("streak", 0.0) / (value.get("count") or run.count)
        case Budget(max_count=int() as most):
            return value.get("exhausted", 0.0) / (most + 1)
        case Budget() as budget:
            tier = value.get("tier")
            if not tier:
                return None
            parts = [value.get("burn", 0.0) / tier, value.get("exhausted", 0.0) / budget.min_exhausted]
            return _least(parts, value, above=tier * (1 - budget.objective))
        case Parked(calls=calls):
            return value.get("parked", 0.0) / calls
        case Silent(after_s=after):
            return value.get("silent_s", 0.0) / after
        case EndOfLife(within_s=within):
            left = value.get("left_s", 0.0)
            return within / left if left > 0 else 1.0
        case Any() | Headroom() | Own():
            return None


def _least(parts: list[float], value: Value, *, above: float) -> float:
    return min([*parts, value["bound"] / above] if "bound" in value else parts)


def present(engine: Reading, rule: Rule) -> list[Near]:
    """Return what a rule measures now of the keys that have trouble and do not fire; runs in the core's thread."""
    firing = {alert.key for alert in engine.firing() if alert.rule == rule.id}
    found = engine.measures(rule, most=KEYS)
    return nearest(rule, [_now(rule, key, value) for key, value in found.items() if key not in firing])


def _now(rule: Rule, key: Key, value: Value) -> Near:
    labels = {name: part for name, part in zip(rule.by, key, strict=False) if part}
    return Near(labels=labels, way=way(rule, value), words=measured(value, rule))


def nearest(rule: Rule, found: Iterable[Near]) -> list[Near]:
    """Return what has a number above 0, the nearest first."""
    if isinstance(rule.condition, Own):
        return []
    return sorted((near for near in found if near.way), key=lambda near: -(near.way or 0.0))


def week(
    connection: Connection, rules: Mapping[str, Rule], *, now: float, look_at: int, most: int
) -> dict[str, NearMisses]:
    """Return the near misses of the last 7 days, by the rule's id; to be run on a reader's connection.

    Args:
        connection: The database.
        rules: In force.
        now: Unix seconds.
        look_at: So many of each rule's, the newest.
        most: So many are told, the nearest.
    """
    return {rule.id: _of(connection, rule, now=now, look_at=look_at, most=most) for rule in rules.values()}


def _of(connection: Connection, rule: Rule, *, now: float, look_at: int, most: int) -> NearMisses:
    whats = [what.value for what in NEAR]
    rows = ledger.of_rule(connection, rule.id, whats, since=now - WEEK_S, limit=look_at + 1)
    ranked = sorted(rows[:look_at], key=lambda row: -(way(rule, row.value) or 0.0))[:most]
    return NearMisses(n=len(rows[:look_at]), cut=len(rows) > look_at, nearest=tuple(_then(rule, row) for row in ranked))


def _then(rule: Rule, row: Decision) -> Near:
    labels = {name: value for name, value in row.labels.items() if name not in ("alertname", *rule.labels)}
    return Near(labels=labels, way=way(rule, row.value), words=measured(row.value, rule), at=row.at, why=row.what)
