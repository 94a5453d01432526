"""Glimpse: what the pages show of one engine at an instant, to be shown where the engine is not.

≠ which alerts begin and end, for that is told as it happens.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nlargest
from itertools import islice
from typing import TypeVar

import msgspec

from .conditions import Budget, Parked
from .counters import Model, Totals
from .feeds import Key
from .keyring import OVERFLOW
from .lifecycle import Alert, State, Value
from .reading import App, Reading
from .rules import Rule
from .windows import CALLS, FAILED

T = TypeVar("T")

MOST = 1_000
"""Of apps, models, and keys of a rule, so many are told of: the first, or those with most trouble."""

OTHERS: Model = (OVERFLOW, OVERFLOW, OVERFLOW)

NEAR = 200
"""Of a rule's keys with trouble, so many are measured."""


class Glimpse(msgspec.Struct, kw_only=True):
    """As `Reading`, of one engine, at `at`.

    Attributes:
        at: Unix seconds.
        hash, decided: The chain over its decisions.
        totals: Of the first `MOST` models, and of all others together, last, as `OTHERS`.
        watching: Keys by rule.
        measured: By rule, what is measured of keys with trouble.
        counts, known: By budget rule.
        history, recent: By (app, environment).
        asleep: By rule.
        sizes: What is remembered, by kind.
        active: Alerts that are pending or fire, as they are by now; those that began last.
        overflowed: Distinct feeds that are counted together.
    """

    at: float
    hash: str = ""
    decided: int = 0
    totals: dict[Model, Totals] = msgspec.field(default_factory=dict)
    watching: dict[str, int] = msgspec.field(default_factory=dict)
    measured: dict[str, dict[Key, Value]] = msgspec.field(default_factory=dict)
    counts: dict[str, dict[Key, dict[int, list[int]]]] = msgspec.field(default_factory=dict)
    known: dict[str, dict[Key, int]] = msgspec.field(default_factory=dict)
    history: dict[App, list[tuple[int, int, int]]] = msgspec.field(default_factory=dict)
    recent: dict[App, list[int]] = msgspec.field(default_factory=dict)
    asleep: dict[str, dict[Key, int]] = msgspec.field(default_factory=dict)
    sizes: dict[str, int] = msgspec.field(default_factory=dict)
    overflowed: int = 0
    active: list[Alert] = msgspec.field(default_factory=list)


def glimpse(engine: Reading) -> Glimpse:
    """Return what the pages show of an engine now."""
    rules = list(engine.rules.values())
    budgets = [rule for rule in rules if isinstance(rule.condition, Budget)]
    standing = [alert for alert in engine.alerts() if alert.state is not State.INACTIVE]
    recent = engine.recent()
    shown = nlargest(MOST, recent, key=lambda app: (recent[app][FAILED], recent[app][CALLS]))
    return Glimpse(
        at=engine.now,
        hash=engine.ledger_hash,
        decided=engine.decided,
        totals=_totals(engine),
        watching=engine.watching(),
        measured={rule.id: found for rule in rules if (found := engine.measures(rule, most=NEAR))},
        counts={rule.id: _first(engine.counts(rule)) for rule in budgets},
        known={rule.id: _first(engine.known(rule)) for rule in budgets},
        history=engine.history(set(shown)),
        recent={app: recent[app] for app in shown},
        asleep=_asleep(engine, rules),
        sizes=engine.sizes(),
        overflowed=engine.overflowed,
        active=nlargest(MOST, standing, key=lambda alert: alert.active_at or 0.0),
    )


def _totals(engine: Reading) -> dict[Model, Totals]:
    found = dict(islice(engine.totals.items(), MOST))
    if len(engine.totals) > MOST:
        rest = found[OTHERS] = Totals()
        for totals in islice(engine.totals.values(), MOST, None):
            rest.add(totals)
    return found


def _asleep(engine: Reading, rules: Iterable[Rule]) -> dict[str, dict[Key, int]]:
    return {rule.id: _first(engine.asleep(rule)) for rule in rules if isinstance(rule.condition, Parked)}


def _first(found: dict[Key, T]) -> dict[Key, T]:
    return dict(islice(found.items(), MOST))
