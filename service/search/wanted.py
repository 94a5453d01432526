"""Wanted: which events somebody asks for.

≠ where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from operator import attrgetter
from typing import TypeAlias

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

KIND = NAMES[:7]
"""Those of them that many events have alike."""

Kind: TypeAlias = tuple[str, str, str, str, str, str | None, int | None]
"""Their values in an event."""


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
        names, matchers, since, until = list(self.values), self.matchers, self.since, self.until
        become = self._categories()
        read = attrgetter(*names) if names else None
        asked: object = tuple(self.values.values()) if len(names) > 1 else next(iter(self.values.values()), None)

        def takes(event: Event) -> bool:
            # Most are not: the cheapest first.
            if read is not None and read(event) != asked:
                return False
            return become(event.category) and since <= event.at <= until and matches_failure(matchers, event)

        return takes

    def kind_test(self) -> Callable[[Kind], bool]:
        """Return what says whether an event of a kind may be one of them."""
        asked = {KIND.index(name): value for name, value in self.values.items() if name in KIND}
        matchers = [(KIND.index(matcher.name), matcher) for matcher in self.matchers if matcher.name in KIND]
        become = self._categories()

        def may(kind: Kind) -> bool:
            if not all(kind[place] == value for place, value in asked.items()) or not become(str(kind[2])):
                return False
            return all(m.matches("" if kind[place] is None else str(kind[place])) for place, m in matchers)

        return may

    def _categories(self) -> Callable[[str], bool]:
        match self.outcome:
            case Outcome.OK:
                return lambda category: category == "ok"
            case Outcome.ALL:
                return lambda _: True
        if self.category == "cancelled":
            return lambda category: category != "ok"
        return lambda category: category not in ("ok", "cancelled")
