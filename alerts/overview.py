"""Overview: the alerts that fire, whom they are for, and what holds them back, as Alertmanager's API lists them.

≠ JSON, who is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cmp_to_key

from . import storms
from .label_order import compare_all, in_order
from .labels import Labels
from .lifecycle import Alert
from .matchers import Matcher, all_match
from .notification import facts
from .notifier import Notifier
from .notifier_state import Group, Received
from .patterns import Pattern
from .received import NO_RULE
from .routes import Matched
from .silences import Silence, SilenceState, compile_matchers
from .time_intervals import muted_by

FIRES_ON_S = 180.0
"""How long an alert that a rule decided is said to fire on: it has no end, and Alertmanager's alerts have one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which alerts are asked for.

    Attributes:
        matchers: All must match.
        receiver: One of the receivers must match, as a whole.
        active: Whether those are wanted that nothing holds back.
        silenced, inhibited, muted: Whether those are that a silence, an alert or a time interval holds back.
    """

    matchers: tuple[Matcher, ...] = ()
    receiver: Pattern | None = None
    active: bool = True
    silenced: bool = True
    inhibited: bool = True
    muted: bool = True

    def takes_receiver(self, name: str) -> bool:
        """Whether what a receiver is told of is wanted."""
        return self.receiver is None or self.receiver.matches(name)

    def takes(self, one: Standing) -> bool:
        """Whether an alert's state is one of those that are wanted."""
        return (
            (self.active or one.suppressed)
            and (self.silenced or not one.silenced_by)
            and (self.inhibited or not one.inhibited_by)
            and (self.muted or not one.muted_by)
        )


EVERYTHING = Wanted()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One alert that fires; the instants are Unix seconds.

    Attributes:
        receivers: Who it is for, each once.
        generator_url: Where its cause can be seen.
        inhibited_by: Fingerprints.
        silenced_by: Ids of silences.
        muted_by: Names of time intervals, if they keep all of its routes quiet; in a group, those of its route.
    """

    fingerprint: str
    labels: Labels
    annotations: Labels
    starts_at: float
    ends_at: float
    updated_at: float
    generator_url: str
    receivers: tuple[str, ...]
    inhibited_by: tuple[str, ...] = ()
    silenced_by: tuple[str, ...] = ()
    muted_by: tuple[str, ...] = ()

    @property
    def suppressed(self) -> bool:
        """Whether something holds it back."""
        return bool(self.inhibited_by or self.silenced_by or self.muted_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """Alerts that one receiver is told of together; an alert that is told alone is a group of its own labels."""

    labels: Labels
    receiver: str
    alerts: tuple[Standing, ...]


def standing(
    notifier: Notifier, engine_alerts: Iterable[Alert], now: float, wanted: Wanted = EVERYTHING
) -> list[Standing]:
    """Return the alerts that fire and are wanted, by fingerprint.

    Args:
        notifier: Knows of all of them.
        engine_alerts: Those that rules decided, as they are now.
        now: Unix seconds.
        wanted: Which.
    """
    look = _Look(notifier, engine_alerts, now)
    return [one for name in sorted(notifier.state.firing) if (one := look.at(name, wanted)) is not None]


def grouped(
    notifier: Notifier, engine_alerts: Iterable[Alert], now: float, wanted: Wanted = EVERYTHING
) -> list[Grouped]:
    """Return the groups that hold an alert that is wanted, with those alone; the order is `in_group_order`'s to make.

    `receiver` and `muted` choose groups, and all else alerts: an alert is listed with the receivers of the
    groups that are chosen.
    """
    of_any = replace(wanted, receiver=None, muted=True)
    alerts = {one.fingerprint: one for one in standing(notifier, engine_alerts, now, of_any)}
    chosen: list[tuple[Labels, str, list[Standing], tuple[str, ...]]] = []
    receivers: dict[str, list[str]] = {}
    for labels, receiver, members, muting in _memberships(notifier, alerts, now):
        if not wanted.takes_receiver(receiver):
            continue
        for one in members:
            receivers.setdefault(one.fingerprint, []).append(receiver)
        if wanted.muted or not muting:
            chosen.append((labels, receiver, members, muting))
    return [
        Grouped(
            labels=labels,
            receiver=receiver,
            alerts=tuple(
                replace(one, receivers=tuple(dict.fromkeys(receivers[one.fingerprint])), muted_by=muting)
                for one in members
            ),
        )
        for labels, receiver, members, muting in chosen
    ]


def in_group_order(groups: Iterable[Grouped]) -> list[Grouped]:
    """Return groups in Alertmanager's order: by labels, then by receiver, and so the alerts of each.

    It needs nothing of the notifier, and with thousands of groups it takes a while.
    """

    def order(one: Grouped, other: Grouped) -> int:
        return compare_all(one.labels, other.labels) or (one.receiver > other.receiver) - (
            one.receiver < other.receiver
        )

    return [replace(group, alerts=_in_order(group.alerts)) for group in sorted(groups, key=cmp_to_key(order))]


def _in_order(alerts: tuple[Standing, ...]) -> tuple[Standing, ...]:
    by_name = {one.fingerprint: one for one in alerts}
    return tuple(by_name[name] for name in in_order(by_name, lambda name: by_name[name].labels))


class _Look:
    """The notifier at one instant."""

    def __init__(self, notifier: Notifier, engine_alerts: Iterable[Alert], now: float) -> None:
        self._notifier = notifier
        self._latest = {alert.fingerprint: alert for alert in engine_alerts}
        self._now = now
        self._spoken_for = {
            name: lead
            for lead, incident in notifier.state.incidents.items()
            for name in incident.firing
            if name != lead
        }

    def at(self, name: str, wanted: Wanted) -> Standing | None:
        """Return an alert that fires; None if it is over, or not wanted."""
        alert = self._latest.get(name, self._notifier.state.firing[name])
        if not all_match(wanted.matchers, alert.labels):
            return None
        received = self._notifier.state.received.get(name) if alert.rule == NO_RULE else None
        # Its timer is a little late at times.
        if received is not None and received.ends_at < self._now:
            return None
        routes = _routes(self._notifier, alert.labels, received)
        receivers = tuple(dict.fromkeys(_receiver(one) for one in routes))
        if not any(map(wanted.takes_receiver, receivers)):
            return None
        found = self._described(alert, received, receivers)
        found = replace(
            found,
            inhibited_by=self._inhibited_by(alert),
            silenced_by=tuple(self._notifier.desk.silencing.by(alert.labels, self._now)),
            muted_by=self._muted_by(routes),
        )
        return found if wanted.takes(found) else None

    def _described(self, alert: Alert, received: Received | None, receivers: tuple[str, ...]) -> Standing:
        if received is not None:
            return Standing(
                fingerprint=alert.fingerprint,
                labels=received.labels,
                annotations=received.annotations,
                starts_at=received.starts_at,
                ends_at=received.ends_at,
                updated_at=received.updated_at,
                generator_url=received.generator_url,
                receivers=receivers,
            )
        said = self._notifier.desk.say(alert)
        return Standing(
            fingerprint=alert.fingerprint,
            labels=alert.labels,
            annotations=facts(said),
            starts_at=said.starts_at,
            ends_at=self._now + FIRES_ON_S,
            updated_at=max(alert.last_at, said.starts_at),
            generator_url=said.url,
            receivers=receivers,
        )

    def _inhibited_by(self, alert: Alert) -> tuple[str, ...]:
        name = alert.fingerprint
        before = self._notifier.state.held_back.get(name, "").partition(" ")[2]
        source = self._notifier.desk.inhibition.source_of(alert, before=before)
        if source is not None:
            return (source.fingerprint,)
        lead = self._spoken_for.get(name)
        # What is told in a group as well is told, though another page speaks for it.
        return (lead,) if lead is not None and not self._notifier.told(name) else ()

    def _muted_by(self, routes: list[Matched | str]) -> tuple[str, ...]:
        muting = [_muting(self._notifier, one, self._now) for one in routes]
        return tuple(dict.fromkeys(name for names in muting for name in names)) if all(muting) else ()


def _memberships(
    notifier: Notifier, alerts: dict[str, Standing], now: float
) -> Iterator[tuple[Labels, str, list[Standing], tuple[str, ...]]]:
    """Yield the labels, receiver, alerts and muting time intervals of each group that is not empty."""
    routes = {matched.id: matched for matched in notifier.policy.route.walk()}
    in_storm: set[tuple[str, str]] = set()
    for group in notifier.state.groups.values():
        members = [alerts[name] for name in group.members if name in alerts]
        if group.route == storms.ROUTE:
            in_storm.update((group.receiver, name) for name in group.members)
        if members:
            yield group.labels, group.receiver, members, _muting_group(notifier, group, routes, now)
    for name, one in alerts.items():
        for receiver, matched in {_receiver(matched): matched for matched in _alone(notifier, one)}.items():
            if (receiver, name) not in in_storm:
                yield one.labels, receiver, [one], _muting(notifier, matched, now)


def _muting_group(notifier: Notifier, group: Group, routes: dict[str, Matched], now: float) -> tuple[str, ...]:
    matched = routes.get(group.route)
    return _muting(notifier, matched, now) if matched is not None else ()


def _alone(notifier: Notifier, one: Standing) -> list[Matched | str]:
    """Return the routes by which an alert is told alone."""
    routes = _routes(notifier, one.labels, notifier.state.received.get(one.fingerprint))
    return [route for route in routes if isinstance(route, str) or route.route.group_by is None]


def _routes(notifier: Notifier, labels: Labels, received: Received | None) -> list[Matched | str]:
    """Return the routes of an alert, or the receivers, where they were given with it."""
    if received is not None and received.via:
        return list(received.via)
    return list(notifier.policy.route.matches(labels))


def _receiver(one: Matched | str) -> str:
    return one if isinstance(one, str) else one.route.receiver


def _muting(notifier: Notifier, one: Matched | str, now: float) -> tuple[str, ...]:
    return () if isinstance(one, str) else tuple(muted_by(one.route, notifier.policy.time_intervals, now))


_ORDER = {SilenceState.ACTIVE: 0, SilenceState.PENDING: 1, SilenceState.EXPIRED: 2}


def listed(
    silences: Iterable[Silence], now: float, *, matchers: Iterable[Matcher], states: Iterable[SilenceState]
) -> list[Silence]:
    """Return silences: active ones by their end, then pending ones by their beginning, then the latest that expired.

    Args:
        silences: All there are.
        now: Unix seconds.
        matchers: Each must be one of a silence's own.
        states: Those that are wanted.
    """
    matchers, states = set(matchers), set(states)
    found = [one for one in silences if one.state(now) in states and matchers <= set(compile_matchers(one.matchers))]

    def order(one: Silence) -> tuple[int, float]:
        state = one.state(now)
        at = {
            SilenceState.ACTIVE: one.ends_at,
            SilenceState.PENDING: one.starts_at,
            SilenceState.EXPIRED: -one.ends_at,
        }
        return _ORDER[state], at[state]

    return sorted(found, key=order)
