"""One key of one rule, and each event as it sees it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf
from typing import NamedTuple

import msgspec
from claxon.event import Event

from alerts.matchers import Matcher
from alerts.rules import Rule

from .log import Calls, Moment, Pause


@dataclass(slots=True, eq=False)
class Attempt:
    """One event as one key of one rule sees it.

    Attributes:
        event: As observed.
        final: Whether its call ended with it, as far as was known then.
        seen_at: When it was observed; the evaluation at g sees it when seen_at < g.
        taken_back_at: When a higher attempt of its call had been observed too, if it is provisional.
        gone_on_at: The same, if it may be parked.
        matches: Whether it is among the failures that the rule is about.
    """

    event: Event
    final: bool
    seen_at: float
    taken_back_at: float
    gone_on_at: float
    matches: bool

    @property
    def at(self) -> float:
        return self.event.at

    @property
    def ok(self) -> bool:
        return self.event.category == "ok"

    def is_call(self, g: int) -> bool:
        """Whether it counts as a call at g: a success, or final and not taken back."""
        return self.ok or (self.final and g <= self.taken_back_at)

    def is_failed(self, g: int) -> bool:
        return not self.ok and self.matches and self.is_call(g)

    def is_exhausted(self, g: int) -> bool:
        return self.is_failed(g) and bool(self.event.exhausted)


class Batch(NamedTuple):
    now: float
    attempts: list[Attempt]


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key of one rule, with all that it ever sees.

    Attributes:
        rule: The rule.
        name: The labels of its alert, as one line.
        batches: In order.
        pauses: In which nobody could have been heard.
    """

    rule: Rule
    name: str
    batches: list[Batch]
    pauses: list[Pause]

    @cached_property
    def everything(self) -> list[Attempt]:
        """Every event, in the order observed."""
        return [attempt for batch in self.batches for attempt in batch.attempts]

    @cached_property
    def attempts(self) -> list[Attempt]:
        """A cancelled one shows that the key is alive, and is left out of everything else."""
        return [a for a in self.everything if a.event.category != "cancelled"]


def keys_of(rule: Rule, log: Sequence[Moment], *, calls: Calls, pauses: list[Pause]) -> list[Key]:
    """Return each key of a rule with the events that it sees."""
    found: dict[str, list[Batch]] = defaultdict(list)
    for now, events in log:
        batch: dict[str, list[Attempt]] = defaultdict(list)
        for event in events:
            if _all_match(rule.scope, event):
                batch[alert_name(_labels(rule, event))].append(_attempt(rule, event, now, calls))
        for name, attempts in batch.items():
            found[name].append(Batch(now, attempts))
    return [Key(rule=rule, name=name, batches=batches, pauses=pauses) for name, batches in found.items()]


def _attempt(rule: Rule, event: Event, now: float, calls: Calls) -> Attempt:
    final = bool(event.final) and id(event) not in calls.absorbed
    failed = event.category not in ("ok", "cancelled")
    return Attempt(
        event=event,
        final=final,
        seen_at=now,
        taken_back_at=calls.taken_back_at.get(id(event), inf),
        gone_on_at=calls.gone_on_at.get(id(event), inf),
        matches=failed and _all_match(rule.failures, msgspec.structs.replace(event, final=final)),
    )


def _all_match(matchers: Sequence[Matcher], event: Event) -> bool:
    return all(matcher.matches(_label(event, matcher.name)) for matcher in matchers)


def _label(event: Event, name: str) -> str:
    value = getattr(event, name)
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _labels(rule: Rule, event: Event) -> dict[str, str]:
    by = {name: getattr(event, name) for name in rule.by}
    return {"alertname": rule.alert} | {n: v for n, v in by.items() if v} | rule.labels


def alert_name(labels: dict[str, str]) -> str:
    """Return an alert's labels as one line."""
    rest = ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()) if name != "alertname")
    return f"{labels['alertname']}{{{rest}}}"
