"""The engine's transitions in the oracle's words, and where the two part."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import msgspec
from claxon.event import Event

from alerts.decisions import Transition
from alerts.evaluator import Engine

from .keys import alert_name
from .log import Change, Moment, Resumed, Value

CHANGES = ("pending", "calmed", "fired", "resolved")


def engine_changes(engine: Engine, log: Iterable[Moment]) -> dict[str, list[Change]]:
    """Return what the engine makes of a log, in the oracle's form."""
    found: dict[str, list[Change]] = defaultdict(list)
    for moment in log:
        for change in map(change_of, _transitions(engine, moment)):
            if change.change in CHANGES:
                found[change.alert].append(change)
    return dict(found)


def _transitions(engine: Engine, moment: Moment) -> list[Transition]:
    now, events = moment
    resumed = engine.resume(now).transitions if isinstance(moment, Resumed) else []
    step = engine.observe(copies(events), now) if events else engine.tick(now)
    return [*resumed, *step.transitions]


def copies(events: Iterable[Event]) -> list[Event]:
    """Return events that an engine may mark as its own."""
    return [msgspec.structs.replace(event) for event in events]


def change_of(transition: Transition) -> Change:
    """Return one transition of the engine in the oracle's form."""
    alert = transition.alert
    reason = alert.resolve_reason if transition.change.value == "resolved" else ""
    return Change(alert_name(alert.labels), transition.at, transition.change.value, reason, dict(alert.value))


def differences(engine: dict[str, list[Change]], truth: dict[str, list[Change]]) -> list[str]:
    """Return, one line each, where the engine and the oracle part; empty when they agree."""
    found = []
    for name in sorted(engine.keys() | truth.keys()):
        theirs, ours = engine.get(name, []), truth.get(name, [])
        for i in range(max(len(theirs), len(ours))):
            one, other = theirs[i : i + 1], ours[i : i + 1]
            if not one or not other or not _same(one[0], other[0]):
                found.append(f"{name} #{i}: engine {_shown(one)}, oracle {_shown(other)}")
                break
    return found


def _same(one: Change, other: Change) -> bool:
    if (one.at, one.change, one.reason) != (other.at, other.change, other.reason):
        return False
    # What is said of an end is the last measurement, or the one before it.
    return one.change in ("resolved", "calmed") or _same_value(one.value, other.value)


def _same_value(engine: Value, truth: Value) -> bool:
    """Whether every number that both know is the same; for a budget those of the tier that the engine names."""
    if "tier" in engine:
        long_s = engine["long_s"]
        tier = f"{long_s:g}."
        truth = {name.removeprefix(tier): n for name, n in truth.items() if name.startswith(tier)}
        if not truth["holds"]:
            return False
    if "streak" in engine:
        # A run that was met earlier may have been cut since, by a success that has not settled.
        least = engine["count"] if truth["met"] else 1
        if not least <= engine["streak"] <= truth["longest"]:
            return False
    return all(engine[name] == n for name, n in truth.items() if name in engine)


def _shown(change: list[Change]) -> str:
    if not change:
        return "nothing"
    _, at, what, reason, value = change[0]
    return f"{what} at {at}{' ' + reason if reason else ''} {value}"
