"""Board: the alerts of all partitions, each with the same labels as one, and what their engines showed last.

An engine tells it of each change, and it tells what that is a change of. Read like an engine. ≠ who is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from itertools import islice
from math import inf
from typing import TypeVar

import msgspec

from .counters import Model, Totals
from .decisions import Transition
from .feeds import Key
from .glimpse import Glimpse
from .lifecycle import Alert, State, Value
from .own_rules import OWN_RULES
from .reading import App
from .rules import Rule
from .standing import Standing, moved, refreshed

T = TypeVar("T")


class Board:
    """Takes changes in the order of their instants, and reads like an engine that has evaluated all partitions."""

    def __init__(self, rules: Iterable[Rule], standings: Iterable[Standing] = (), *, now: float = -inf) -> None:
        """Begin, or go on where `standings` were kept.

        Args:
            rules: In force.
            standings: Of all alerts that were ever pending or fired.
            now: Up to when all is known.
        """
        self.rules: dict[str, Rule] = {}
        self.use(rules)
        self.now = now
        self.glimpses: dict[int, Glimpse] = {}
        # By partition: the hash over its decisions, and how many they are.
        self.chains: dict[int, tuple[str, int]] = {}
        # The models that were ever shown, in order.
        self._met: dict[Model, None] = {}
        self._standings = {standing.alert.fingerprint: standing for standing in standings}

    # ── the ways in ───────────────────────────────────────────────────────────

    def use(self, rules: Iterable[Rule]) -> None:
        """Show other rules; what ends because of it the engines say."""
        self.rules = {rule.id: rule for rule in (*rules, *OWN_RULES)}

    def take(self, partition: int, transition: Transition) -> list[Transition]:
        """Take what changed in one partition; return what changes by that of the alert with these labels.

        Nothing, while it fires in another partition too; two changes, where it ends and is still pending in another.
        """
        name = transition.alert.fingerprint
        standing = self._standings.get(name)
        if standing is None:
            standing = self._standings[name] = Standing(alert=_unborn(transition.alert))
        return [
            Transition(change=change, at=transition.at, alert=alert)
            for change, alert in moved(standing, partition, transition)
        ]

    def show(self, partition: int, found: Glimpse) -> None:
        """Show what a partition counts and measures by now."""
        self.glimpses[partition] = found
        for alert in found.active:
            standing = self._standings.get(alert.fingerprint)
            if standing is not None:
                refreshed(standing, partition, alert)

    def standing(self, name: str) -> Standing | None:
        """Return what is known of the alert with a fingerprint, as it is to be kept."""
        return self._standings.get(name)

    # ── alerts ────────────────────────────────────────────────────────────────

    def alerts(self) -> list[Alert]:
        """Return every alert that has ever been pending or fired."""
        return [standing.alert for standing in self._standings.values()]

    def firing(self) -> list[Alert]:
        """Return the alerts that fire now, in some partition."""
        return [alert for alert in self.alerts() if alert.state is State.FIRING]

    def find(self, name: str) -> Alert | None:
        """Return the alert with a fingerprint."""
        standing = self._standings.get(name)
        return standing.alert if standing is not None else None

    # ── counts, as they were shown last ───────────────────────────────────────

    def age_s(self, partition: int, now: float) -> float:
        """Return how old what is shown of a partition is; inf where nothing is."""
        found = self.glimpses.get(partition)
        return max(0.0, now - found.at) if found is not None else inf

    @property
    def ledger_hash(self) -> str:
        """One hash over those of all partitions; "" before the first decision."""
        said = "".join(f"{n} {digest}\n" for n, (digest, _) in sorted(self.chains.items()) if digest)
        return hashlib.blake2b(said.encode(), digest_size=16).hexdigest() if said else ""

    @property
    def decided(self) -> int:
        """How many decisions there were, of all partitions."""
        return sum(n for _, n in self.chains.values())

    @property
    def totals(self) -> Mapping[Model, Totals]:
        """What each model has done since the logs began; the first stay the first, as those of an engine do."""
        found: dict[Model, Totals] = {}
        for shown in self._shown():
            for model, totals in shown.totals.items():
                if model in found:
                    # What several partitions count: the overflow, or an app whose place has changed.
                    found[model].add(totals)
                else:
                    found[model] = msgspec.structs.replace(totals, attempts=dict(totals.attempts), failed_at={})
        return {model: found[model] for model in self._in_order(found)}

    def _in_order(self, models: Iterable[Model]) -> Iterable[Model]:
        """Return models in the order in which they were seen; of those that are new, each partition's first ones first.

        Only the first have series of their own: which these are must not change because another partition was shown.
        """
        if any(model not in self._met for model in models):
            ranked = [
                (rank, partition, model)
                for partition, shown in sorted(self.glimpses.items())
                for rank, model in enumerate(shown.totals)
                if model not in self._met
            ]
            self._met.update(dict.fromkeys(model for _, _, model in sorted(ranked)))
        return self._met

    @property
    def overflowed(self) -> int:
        """How many distinct (app, environment, model, path) are counted under `(overflow)`."""
        return sum(found.overflowed for found in self.glimpses.values())

    def watching(self) -> dict[str, int]:
        """Return how many keys each rule watches; one that several partitions have counts once in each."""
        return {name: sum(found.watching.get(name, 0) for found in self.glimpses.values()) for name in self.rules}

    def measures(self, rule: Rule, *, most: int) -> dict[Key, Value]:
        """Return what a rule's condition measured of keys with trouble, when they were shown last."""
        return dict(islice(_one(found.measured.get(rule.id, {}) for found in self._shown()).items(), most))

    def counts(self, rule: Rule) -> dict[Key, dict[int, list[int]]]:
        """Return the columns of each window that a budget reads, by key."""
        return _one(found.counts.get(rule.id, {}) for found in self._shown())

    def known(self, rule: Rule) -> dict[Key, int]:
        """Return how many seconds back the longest window of a budget knows each key."""
        return _one(found.known.get(rule.id, {}) for found in self._shown())

    def history(self, only: Collection[App] | None = None) -> dict[App, list[tuple[int, int, int]]]:
        """Return (minute's start, calls, failed) of the last hour, by (app, environment); of all, or of some."""
        merged: dict[App, dict[int, tuple[int, int, int]]] = {}
        for found in self._shown():
            for app, minutes in found.history.items():
                if only is None or app in only:
                    _add_minutes(merged.setdefault(app, {}), minutes)
        return {app: [rows[minute] for minute in sorted(rows)] for app, rows in merged.items()}

    def recent(self) -> dict[App, list[int]]:
        """Return the columns of the last 5 minutes, by (app, environment)."""
        merged: dict[App, list[int]] = {}
        for found in self._shown():
            for app, columns in found.recent.items():
                before = merged.get(app)
                merged[app] = [a + b for a, b in zip(before, columns, strict=True)] if before else list(columns)
        return merged

    def asleep(self, rule: Rule) -> dict[Key, int]:
        """Return how many calls sleep, by key, of a rule about calls that do."""
        return _one(found.asleep.get(rule.id, {}) for found in self._shown())

    def sizes(self) -> dict[str, int]:
        """Return how much is remembered in all partitions, by kind."""
        whole: dict[str, int] = {}
        for found in self._shown():
            for kind, n in found.sizes.items():
                whole[kind] = whole.get(kind, 0) + n
        return whole

    def _shown(self) -> list[Glimpse]:
        return [self.glimpses[n] for n in sorted(self.glimpses)]


def _unborn(alert: Alert) -> Alert:
    return Alert(
        rule=alert.rule,
        key=alert.key,
        labels=alert.labels,
        fingerprint=alert.fingerprint,
        # An engine that knows earlier episodes than the board goes on with their numbers.
        episode=max(0, alert.episode - 1) if alert.state is State.FIRING else alert.episode,
        rule_hash=alert.rule_hash,
    )


def _one(many: Iterable[Mapping[Key, T]]) -> dict[Key, T]:
    """Return several mappings as one; of a key that several have, which is the overflow's, the first."""
    whole: dict[Key, T] = {}
    for found in many:
        for key, value in found.items():
            whole.setdefault(key, value)
    return whole


def _add_minutes(rows: dict[int, tuple[int, int, int]], minutes: Iterable[tuple[int, int, int]]) -> None:
    for start, calls, failed in minutes:
        _, before, failed_before = rows.get(start, (start, 0, 0))
        rows[start] = (start, before + calls, failed_before + failed)
