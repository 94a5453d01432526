"""Episodes of alerts, those that fire too: searched by what people ask for, newest first.

≠ who was told, posted alerts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from alerts.lifecycle import Alert

from .connecting import Connection, Dialect

Place: TypeAlias = tuple[float, str, int]
"""(when it fired, fingerprint, episode): where an episode stands in the order."""

# As the indexes have it.
_LABEL = {
    Dialect.SQLITE: "CASE WHEN json_valid(alert) THEN json_extract(alert, '$.labels.{}') END",
    Dialect.POSTGRES: "(json_text(alert, 'labels', '{}') COLLATE \"C\")",
}
_RULE = {
    Dialect.SQLITE: "CASE WHEN json_valid(alert) THEN json_extract(alert, '$.rule') END",
    Dialect.POSTGRES: "(json_text(alert, 'rule') COLLATE \"C\")",
}
_ALERT = msgspec.json.Decoder(Alert)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Which episodes somebody asks for; None is any.

    Attributes:
        rule: A rule's id, or what several ids begin with, such as the alert's name.
        since: Did not fire before, Unix seconds.
        until: Fired before.
    """

    app: str | None = None
    environment: str | None = None
    rule: str | None = None
    severity: str | None = None
    since: float | None = None
    until: float | None = None

    def takes(self, alert: Alert) -> bool:
        """Whether an alert that fired is one of them."""
        labels, at = alert.labels, alert.fired_at or 0.0
        said = alert.rule or labels.get("alertname", "")
        return (
            self.app in (None, labels.get("app", ""))
            and self.environment in (None, labels.get("environment", ""))
            and self.severity in (None, labels.get("severity", ""))
            and (self.rule is None or said == self.rule or said.startswith(f"{self.rule}/"))
            and (self.since is None or at >= self.since)
            and (self.until is None or at < self.until)
        )

    def where(self, dialect: Dialect) -> tuple[list[str], list[str | float]]:
        """Return the same as SQL conditions, and their values."""
        said: list[str] = []
        values: list[str | float] = []
        for name in ("app", "environment", "severity"):
            if (value := getattr(self, name)) is not None:
                said.append(f"{_LABEL[dialect].format(name)} = ?")
                values.append(value)
        if self.rule is not None:
            # "0" comes right after "/".
            rule = _RULE[dialect]
            said.append(f"({rule} = ? OR ({rule} > ? AND {rule} < ?))")
            values += [self.rule, f"{self.rule}/", f"{self.rule}0"]
        for condition, instant in (("fired_at >= ?", self.since), ("fired_at < ?", self.until)):
            if instant is not None:
                said.append(condition)
                values.append(instant)
        return said, values


def find(connection: Connection, sought: Sought, *, limit: int, before: Place | None = None) -> list[Alert]:
    """Return episodes, those that fired last first; with `before` only those that stand behind a place."""
    said, values = sought.where(connection.dialect)
    if before is not None:
        said.append("(fired_at, fingerprint, episode) < (?, ?, ?)")
        values += before
    query = (
        f"SELECT alert FROM episodes WHERE {' AND '.join(said) or '1 = 1'} "  # noqa: S608
        "ORDER BY fired_at DESC, fingerprint DESC, episode DESC LIMIT ?"
    )
    return [_ALERT.decode(row[0]) for row in connection.execute(query, (*values, limit)).fetchall()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """When an alert of an app fired.

    Attributes:
        ended_at: None while it fires.
    """

    app: str
    environment: str
    severity: str
    fired_at: float
    ended_at: float | None


def stretches(connection: Connection, sought: Sought, *, since: float, limit: int) -> list[Stretch]:
    """Return when alerts fired that did not end before an instant, the last first."""
    said, values = sought.where(connection.dialect)
    labels = ", ".join(_LABEL[connection.dialect].format(name) for name in ("app", "environment", "severity"))
    query = (
        f"SELECT {labels}, fired_at, resolved_at FROM episodes "  # noqa: S608
        f"WHERE {' AND '.join(['(resolved_at >= ? OR resolved_at IS NULL)', *said])} ORDER BY fired_at DESC LIMIT ?"
    )
    rows = connection.execute(query, (since, *values, limit)).fetchall()
    return [
        Stretch(
            app=app or "",
            environment=environment or "",
            severity=severity or "",
            fired_at=fired_at,
            ended_at=resolved_at,
        )
        for app, environment, severity, fired_at, resolved_at in rows
    ]
