"""Case: a rule, a log, and what becomes of its alerts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from alerts.rules import Rule
from tests.support.events import NOON, make_event
from tests.support.oracle import Change, Moment, Resumed

Posted: TypeAlias = dict[str, Any]
"""The fields of one event; `late` says how many seconds before its receipt it happened."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One rule, one log.

    Attributes:
        rule: The rule.
        log: In seconds from NOON.
        until: When the log ends.
        expected: "fired 1", "resolved 61 recovered", and so on, of all keys in order of time.
    """

    rule: Rule
    log: tuple[Moment, ...]
    until: float
    expected: tuple[str, ...]

    @property
    def whole_log(self) -> list[Moment]:
        """The log, to its end."""
        return [*self.log, at(self.until)]


def spell_of(changes: dict[str, list[Change]]) -> tuple[str, ...]:
    """Return changes in the words of `Case.expected`."""
    every = sorted((c for several in changes.values() for c in several), key=lambda c: c.at)
    return tuple(f"{c.change} {c.at - NOON:g} {c.reason}".strip() for c in every)


def at(seconds: float, *groups: list[Posted]) -> Moment:
    """Return what was observed so many seconds after noon."""
    now = NOON + seconds
    return Moment(now, [_event(fields, now) for group in groups for fields in group])


def resumed(seconds: float) -> Moment:
    """Return the end of a pause."""
    return Resumed(NOON + seconds)


def _event(fields: Posted, now: float) -> Any:
    sent = {name: value for name, value in fields.items() if name != "late"}
    return make_event(now=now, time=now - fields.get("late", 0.0), **sent)


def stream(instants: Iterable[float], **fields: Any) -> tuple[Moment, ...]:
    """Return a success, or what `fields` say, at each of some instants."""
    return tuple(at(instant, [{"status": 200} | fields]) for instant in instants)


def ok(n: int = 1, **fields: Any) -> list[Posted]:
    """Return so many successes."""
    return [{"status": 200} | fields] * n


def absorbed(n: int = 1, **fields: Any) -> list[Posted]:
    """Return so many failed attempts after which their calls go on."""
    return [{"status": 500, "final": False} | fields] * n


def exhausted(n: int = 1, **fields: Any) -> list[Posted]:
    """Return so many failed calls with no retry left."""
    return [{"status": 500, "final": True, "exhausted": True} | fields] * n


def provisional(*call_ids: str, **fields: Any) -> list[Posted]:
    """Return a failure of each call, of which nobody said whether the call goes on."""
    return [{"status": 500, "call_id": call_id} | fields for call_id in call_ids]


def cancelled(n: int = 1, **fields: Any) -> list[Posted]:
    """Return so many attempts that their app gave up."""
    return [{"error_type": "cancelled"} | fields] * n
