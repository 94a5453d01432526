"""What came of a timetable: messages made comparable, and how two outcomes differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .timetable import LABEL

TOLERANCE_S = 0.7
"""What two Alertmanagers differ by on a busy machine is below it; what timetables tell apart is 1 s and more."""

CLAXONS_OWN = (
    *("summary", "measured", "errors", "blame", "advice", "request_ids", "acknowledge"),
    *("rule_hash", "resolve_reason", "acked_by", "muted_by"),
)
"""The annotations that Claxon adds to an alert's own."""

MANY = 6
_ANCHORED = re.compile(r'"\^\(\?:(.*?)\)\$"')
_ZERO = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message that a webhook accepted.

    Attributes:
        at: The second of the timetable.
        webhook: "page", or "page[1]" for the second webhook of the receiver.
        body: What it said, without what differs by nature; instants are seconds of the timetable.
        status: Firing, or resolved.
        reason: Claxon's `notification_reason`; Alertmanager 0.25 has none.
    """

    at: float
    webhook: str
    body: Mapping[str, Any]
    status: str
    reason: str | None

    @property
    def line(self) -> str:
        """Return "1.0 page: +a x=1 -b": what fires, and what is resolved."""
        return f"{self.at:.1f} {self.webhook}: {self.text}"

    @property
    def text(self) -> str:
        """Return the line without when and to whom."""
        alerts = [("+" if one["status"] == "firing" else "-") + _short(one["labels"]) for one in self.body["alerts"]]
        if len(alerts) > MANY:
            alerts = [
                f"{sign}{sum(one[0] == sign for one in alerts)} alerts"
                for sign in "+-"
                if any(one[0] == sign for one in alerts)
            ]
        more = self.body["truncatedAlerts"]
        return " ".join([*alerts, *([f"({more} more, {self.status})"] if more else [])])


@dataclass(slots=True)
class Outcome:
    """Everything that a timetable brought about at one subject.

    Attributes:
        messages: Accepted ones, in order of arrival.
        refused: How many messages were answered with something else than 2xx.
        answers: The status that each post, silence and look was answered with.
        seen: What each look saw.
        fault: What kept it from being played to its end.
    """

    messages: list[Message] = field(default_factory=list)
    refused: int = 0
    answers: list[int] = field(default_factory=list)
    seen: list[Any] = field(default_factory=list)
    fault: str = ""

    @property
    def lines(self) -> list[str]:
        """The messages, a line each."""
        return [message.line for message in self.messages]


def message(body: Mapping[str, Any], *, at: float, start: float, timetable: str, webhook: str) -> Message:
    """Return one message, comparable; `start` is the timetable's beginning in Unix seconds."""
    alerts = [_alert(one, start=start) for one in body["alerts"]]
    common = body["commonAnnotations"]
    told = {
        "version": body["version"],
        "status": body["status"],
        # What Alertmanager makes safe for a regular expression, Claxon says as it was written.
        "receiver": body["receiver"].replace("\\", "").removeprefix(f"{timetable}-"),
        "groupKey": _ANCHORED.sub(r'"\1"', body["groupKey"]),
        "groupLabels": body["groupLabels"],
        "commonLabels": body["commonLabels"],
        "commonAnnotations": {name: text for name, text in common.items() if name not in CLAXONS_OWN},
        "truncatedAlerts": body["truncatedAlerts"],
        "alerts": alerts,
    }
    if told["truncatedAlerts"]:
        # Alertmanager takes these of the alerts that it lists, Claxon of all.
        for name in ("status", "commonLabels", "commonAnnotations"):
            del told[name]
    reason = body.get("notification_reason")
    return Message(at=at - start, webhook=webhook, body=told, status=body["status"], reason=reason)


def differences(one: Outcome, other: Outcome, *, late: float = 0.0) -> list[str]:
    """Return what two outcomes differ in, a line each; empty where they are the same."""
    found = [one.fault, other.fault] if one.fault or other.fault else []
    if one.answers != other.answers:
        found.append(f"answers: {one.answers} != {other.answers}")
    ours, theirs = _by_group(one.messages), _by_group(other.messages)
    for group in sorted(ours.keys() | theirs.keys()):
        a, b = ours.get(group, []), theirs.get(group, [])
        if len(a) != len(b):
            found.append(f"{group}: {[m.line for m in a]} != {[m.line for m in b]}")
        for left, right in zip(a, b, strict=False):
            if abs(left.at - right.at) > TOLERANCE_S + late:
                found.append(f"{group}: at {left.at:.2f} s != {right.at:.2f} s: {left.text}")
            found += [f"{left.line}: {text}" for text in _unlike(left.body, right.body, path="")]
    for i, (left, right) in enumerate(zip(one.seen, other.seen, strict=False)):
        found += [f"look {i}: {text}" for text in _unlike(left, right, path="")]
    return found


def unexpected(lines: Iterable[str], outcome: Outcome, *, within_s: float = TOLERANCE_S) -> list[str]:
    """Return the lines that nothing came of, and the messages that no line foretold."""
    left = list(outcome.messages)
    found = []
    for line in lines:
        at, text = line.split(" ", 1)
        fits = [m for m in left if f"{m.webhook}: {m.text}" == text and abs(m.at - float(at)) <= within_s]
        if fits:
            left.remove(min(fits, key=lambda m: abs(m.at - float(at))))
        else:
            found.append(f"did not come: {line}")
    return found + [f"came: {m.line}" for m in left]


def wrong_reasons(outcome: Outcome) -> list[str]:
    """Return the messages that give another reason than Alertmanager 0.34 would after the messages before them.

    Where a webhook left out alerts, or was told no ends, nothing can be expected of what follows.
    """
    found = []
    for messages in _by_group(outcome.messages).values():
        before: tuple[set[str], set[str]] | None = None
        if any(one.body["truncatedAlerts"] for one in messages):
            continue
        for one in messages:
            firing = {a["fingerprint"] for a in one.body["alerts"] if a["status"] == "firing"}
            resolved = {a["fingerprint"] for a in one.body["alerts"] if a["status"] == "resolved"}
            expected = _reason(before, firing, resolved)
            if one.reason != expected and (resolved or before is None or one.reason != "first notification"):
                found.append(f"{one.line}: {one.reason!r}: not {expected!r}")
            before = (firing, resolved)
    return found


def _reason(before: tuple[set[str], set[str]] | None, firing: set[str], resolved: set[str]) -> str:
    if before is None or (not before[0] and firing):
        return "first notification"
    if not firing <= before[0]:
        return "new alerts added"
    if not firing:
        return "all alerts resolved"
    return "repeat interval elapsed" if resolved <= before[1] else "some alerts resolved"


def _by_group(messages: Iterable[Message]) -> dict[str, list[Message]]:
    found: dict[str, list[Message]] = {}
    for one in messages:
        found.setdefault(f"{one.webhook} {one.body['groupKey']}", []).append(one)
    return found


def _alert(alert: Mapping[str, Any], *, start: float) -> dict[str, Any]:
    return {
        "status": alert["status"],
        "labels": alert["labels"],
        "annotations": {name: text for name, text in alert["annotations"].items() if name not in CLAXONS_OWN},
        "startsAt": _second(alert["startsAt"], start),
        "endsAt": _second(alert["endsAt"], start),
        # Where a sender gave no link, Claxon gives its own page.
        "generatorURL": re.sub(rf".*/alerts/{alert['fingerprint']}$", "", alert["generatorURL"]),
        "fingerprint": alert["fingerprint"],
    }


def _second(instant: str, start: float) -> float | None:
    """Return the second of the timetable; None for Go's zero time."""
    if instant == _ZERO:
        return None
    # Python reads six digits of a fraction; Go writes nine.
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", instant)).timestamp() - start


def _unlike(one: Any, other: Any, *, path: str) -> list[str]:
    if isinstance(one, float) and isinstance(other, float):
        return [] if abs(one - other) <= TOLERANCE_S else [f"{path}: {one:.2f} != {other:.2f}"]
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        absent = object()
        names = sorted(one.keys() | other.keys())
        return [
            text
            for name in names
            for text in _unlike(one.get(name, absent), other.get(name, absent), path=f"{path}.{name}")
        ]
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [
            text for i, (a, b) in enumerate(zip(one, other, strict=True)) for text in _unlike(a, b, path=f"{path}[{i}]")
        ]
    return [] if one == other else [f"{path}: {one!r} != {other!r}"]


def _short(labels: Mapping[str, str]) -> str:
    others = (f"{name}={value}" for name, value in sorted(labels.items()) if name not in ("alertname", LABEL))
    return " ".join([labels.get("alertname", "?"), *others])
