"""Feeds: where the events of one (app, environment, model, path) are counted, with all that is needed at hand.

Made anew after a restart: nothing here is remembered. A success is only noted
down when it arrives; it is counted when somebody looks at a window that it
belongs to, or when many wait, so that most cost one append. ≠ time's passing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import inf
from typing import TypeAlias

from claxon.event import Event

from .conditions import Any, Budget, Consecutive, EndOfLife, ErrorRate, Headroom, Of, Parked, Silent
from .counters import Totals
from .evidence import Evidence
from .labels import Labels, fingerprint
from .lifecycle import Alert
from .matchers import Matcher
from .meters import Meter, Series, buckets_of, meter_of
from .rules import SCOPE_LABELS, Rule
from .watches import Watch
from .windows import ATTEMPTS, CALLS, ERRORS, EXHAUSTED, FAILED

Key: TypeAlias = tuple[str, ...]
"""The values of a rule's `by`."""

FeedKey: TypeAlias = tuple[str, str, str, str]
"""(app, environment, model, path)."""

Kind: TypeAlias = tuple[object, ...]
"""What of a failure decides which rules it speaks for, and how it is called."""

SUCCESS = (CALLS, ATTEMPTS)

_FOLD_AT = 64  # seconds of successes of a key that wait before they are counted

MAX_LANES = 64
"""Kinds of failure of one feed that are kept at hand."""

_HEALTHY_AFTER_S = 300.0
"""Evidence older than this, of a key that has no alert, belongs to an earlier trouble."""


@dataclass(slots=True, eq=False)
class Watched:
    """One rule x one key, with all it needs at hand."""

    rule: Rule
    key: Key
    watch: Watch
    source: Source
    labels: Labels

    def new_alert(self) -> Alert:
        """Return the alert of the key, inactive."""
        rule, labels = self.rule, self.labels
        return Alert(rule=rule.id, key=self.key, labels=labels, fingerprint=fingerprint(labels), rule_hash=rule.hash)

    def gather(self, events: list[Event], now: float) -> None:
        """Keep failures of one kind as evidence, but for those too old for anything to begin on them."""
        fresh = [event for event in events if event.at + self.rule.stale_after_s > now]
        if not fresh:
            return
        watch = self.watch
        evidence = watch.evidence
        if evidence is None or (not watch.active and fresh[0].at - evidence.last_at > _HEALTHY_AFTER_S):
            evidence = watch.evidence = Evidence()
        evidence.add(fresh)


@dataclass(slots=True, eq=False)
class Source:
    """The counts of one key, and whom they concern.

    Attributes:
        series: What is counted so far.
        meter: What counts.
        key: The key.
        behind: Feeds with events that are not counted here, or that have not settled.
        watched: By rule id: those that remember something of the key.
        streaks: Those of them that follow a run.
        widths: Of its buckets, the finest first.
        ok: Successes that are not in the windows yet, by the second in which they ended.
    """

    series: Series
    meter: Meter
    key: Key
    widths: tuple[int, ...]
    behind: dict[Feed, None] = field(default_factory=dict)
    watched: dict[str, Watched] = field(default_factory=dict)
    streaks: list[Watched] = field(default_factory=list)
    ok: dict[int, int] = field(default_factory=dict)

    def succeed(self, seconds: dict[int, int], newest: float, settled: float) -> None:
        """Note successes down; they are counted by `fold`, or when many wait.

        Args:
            seconds: How many ended in which second.
            newest: When the last one ended.
            settled: When the last one ended that was observed in a second that is over.
        """
        series = self.series
        series.version += 1
        if newest > series.last_at:
            series.last_at = newest
        if newest > series.other_at:
            series.other_at = newest
        if settled > series.ok_at:
            series.ok_at = settled
        if not self.widths:
            return
        ok = self.ok
        for second, n in seconds.items():
            ok[second] = ok.get(second, 0) + n
        if len(ok) >= _FOLD_AT:
            self.fold()

    def fold(self) -> None:
        """Count the successes that wait."""
        if self.ok:
            self.series.add(buckets_of(self.ok, self.widths), SUCCESS)
            self.ok = {}


@dataclass(slots=True, eq=False)
class Plan:
    """What looks at the events of some feeds; shared by all of which the same rules take notice.

    Attributes:
        rules: All of them, each with the place of its meter.
        meters: What is counted.
        widths: Of all buckets, the finest first.
        anys, parked, headrooms, lives, silents: The rules of these kinds, likewise.
    """

    rules: tuple[tuple[Rule, int], ...]
    meters: tuple[str, ...]
    widths: tuple[int, ...]
    anys: tuple[tuple[Rule, int], ...] = ()
    parked: tuple[tuple[Rule, int], ...] = ()
    headrooms: tuple[tuple[Rule, int], ...] = ()
    lives: tuple[tuple[Rule, int], ...] = ()
    silents: tuple[tuple[Rule, int], ...] = ()


def make_plan(rules: Iterable[Rule], meters: dict[str, Meter], labels: Labels) -> Plan:
    """Return what looks at events with these labels (app, environment, model, path)."""
    names = [name for name, meter in meters.items() if in_scope(meter.scope, labels)]
    placed = tuple((rule, names.index(meter_of(rule))) for rule in rules if in_scope(rule.scope, labels))

    def of(kind: type) -> tuple[tuple[Rule, int], ...]:
        return tuple((rule, place) for rule, place in placed if isinstance(rule.condition, kind))

    return Plan(
        rules=placed,
        meters=tuple(names),
        widths=tuple(sorted({length // 60 for name in names for length in meters[name].lengths})),
        anys=of(Any),
        parked=of(Parked),
        headrooms=of(Headroom),
        lives=of(EndOfLife),
        silents=of(Silent),
    )


@dataclass(slots=True, eq=False)
class Feed:
    """The events of one key that are not all counted yet.

    Attributes:
        key: (app, environment, model, path).
        totals: Its counters.
        plan: What looks at it.
        sources: Where it is counted, in the order of the plan's meters.
        ok: When the successes ended that are not counted yet.
        second: The whole second in which it last began to note down what ended before that second.
        start: From which place in `ok` on they were observed in `second`.
        recent: Successes that are counted, and were observed in a second that was going on then.
        recent_second: Which one.
        lanes: By kind of failure.
    """

    key: FeedKey
    totals: Totals
    plan: Plan
    sources: list[Source]
    ok: list[float] = field(default_factory=list)
    start: int = 0
    second: int = -1
    recent: list[float] = field(default_factory=list)
    recent_second: int = -1
    lanes: dict[Kind, Lane] = field(default_factory=dict)

    def lane(self, event: Event) -> Lane:
        """Return where failures of this kind are counted."""
        kind = kind_of(event)
        lane = self.lanes.get(kind)
        if lane is None:
            if len(self.lanes) >= MAX_LANES:
                self.lanes = {kind: lane for kind, lane in self.lanes.items() if lane.events}
            lane = self.lanes[kind] = make_lane(self, event)
        return lane

    def observed_in(self, second: int, newest: float) -> tuple[list[float], float]:
        """Return the successes of `ok` that were observed in a second that is going on, and the newest of the others.

        What ended in it was observed in it; what ended before was if it stands behind `start`.
        """
        if self.second != second:
            if newest < second:
                return [], newest
        elif not self.start:
            # All that waits was observed in it: the usual case under load.
            return self.ok, -inf
        start = self.start if self.second == second else len(self.ok)
        recent = [at for place, at in enumerate(self.ok) if at >= second or place >= start]
        return recent, max((at for at in self.ok[:start] if at < second), default=-inf)

    def settle(self) -> None:
        """Take it that the second in which `recent` was observed is over."""
        newest = max(self.recent)
        for source in self.sources:
            source.series.ok_at = max(source.series.ok_at, newest)
        self.recent = []


@dataclass(slots=True, eq=False)
class Lane:
    """Failures of one kind of one feed.

    Attributes:
        feed: Whose.
        counted: (source, columns, whether the failure is among those its meter is about).
        matched: The rules it speaks for, but for those that are asked at once.
        anys, parked: Those, by kind.
        events: Those that are not counted yet.
    """

    feed: Feed
    counted: tuple[tuple[Source, tuple[int, ...], bool], ...] = ()
    matched: tuple[tuple[Rule, Source], ...] = ()
    anys: tuple[tuple[Rule, Source], ...] = ()
    parked: tuple[tuple[Rule, Source], ...] = ()
    events: list[Event] = field(default_factory=list)


def kind_of(event: Event) -> Kind:
    """Return what of a failure decides which rules it speaks for."""
    return (
        event.category,
        event.status,
        event.error_type,
        event.error_code,
        event.final,
        event.exhausted,
        event.provisional,
        event.stream_end,
    )


def make_lane(feed: Feed, event: Event) -> Lane:
    """Return the lane of a failure's kind."""
    if event.category == "cancelled":
        return Lane(feed)
    counted = tuple(
        (source, columns_of_failure(event, matches=matches), matches)
        for source in feed.sources
        for matches in (matches_failure(source.meter.failures, event),)
    )
    matched = tuple((rule, feed.sources[place]) for rule, place in feed.plan.rules if speaks_for(rule, event))
    anys, parked = (
        tuple((rule, feed.sources[place]) for rule, place in asked if matches_failure(rule.failures, event))
        for asked in (feed.plan.anys, feed.plan.parked)
    )
    return Lane(feed, counted, matched, anys, parked)


def columns_of_failure(event: Event, *, matches: bool) -> tuple[int, ...]:
    """Return the columns in which a failed attempt counts."""
    columns = [ATTEMPTS]
    if event.final:
        columns.append(CALLS)
    if matches:
        columns.append(ERRORS)
    if matches and event.final:
        columns.append(FAILED)
    if matches and event.exhausted:
        columns.append(EXHAUSTED)
    return tuple(columns)


def speaks_for(rule: Rule, event: Event) -> bool:
    """Whether a failed attempt speaks for a rule's condition, at the next whole second."""
    match rule.condition:
        case ErrorRate(of=Of.CALLS) if not event.final:
            return False
        case Budget() if not event.exhausted:
            return False
        case ErrorRate() | Budget() | Consecutive():
            return matches_failure(rule.failures, event)
    return False


def in_scope(matchers: tuple[Matcher, ...], labels: Labels) -> bool:
    """Whether matchers of what every event has are met."""
    return all(m.matches(labels[m.name]) for m in matchers)


def labels_of(key: FeedKey) -> Labels:
    """Return a feed's key as labels."""
    return dict(zip(SCOPE_LABELS, key, strict=True))


def matches_failure(matchers: tuple[Matcher, ...], event: Event) -> bool:
    """Whether a failed attempt is one of those that matchers ask for."""
    return all(m.matches(_label(event, m.name)) for m in matchers)


def _label(event: Event, name: str) -> str:
    value = getattr(event, name)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
