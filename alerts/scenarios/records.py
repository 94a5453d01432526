"""Scenario: what happens when, and what is expected of it.

Instants here are seconds after the scenario's start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from math import inf
from typing import TypeAlias

import msgspec
from claxon.event import Event

from ..default_rules import DEFAULT_RULES
from ..inhibition import DEFAULT_INHIBIT_RULES, InhibitRule
from ..labels import Labels
from ..lifecycle import Value
from ..problems import Path
from ..routes import Route
from ..rules import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is tested: rules, and who is told."""

    rules: tuple[Rule, ...] = DEFAULT_RULES
    route: Route = field(default_factory=lambda: Route(receiver="on-call"))
    inhibit_rules: tuple[InhibitRule, ...] = DEFAULT_INHIBIT_RULES


# ── what happens ──────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What the events of one series share.

    Attributes:
        event: As it would be decoded.
        numbered: Texts with `{n}`, by field; `{n}` is the event's number in its series, from 1.
        resets: How long after an event a rate limit is full again, by field of `ratelimit`.
    """

    event: Event
    numbered: Mapping[str, str] = field(default_factory=dict)
    resets: Mapping[str, float] = field(default_factory=dict)

    def make(self, n: int, time: float) -> Event:
        """Return the event with a number that ended at a Unix second, not yet completed."""
        changed: dict[str, object] = {name: text.replace("{n}", str(n)) for name, text in self.numbered.items()}
        if self.resets and self.event.ratelimit is not None:
            resets = {name: time + after for name, after in self.resets.items()}
            changed["ratelimit"] = msgspec.structs.replace(self.event.ratelimit, **resets)
        return msgspec.structs.replace(self.event, time=time, **changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Events that differ only in their time and number.

    Attributes:
        path: Where it is written.
        at: When the first ended.
        every: Between two instants, in seconds.
        times: How many instants.
        burst: How many events at each.
        usual: The events.
        failing: Those that are spread evenly among them, in place of the usual.
        share: What part these are.
        delay: How long after its end each arrives; below 0 the sender's clock is ahead.
        observed_at: When all of them arrive, if at once.
    """

    path: Path
    at: float
    every: float = 0.0
    times: int = 1
    burst: int = 1
    usual: Template
    failing: Template | None = None
    share: Fraction = Fraction(0)
    delay: float = 0.0
    observed_at: float | None = None

    @property
    def size(self) -> int:
        """How many events it has."""
        return self.times * self.burst

    @property
    def ends_at(self) -> float:
        """When the last of them has arrived."""
        last = self.at + (self.times - 1) * self.every
        return last + self.delay if self.observed_at is None else self.observed_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """Claxon ends and starts again from its snapshot.

    Attributes:
        at: When it ends.
        pause: How long until it starts; what would have arrived in between arrives then.
    """

    path: Path
    at: float
    pause: float = 0.0

    @property
    def ends_at(self) -> float:
        """When it has started."""
        return self.at + self.pause


Step: TypeAlias = Series | Restart


# ── what is expected ──────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From an instant to another, both included."""

    start: float = 0.0
    end: float = inf

    def holds(self, instant: float) -> bool:
        """Whether an instant lies in it; to the microsecond, as Unix seconds are no finer."""
        return self.start - 1e-6 <= instant <= self.end + 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many there must be."""

    least: int = 1
    most: int | None = None

    def holds(self, n: int) -> bool:
        """Whether there are neither too few nor too many."""
        return self.least <= n and (self.most is None or n <= self.most)

    def __str__(self) -> str:
        if self.most is None:
            return f"at least {self.least}"
        if self.least == self.most:
            return "never" if not self.most else f"exactly {self.most}"
        return f"{self.least} to {self.most}" if self.least else f"at most {self.most}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An alert: some of its labels, and some of its numbers."""

    labels: Labels = field(default_factory=dict)
    value: Value = field(default_factory=dict)
    reason: str = ""


class Standing(StrEnum):
    """What an alert may be at an instant."""

    FIRING = "firing"
    PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stands:
    """At an instant exactly these alerts fire, or are pending."""

    path: Path
    standing: Standing
    at: float
    alerts: tuple[Wanted, ...]


class Turn(StrEnum):
    """What an alert may do in a span, as it is written."""

    FIRES = "fires"
    RESOLVES = "resolves"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """In a span an alert begins to fire, or resolves, so many times."""

    path: Path
    turn: Turn
    alert: Wanted
    span: Span = field(default_factory=Span)
    count: Count = field(default_factory=Count)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedNotification:
    """One notification: what is None or empty may be anything."""

    span: Span = field(default_factory=Span)
    status: str | None = None
    receiver: str | None = None
    labels: Labels = field(default_factory=dict)
    annotations: Labels = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notifies:
    """Exactly these notifications of some alerts go out, in this order."""

    path: Path
    of: Labels
    wanted: tuple[WantedNotification, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """So many episodes of some alerts were paged, were told as tickets, and were told to be over.

    An episode counts once, however many receivers are told.
    """

    path: Path
    of: Labels
    numbers: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The ledger has so many such rows.

    Attributes:
        what: What was decided.
        labels: Some of the row's.
        note: A part of the row's note.
    """

    path: Path
    what: str
    labels: Labels = field(default_factory=dict)
    note: str = ""
    span: Span = field(default_factory=Span)
    count: Count = field(default_factory=Count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """So many events are refused with a reason that holds a text."""

    path: Path
    text: str
    span: Span = field(default_factory=Span)
    count: Count = field(default_factory=Count)


Expectation: TypeAlias = Stands | Turns | Notifies | Counts | Ledger | Refused


# ── the whole ─────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A rule unit test.

    Attributes:
        name: The promise, as a sentence.
        path: Where it is written.
        setup: Rules, route, inhibit rules.
        start: Unix seconds; a whole second.
        steps: What happens; in any order.
        expect: What must be so.
        end: Until when time goes on.
    """

    name: str
    path: Path
    setup: Setup
    start: float
    steps: tuple[Step, ...]
    expect: tuple[Expectation, ...]
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What was not as expected.

    Attributes:
        path: Where the expectation is written.
        claim: What it is about: "at 1m: firing".
        expected: What should have been.
        was: What was.
        numbers: What else was decided there, with its numbers.
    """

    path: Path
    claim: str
    expected: str
    was: str
    numbers: tuple[str, ...] = ()
