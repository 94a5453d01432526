"""Check: what was decided, against what a scenario expects.

≠ how it was decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isclose
from typing import TypeVar

from ..decisions import Decision, Transition
from ..labels import Labels
from ..lifecycle import Alert, Change, State, Value
from ..notification import Notification, Status
from ..offsets import format_offset
from ..rules import Rule
from . import shown
from .play import Record
from .records import (
    Counts,
    Difference,
    Expectation,
    Ledger,
    Notifies,
    Refused,
    Scenario,
    Span,
    Stands,
    Turn,
    Turns,
    Wanted,
    WantedNotification,
)

A = TypeVar("A")
B = TypeVar("B")

_ROWS = 3
"""Rows of the ledger that a difference shows."""


def differences(scenario: Scenario, record: Record) -> list[Difference]:
    """Return what is not as expected, in the order of the expectations; then refusals that nobody expected."""
    checker = _Checker(scenario, record)
    found = [difference for e in scenario.expect if (difference := checker.check(e)) is not None]
    return found + checker.refusals()


class _Checker:
    def __init__(self, scenario: Scenario, record: Record) -> None:
        self.scenario = scenario
        self.record = record
        self.start = scenario.start
        self.rules: dict[str, Rule] = {rule.id: rule for rule in scenario.setup.rules}

    def check(self, expectation: Expectation) -> Difference | None:
        match expectation:
            case Stands():
                return self.stands(expectation)
            case Turns():
                return self.turns(expectation)
            case Notifies():
                return self.notifies(expectation)
            case Counts():
                return self.counts(expectation)
            case Ledger():
                return self.ledger(expectation)
        return self.refused(expectation)

    # ── alerts ────────────────────────────────────────────────────────────────

    def stands(self, expectation: Stands) -> Difference | None:
        at = self.start + expectation.at
        alerts = [a for a in self.alerts_at(at) if a.state.value == expectation.standing.value]
        values = self.record.values[at]

        def fits(wanted: Wanted, alert: Alert) -> bool:
            measured = values.get(alert.fingerprint, alert.value)
            return _has(alert.labels, wanted.labels) and _measures(measured, wanted.value)

        missing, left = _paired(expectation.alerts, alerts, fits)
        if not missing and not left:
            return None
        return Difference(
            path=expectation.path,
            claim=f"at {format_offset(expectation.at)}: {expectation.standing.value}",
            expected=shown.listed(map(shown.wanted, expectation.alerts)),
            was=shown.listed(self.described(alert, values.get(alert.fingerprint, alert.value)) for alert in alerts),
            numbers=self.rows_about(missing, until=at),
        )

    def alerts_at(self, at: float) -> list[Alert]:
        """Return each alert as its latest transition up to an instant left it."""
        found: dict[str, Alert] = {}
        for transition in self.record.transitions:
            if transition.at <= at + 1e-6:
                found[transition.alert.fingerprint] = transition.alert
        return list(found.values())

    def turns(self, expectation: Turns) -> Difference | None:
        change = Change.FIRED if expectation.turn is Turn.FIRES else Change.RESOLVED
        named = [
            t for t in self.record.transitions if t.change is change and _has(t.alert.labels, expectation.alert.labels)
        ]
        met = [t for t in named if self.in_span(t.at, expectation.span) and _turned(t.alert, expectation.alert)]
        if expectation.count.holds(len(met)):
            return None
        return Difference(
            path=expectation.path,
            claim=_claim(expectation.span, f"{expectation.turn.value} {shown.wanted(expectation.alert)}"),
            expected=str(expectation.count),
            was=shown.listed(map(self.turned, named)),
            numbers=() if met else self.rows_about([expectation.alert], until=self.start + expectation.span.end),
        )

    def turned(self, transition: Transition) -> str:
        alert = transition.alert
        ended = transition.change is Change.RESOLVED
        reason = f" ({alert.resolve_reason})" if ended else ""
        numbers = shown.numbers(alert.value, self.rules.get(alert.rule))
        return f"at {format_offset(transition.at - self.start)} {shown.labels(alert.labels)}{reason}: {numbers}"

    def described(self, alert: Alert, value: Value) -> str:
        since = alert.fired_at if alert.state is State.FIRING else alert.active_at
        when = f" since {format_offset(since - self.start)}" if since is not None else ""
        return f"{shown.labels(alert.labels)}{when}: {shown.numbers(value, self.rules.get(alert.rule))}"

    def rows_about(self, alerts: Iterable[Wanted], *, until: float) -> tuple[str, ...]:
        """Return the ledger's last rows about alerts that were missed: what was decided in their place."""
        rows: list[Decision] = []
        for alert in alerts:
            about = [d for d in self.record.decisions if d.at <= until and _speaks_of(d, alert.labels)]
            rows += [d for d in about[-_ROWS:] if d not in rows]
        return tuple(shown.row(d, self.start, self.rule_of(d)) for d in rows)

    def rule_of(self, decision: Decision) -> Rule | None:
        named = decision.labels.get("alertname")
        severity = decision.labels.get("severity")
        return next((r for r in self.rules.values() if r.alert == named and r.severity == severity), None)

    # ── notifications ─────────────────────────────────────────────────────────

    def notifies(self, expectation: Notifies) -> Difference | None:
        sent = [n for n in self.record.notifications if _has(n.common_labels, expectation.of)]
        wanted = expectation.wanted
        if len(sent) == len(wanted) and all(map(self.is_told, wanted, sent)):
            return None
        return Difference(
            path=expectation.path,
            claim=f"notifications of {shown.labels(expectation.of)}" if expectation.of else "notifications",
            expected=shown.listed(map(shown.wanted_notification, wanted)),
            was=shown.listed(self.told(n, wanted) for n in sent),
        )

    def is_told(self, wanted: WantedNotification, sent: Notification) -> bool:
        return (
            self.in_span(sent.at, wanted.span)
            and wanted.status in (None, sent.status.value)
            and wanted.receiver in (None, sent.receiver)
            and _has(sent.common_labels, wanted.labels)
            and _has(sent.common_annotations, wanted.annotations)
        )

    def told(self, sent: Notification, wanted: Iterable[WantedNotification]) -> str:
        """Return a notification, with the annotations that were asked about."""
        names = dict.fromkeys(name for asked in wanted for name in asked.annotations)
        said = "".join(f" {name}={sent.common_annotations.get(name, '')!r}" for name in names)
        return shown.notification(sent, self.start) + said

    def counts(self, expectation: Counts) -> Difference | None:
        sent = [n for n in self.record.notifications if _has(n.common_labels, expectation.of)]
        was = {name: len({n.dedup_key for n in sent if _COUNTED[name](n)}) for name in expectation.numbers}
        if was == dict(expectation.numbers):
            return None
        return Difference(
            path=expectation.path,
            claim=f"counts of {shown.labels(expectation.of)}" if expectation.of else "counts",
            expected=_pairs(expectation.numbers),
            was=f"{_pairs(was)} ({shown.listed(shown.notification(n, self.start) for n in sent)})",
        )

    # ── the rest ──────────────────────────────────────────────────────────────

    def ledger(self, expectation: Ledger) -> Difference | None:
        named = [d for d in self.record.decisions if d.what.value == expectation.what]
        met = [
            d
            for d in named
            if _has(d.labels, expectation.labels)
            and expectation.note in d.note
            and self.in_span(d.at, expectation.span)
        ]
        if expectation.count.holds(len(met)):
            return None
        asked = {"what": expectation.what, **expectation.labels}
        asked |= {"note": expectation.note} if expectation.note else {}
        rows = [shown.row(d, self.start, self.rule_of(d)) for d in named]
        more = [f"{len(rows) - _ROWS} more"] if len(rows) > _ROWS else []
        return Difference(
            path=expectation.path,
            claim=_claim(expectation.span, f"ledger {shown.labels(asked)}"),
            expected=str(expectation.count),
            was=f"{len(met)} ({shown.listed(rows[:_ROWS] + more)})",
        )

    def refused(self, expectation: Refused) -> Difference | None:
        met = [r for r in self.record.refused if expectation.text in r[1] and self.in_span(r[0], expectation.span)]
        if expectation.count.holds(len(met)):
            return None
        said = [f"at {format_offset(at - self.start)} {text}" for at, text, _ in self.record.refused]
        return Difference(
            path=expectation.path,
            claim=_claim(expectation.span, f"refused {expectation.text!r}"),
            expected=str(expectation.count),
            was=shown.listed(said),
        )

    def refusals(self) -> list[Difference]:
        """Return the first of the refusals of each step that no expectation speaks of."""
        asked = [e for e in self.scenario.expect if isinstance(e, Refused)]
        found: dict[object, Difference] = {}
        for at, text, path in self.record.refused:
            if path not in found and not any(e.text in text for e in asked):
                when = format_offset(at - self.start)
                claim = f"at {when}: the event"
                found[path] = Difference(path=path, claim=claim, expected="taken", was=f"refused: {text}")
        return list(found.values())

    def in_span(self, instant: float, span: Span) -> bool:
        return span.holds(instant - self.start)


_COUNTED: dict[str, Callable[[Notification], bool]] = {
    "pages": lambda n: n.status is Status.FIRING and n.common_labels.get("severity", "page") == "page",
    "tickets": lambda n: n.status is Status.FIRING and n.common_labels.get("severity") == "ticket",
    "resolves": lambda n: n.status is Status.RESOLVED,
}
COUNTED = tuple(_COUNTED)
"""What `counts` knows."""


def _claim(span: Span, text: str) -> str:
    when = shown.span(span)
    return f"{when}: {text}" if when else text


def _pairs(numbers: object) -> str:
    assert isinstance(numbers, dict)
    return ", ".join(f"{name} {n}" for name, n in numbers.items())


def _has(labels: Labels, wanted: Labels) -> bool:
    return all(labels.get(name, "") == value for name, value in wanted.items())


def _measures(value: Value, wanted: Value) -> bool:
    """Whether numbers are as wanted: whole ones exactly, others to half a percent."""
    return all(
        name in value
        and (value[name] == number if isinstance(number, int) else isclose(value[name], number, rel_tol=0.005))
        for name, number in wanted.items()
    )


def _turned(alert: Alert, wanted: Wanted) -> bool:
    return _measures(alert.value, wanted.value) and wanted.reason in ("", alert.resolve_reason)


def _speaks_of(decision: Decision, wanted: Labels) -> bool:
    """Whether a row may be about an alert: it has no label that says otherwise."""
    return all(decision.labels.get(name, value) == value for name, value in wanted.items())


def _paired(wanted: Sequence[A], there: Sequence[B], fits: Callable[[A, B], bool]) -> tuple[list[A], list[B]]:
    """Return who stays alone when as many as can be are paired, each with one of its own.

    By augmenting paths: `{alertname: X}` gives way to `{alertname: X, severity: page}`,
    which only one alert fits.
    """
    partner: dict[int, int] = {}

    def pair(i: int, tried: set[int]) -> bool:
        for j, other in enumerate(there):
            if j in tried or not fits(wanted[i], other):
                continue
            tried.add(j)
            if j not in partner or pair(partner[j], tried):
                partner[j] = i
                return True
        return False

    missing = [one for i, one in enumerate(wanted) if not pair(i, set())]
    return missing, [other for j, other in enumerate(there) if j not in partner]
