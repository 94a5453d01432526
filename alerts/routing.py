"""Routing, explained: which routes an alert was asked at, who is told, and what could hold that back.

≠ how it is shown; whether an alert fires.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .config_records import Config, EscalationStep
from .inhibition import DEFAULT_INHIBIT_RULES, InhibitRule
from .labels import Labels
from .matchers import all_match, matchers_text
from .problems import Problem
from .routes import ALL_LABELS, Matched
from .time_intervals import muted_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One matcher, and what it said to the alert's value of its label."""

    matcher: str
    label: str
    value: str
    matched: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One route of the tree.

    Attributes:
        where: Its place in the file: route.routes[0].
        id: As in `Matched`.
        receiver: Who is told by it.
        conditions: Its matchers, each with its answer; empty where it was not asked.
        matched: Whether all of them matched.
        tells: Whether it tells, which a route does that no child of it takes the alert from.
        taken_by: The place of the route that took the alert before this one was asked; "" where it was asked.
        routes: Its children; those of a route that did not match were not asked and are left out.
    """

    where: str
    id: str
    receiver: str
    conditions: tuple[Condition, ...] = ()
    matched: bool = False
    tells: bool = False
    taken_by: str = ""
    routes: tuple[Asked, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One receiver that is told, by one route.

    Attributes:
        where, id, key, receiver: Of the route.
        integrations: As "receiver/kind/index"; none: what it gets is dropped.
        group: The labels of the group and their values; None: the alert is told alone.
        group_wait_s, group_interval_s, repeat_interval_s: Of the route.
        muted_by: Time intervals that keep the route quiet now.
        outside_active: Whether they do because none of its active intervals is now.
        fallback: Who is told what cannot be delivered; "" where nobody is.
    """

    where: str
    id: str
    key: str
    receiver: str
    integrations: tuple[str, ...]
    group: dict[str, str] | None
    group_wait_s: float
    group_interval_s: float
    repeat_interval_s: float
    muted_by: tuple[str, ...]
    outside_active: bool
    fallback: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inhibitor:
    """An inhibit rule that the alert is a target of: what would have to fire to mute it.

    Attributes:
        where: Its place in the file, or among the default ones.
        source: The matchers of what would mute it.
        equal: Labels that would have to be alike, and the alert's values of them.
        not_of_its_kind: Whether the alert is a source of the rule too: then no alert mutes it that is a target too.
    """

    where: str
    source: str
    equal: dict[str, str]
    not_of_its_kind: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """An escalation that would apply while nobody acknowledges."""

    where: str
    steps: tuple[EscalationStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """Where an alert goes, and why.

    Attributes:
        labels: The alert's.
        at: The instant that the time intervals were asked for, Unix seconds.
        tree: Every route that was asked, from the first.
        told: Who is told, in order.
        inhibitors: What could mute it.
        escalations: What happens while nobody acknowledges.
    """

    labels: dict[str, str]
    at: float
    tree: Asked
    told: tuple[Told, ...]
    inhibitors: tuple[Inhibitor, ...]
    escalations: tuple[Escalation, ...]


def explain_routing(config: Config, labels: Labels, *, now: float) -> Routing:
    """Return where an alert with these labels goes by a configuration, and why."""
    places = dict(_places(next(config.route.walk()), ("route",)))
    telling = config.route.matches(labels)
    ids = {matched.id for matched in telling}
    default = "the default " if config.inhibit_rules is DEFAULT_INHIBIT_RULES else ""
    return Routing(
        labels=dict(sorted(labels.items())),
        at=now,
        tree=_asked(next(config.route.walk()), labels, places=places, telling=ids),
        told=tuple(_told(config, matched, labels, where=places[matched.id], now=now) for matched in telling),
        inhibitors=tuple(
            _inhibitor(rule, labels, where=f"{default}inhibit_rules[{i}]")
            for i, rule in enumerate(config.inhibit_rules)
            if all_match(rule.target, labels)
        ),
        escalations=tuple(
            Escalation(where=f"escalations[{i}]", steps=escalation.steps)
            for i, escalation in enumerate(config.escalations)
            if all_match(escalation.matchers, labels)
        ),
    )


def _places(matched: Matched, path: tuple[str | int, ...]) -> Iterator[tuple[str, str]]:
    """Return the place in the file of each route, by its id."""
    yield matched.id, Problem(path, "").where
    for i, child in enumerate(matched.children()):
        yield from _places(child, (*path, "routes", i))


def _asked(matched: Matched, labels: Labels, *, places: dict[str, str], telling: set[str]) -> Asked:
    route = matched.route
    conditions = tuple(
        Condition(matcher=str(m), label=m.name, value=labels.get(m.name, ""), matched=m.matches(labels.get(m.name, "")))
        for m in route.matchers
    )
    took = all(condition.matched for condition in conditions)
    children: list[Asked] = []
    taken_by = ""
    for child in matched.children() if took else ():
        if taken_by:
            children.append(
                Asked(where=places[child.id], id=child.id, receiver=child.route.receiver, taken_by=taken_by)
            )
            continue
        children.append(_asked(child, labels, places=places, telling=telling))
        if children[-1].matched and not child.route.proceed:
            taken_by = children[-1].where
    return Asked(
        where=places[matched.id],
        id=matched.id,
        receiver=route.receiver,
        conditions=conditions,
        matched=took,
        tells=matched.id in telling,
        routes=tuple(children),
    )


def _told(config: Config, matched: Matched, labels: Labels, *, where: str, now: float) -> Told:
    route = matched.route
    muting = muted_by(route, config.time_intervals, now)
    active = [config.time_intervals[name] for name in route.active_time_intervals if name in config.time_intervals]
    return Told(
        where=where,
        id=matched.id,
        key=matched.key,
        receiver=route.receiver,
        integrations=_integrations(config, route.receiver),
        group=_group(route.group_by, labels),
        group_wait_s=route.group_wait_s,
        group_interval_s=route.group_interval_s,
        repeat_interval_s=route.repeat_interval_s,
        muted_by=tuple(muting),
        outside_active=bool(active) and not any(interval.contains(now) for interval in active),
        fallback=_fallback(config, route.receiver),
    )


def _group(group_by: tuple[str, ...] | None, labels: Labels) -> dict[str, str] | None:
    if group_by is None:
        return None
    names = sorted(labels) if group_by == ALL_LABELS else group_by
    # As in Alertmanager, a label that the alert does not have is no label of its group.
    return {name: labels[name] for name in names if labels.get(name)}


def _integrations(config: Config, receiver: str) -> tuple[str, ...]:
    found = next((one for one in config.receivers if one.name == receiver), None)
    kinds = [kind for kind, _, _ in found.integrations] if found else []
    return tuple(f"{receiver}/{kind.removesuffix('_configs')}/{i}" for i, kind in enumerate(kinds))


def _fallback(config: Config, receiver: str) -> str:
    named = [config.fallback_receiver] if config.fallback_receiver else []
    others = [*named, *(one.name for one in config.receivers if one.integrations)]
    return next((name for name in others if name != receiver), "")


def _inhibitor(rule: InhibitRule, labels: Labels, *, where: str) -> Inhibitor:
    return Inhibitor(
        where=where,
        source=matchers_text(rule.source),
        equal={name: labels.get(name, "") for name in rule.equal},
        not_of_its_kind=all_match(rule.source, labels),
    )
