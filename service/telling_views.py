"""Who is told of an alert, when next, who looks after it, and what holds it back.

≠ HTTP, HTML, how any of it is decided.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from alerts import storms
from alerts.labels import Labels
from alerts.lifecycle import Alert, State
from alerts.notifier import Notifier
from alerts.routes import Route
from alerts.time_intervals import TimeInterval, muted_by

LOOK_AHEAD_S = 2 * 86_400
"""How far the end of a time interval is looked for."""

_MINUTE_S = 60


class AckView(msgspec.Struct, kw_only=True):
    """Who looks after an alert.

    Attributes:
        by: Who said so.
        at: When, Unix seconds.
        until: When those who were told are told again; None is never.
    """

    by: str
    at: float
    until: float | None


class SilencedBy(msgspec.Struct, kw_only=True):
    """A silence in force that matches an alert.

    Attributes:
        id: Of the silence.
        by: Who made it.
        until: When it ends, Unix seconds.
        comment: Why.
    """

    id: str
    by: str
    until: float
    comment: str


class Due(msgspec.Struct, kw_only=True):
    """Who is told, and when.

    Attributes:
        at: Unix seconds.
        receiver: Its name.
    """

    at: float
    receiver: str


class GroupView(msgspec.Struct, kw_only=True):
    """A group that an alert is in.

    Attributes:
        receiver: Who is told of it.
        labels: What its alerts share.
        alerts: How many are in it.
        next_at: When it is looked at next.
        told: Whether the receiver knows of this alert.
        storm: Whether it is what came too fast to be told one by one.
    """

    receiver: str
    labels: Labels
    alerts: int
    next_at: float
    told: bool
    storm: bool


class Muted(msgspec.Struct, kw_only=True):
    """A route that is quiet now.

    Attributes:
        receiver: Of the route.
        interval: The time interval.
        until: When the route may tell again; None is not within two days.
    """

    receiver: str
    interval: str
    until: float | None


class Telling(msgspec.Struct, kw_only=True):
    """How people are told of one alert.

    Attributes:
        told: Receivers that know that it fires.
        again: Who is told again if it still fires and nobody looks after it.
        waiting: Receivers that are told when their time interval lets them.
        steps: Who is told next if nobody looks after it.
        groups: The groups it is in.
        muted: The routes of it that are quiet now.
    """

    told: list[str]
    again: list[Due]
    waiting: list[str]
    steps: list[Due]
    groups: list[GroupView]
    muted: list[Muted]


def ack_view(notifier: Notifier, alert: Alert, now: float) -> AckView | None:
    """Return who looks after an alert's episode now; None if nobody does, or did too long ago."""
    ack = notifier.state.acks.get(alert.fingerprint)
    if ack is None or not notifier.desk.acked(alert.fingerprint, notifier.desk.episode_of(alert), now):
        return None
    return AckView(by=ack.by, at=ack.at, until=ack.until)


def silenced_by(notifier: Notifier, alert: Alert, now: float) -> list[SilencedBy]:
    """Return the silences that match an alert that fires, the one that ends last first."""
    if alert.state is not State.FIRING:
        return []
    found = [notifier.state.silences[name] for name in notifier.desk.silencing.by(alert.labels, now)]
    found.sort(key=lambda silence: -silence.ends_at)
    return [SilencedBy(id=s.id, by=s.created_by, until=s.ends_at, comment=s.comment) for s in found]


def telling_view(notifier: Notifier, alert: Alert, now: float) -> Telling:
    """Return how people are told of an alert; empty for one that is over."""
    if alert.state is not State.FIRING:
        return Telling(told=[], again=[], waiting=[], steps=[], groups=[], muted=[])
    name, state = alert.fingerprint, notifier.state
    told, escalation = state.told.get(name), state.escalations.get(name)
    again = told.again.items() if told is not None else ()
    steps = escalation.steps if escalation is not None else ()
    return Telling(
        told=notifier.told(name),
        again=[Due(at=at, receiver=receiver) for receiver, at in sorted(again, key=lambda pair: pair[1])],
        waiting=list(told.waiting) if told is not None else [],
        steps=[Due(at=at, receiver=receiver) for at, receiver in steps],
        groups=_groups(notifier, name),
        muted=_muted(notifier, alert, now),
    )


def _groups(notifier: Notifier, name: str) -> list[GroupView]:
    return [
        GroupView(
            receiver=group.receiver,
            labels=group.labels,
            alerts=len(group.members),
            next_at=group.next_at,
            told=any(name in log.firing for log in group.log.values()),
            storm=group.route == storms.ROUTE,
        )
        for group in notifier.state.groups.values()
        if name in group.members
    ]


def _muted(notifier: Notifier, alert: Alert, now: float) -> list[Muted]:
    known = notifier.state.received.get(alert.fingerprint)
    if known is not None and known.via:
        return []  # It is told past the routes.
    intervals = notifier.policy.time_intervals
    found = []
    for matched in notifier.policy.route.matches(alert.labels):
        names = muted_by(matched.route, intervals, now)
        if names:
            until = quiet_until(matched.route, intervals, now)
            found.append(Muted(receiver=matched.route.receiver, interval=names[0], until=until))
    return found


def quiet_until(route: Route, intervals: Mapping[str, TimeInterval], now: float) -> float | None:
    """Return when a route that is muted may tell again; None if that is not within two days.

    Time intervals begin and end at whole minutes, so each is looked at.
    """
    minute = int(now // _MINUTE_S) * _MINUTE_S
    for at in range(minute + _MINUTE_S, minute + LOOK_AHEAD_S + 1, _MINUTE_S):
        if not muted_by(route, intervals, at):
            return float(at)
    return None
