"""Wanted: which events somebody asks for.

≠ where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import inf

from claxon.event import Event

from alerts.feeds import matches_failure
from alerts.matchers import Matcher


class Outcome(StrEnum):
    """What became of an attempt. One that the app gave up is neither failed nor ok."""

    FAILED = "failed"
    OK = "ok"
    ALL = "all"


NAMES = ("app", "environment", "category", "path", "model", "error_type", "status", "request_id", "call_id")
"""Fields that may be asked for by their value; the index knows in which blocks it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events; None is any.

    Attributes:
        since: Not before, Unix seconds.
        until: Not after.
        outcome: What became of them; a category says it already.
        matchers: Of a rule.
    """

    app: str | None = None
    environment: str | None = None
    category: str | None = None
    path: str | None = None
    model: str | None = None
    error_type: str | None = None
    status: int | None = None
    request_id: str | None = None
    call_id: str | None = None
    since: float = -inf
    until: float = inf
    outcome: Outcome = Outcome.FAILED
    matchers: tuple[Matcher, ...] = ()

    @property
    def values(self) -> dict[str, str | int]:
        """The fields that are asked for by value."""
        return {name: value for name in NAMES if (value := getattr(self, name)) is not None}

    @property
    def indexed(self) -> bool:
        """Whether the index of failures holds all of them."""
        return self.outcome is Outcome.FAILED and self.category != "ok"

    def test(self) -> Callable[[Event], bool]:
        """Return what says whether an event is one of them."""
        values, matchers, since, until = list(self.values.items()), self.matchers, self.since, self.until
        failed, ok = self.outcome is Outcome.FAILED, self.outcome is Outcome.OK
        given_up = self.category == "cancelled"

        def takes(event: Event) -> bool:
            category = event.category
            if failed and (category == "ok" or (category == "cancelled" and not given_up)):
                return False
            if (ok and category != "ok") or not since <= event.at <= until:
                return False
            return all(getattr(event, name) == value for name, value in values) and matches_failure(matchers, event)

        return takes
