"""Reading: what pages, /metrics and the API ask of whoever knows the alerts and the counts.

An engine knows them at first hand; a board knows what the engines of all partitions said last. ≠ what is decided.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from .counters import Model, Totals
from .feeds import Key
from .lifecycle import Alert, Value
from .rules import Rule

App = tuple[str, str]
"""(app, environment)."""


class Reading(Protocol):
    """Reads, and changes nothing but who looks after an alert."""

    @property
    def rules(self) -> Mapping[str, Rule]:
        """Return the rules in force by id, Claxon's own too."""

    @property
    def now(self) -> float:
        """Return the latest instant up to which all is decided."""

    @property
    def ledger_hash(self) -> str:
        """Return the hash over all decisions so far; "" before the first."""

    @property
    def decided(self) -> int:
        """Return how many decisions there were."""

    @property
    def totals(self) -> Mapping[Model, Totals]:
        """Return the totals since the log began."""

    @property
    def overflowed(self) -> int:
        """Return how many distinct (app, environment, model, path) are counted under `(overflow)`."""

    def alerts(self) -> list[Alert]:
        """Return every alert that has ever been pending or fired and is remembered."""

    def firing(self) -> list[Alert]:
        """Return the alerts that fire now."""

    def find(self, name: str, /) -> Alert | None:
        """Return the alert with a fingerprint."""

    def watching(self) -> dict[str, int]:
        """Return how many keys each rule watches, by its id."""

    def measures(self, rule: Rule, *, most: int) -> dict[Key, Value]:
        """Return what a rule's condition measures now, of the first so many keys with trouble, firing ones too."""

    def counts(self, rule: Rule) -> dict[Key, dict[int, list[int]]]:
        """Return the columns of each window that a budget reads, by key."""

    def known(self, rule: Rule) -> dict[Key, int]:
        """Return how many seconds back the longest window of a budget knows each key."""

    def history(self, only: Collection[App] | None = None) -> dict[App, list[tuple[int, int, int]]]:
        """Return (minute's start, calls, failed) of the last hour, by (app, environment); of all, or of some."""

    def recent(self) -> dict[App, list[int]]:
        """Return the columns of the last 5 minutes, by (app, environment)."""

    def asleep(self, rule: Rule) -> dict[Key, int]:
        """Return how many calls sleep, by key, of a rule about calls that do."""

    def sizes(self) -> dict[str, int]:
        """Return how much is remembered, by kind."""
