"""Feed: everything that the events of one (app, environment, model, path) are counted in.

Built once a key and then reused, so that an event finds its windows and rules by
one look-up. ≠ time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from claxon.event import Event

from .counters import Totals
from .evidence import Evidence
from .labels import Labels
from .matchers import Matcher
from .meters import Series
from .rules import Any, Budget, Consecutive, ErrorRate, Rule
from .watches import Watch
from .windows import ATTEMPTS, CALLS, ERRORS, EXHAUSTED, FAILED

FeedKey: TypeAlias = tuple[str, str, str, str]
"""(app, environment, model, path)."""

_HEALTHY_AFTER_S = 300.0
"""Evidence older than this, of a key that has no alert, belongs to an earlier trouble."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What is counted together: which calls, which failures, by what, over which windows (seconds)."""

    scope: tuple[Matcher, ...]
    failures: tuple[Matcher, ...]
    by: tuple[str, ...]
    lengths: tuple[int, ...]

    @property
    def id(self) -> str:
        """The same for all rules that count the same thing."""
        return meter_id(self.scope, self.failures, self.by)


def meter_id(scope: tuple[Matcher, ...], failures: tuple[Matcher, ...], by: tuple[str, ...]) -> str:
    """Return what names a meter."""
    return "|".join([",".join(sorted(map(str, scope))), ",".join(sorted(map(str, failures))), ",".join(by)])


def meter_of(rule: Rule) -> str:
    """Return the id of the meter that a rule reads."""
    return meter_id(rule.scope, rule.failures, rule.by)


def meters(rules: Iterable[Rule], extra: Meter) -> dict[str, Meter]:
    """Return the meters that rules need, and one more, with the windows of all who share one."""
    found: dict[str, Meter] = {extra.id: extra}
    for rule in rules:
        name = meter_of(rule)
        lengths = set(rule.windows) | set(found[name].lengths if name in found else ())
        found[name] = Meter(scope=rule.scope, failures=rule.failures, by=rule.by, lengths=tuple(sorted(lengths)))
    return found


@dataclass(slots=True, kw_only=True)
class Watched:
    """One rule x one key, with all it needs at hand."""

    rule: Rule
    key: tuple[str, ...]
    watch: Watch
    series: Series
    labels: Labels

    def counts(self, event: Event) -> bool:
        """Whether a failed attempt speaks for the rule's condition."""
        match self.rule.condition:
            case ErrorRate() if not event.final:
                return False
            case Budget() if not event.exhausted:
                return False
        return matches_failure(self.rule.failures, event)

    def gather(self, event: Event, now: float) -> None:
        """Keep a failure as evidence, unless it is too old for anything to begin on it."""
        if event.at + self.rule.stale_after_s <= now:
            return
        watch = self.watch
        evidence = watch.evidence
        if evidence is None or (not watch.active and event.at - evidence.last_at > _HEALTHY_AFTER_S):
            evidence = watch.evidence = Evidence()
        evidence.add(event)

    def worth_a_look(self) -> bool:
        """Whether there may be failures enough for the condition to hold."""
        match self.rule.condition:
            case ErrorRate(min_failed=least, window_s=window):
                return self.series.upper(window, FAILED) >= least
            case Budget(max_count=None, min_exhausted=least):
                return self.series.upper(self.rule.windows[-1], EXHAUSTED) >= least
            case Budget(max_count=int(most), window_s=window):
                return self.series.upper(window, EXHAUSTED) > most
        return False


@dataclass(slots=True, kw_only=True)
class Feed:
    """Where one key's events are counted."""

    totals: Totals
    series: list[tuple[Series, tuple[Matcher, ...]]] = field(default_factory=list)
    watched: list[Watched] = field(default_factory=list)
    streaks: list[Watched] = field(default_factory=list)
    anys: list[Watch] = field(default_factory=list)

    def watch(self, watched: Watched) -> None:
        """Add a rule that looks at these events."""
        self.watched.append(watched)
        if isinstance(watched.rule.condition, Consecutive):
            self.streaks.append(watched)
        elif isinstance(watched.rule.condition, Any):
            self.anys.append(watched.watch)

    def count_successes(self, events: list[Event]) -> float:
        """Count successes of one batch; return the newest `at`."""
        seconds: dict[int, int] = {}
        newest = 0.0
        for event in events:
            at = event.at
            if at > newest:
                newest = at
            second = int(at)
            seconds[second] = seconds.get(second, 0) + 1
        for series, _ in self.series:
            if newest > series.last_at:
                series.last_at = newest
            pending = series.pending
            for second, n in seconds.items():
                row = pending.get(second) or series.at_second(second)
                row[CALLS] += n
                row[ATTEMPTS] += n
        return newest

    def count_failure(self, event: Event) -> None:
        """Count one failed attempt."""
        second = int(event.at)
        for series, failures in self.series:
            series.last_at = max(series.last_at, event.at)
            row = series.at_second(second)
            row[ATTEMPTS] += 1
            row[CALLS] += 1 if event.final else 0
            if matches_failure(failures, event):
                row[ERRORS] += 1
                row[FAILED] += 1 if event.final else 0
                row[EXHAUSTED] += 1 if event.exhausted else 0

    def see(self, at: float) -> None:
        """Note that the key is alive."""
        for series, _ in self.series:
            series.last_at = max(series.last_at, at)

    def take_back(self, event: Event) -> None:
        """Make a failed call an absorbed attempt."""
        second = int(event.at)
        for series, failures in self.series:
            row = series.at_second(second)
            row[CALLS] -= 1
            if matches_failure(failures, event):
                row[FAILED] -= 1


def matches_failure(matchers: tuple[Matcher, ...], event: Event) -> bool:
    """Whether a failed attempt is one of those that matchers ask for."""
    return all(m.matches(_label(event, m.name)) for m in matchers)


def _label(event: Event, name: str) -> str:
    value = getattr(event, name)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
