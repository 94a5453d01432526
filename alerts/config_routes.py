"""Reads the routing tree and the inhibit rules of a configuration.

≠ which route an alert takes, which alert mutes which.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from .config_reading import Entry, Reading
from .inhibition import InhibitRule
from .matchers import Matcher, sorted_matchers
from .problems import Path, shown
from .routes import ALL_LABELS, GROUP_INTERVAL_S, GROUP_WAIT_S, Route

ROUTE_SETTINGS = (
    "receiver",
    "matchers",
    "match",
    "match_re",
    "continue",
    "group_by",
    "group_wait",
    "group_interval",
    "repeat_interval",
    "mute_time_intervals",
    "active_time_intervals",
    "routes",
)
_ROUTE_UNSUPPORTED = {"labels": "notifications have the labels of their alerts alone: leave it out"}
_NEEDS_GROUPS = (
    "needs group_by: write group_by: [] for one group of all, as Alertmanager has it without group_by, "
    "or leave this out: each alert is told at once"
)

INHIBIT_SETTINGS = (
    "name",
    "source_matchers",
    "target_matchers",
    "equal",
    "source_match",
    "source_match_re",
    "target_match",
    "target_match_re",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """What a route may name.

    Attributes:
        receivers: Their names.
        intervals: The names of the time intervals.
    """

    receivers: Collection[str]
    intervals: Collection[str]


def read_route(reading: Reading, data: object, *, named: Named) -> Route:
    """Return the tree below `route`."""
    path: Path = ("route",)
    entry = reading.mapping(data, path)
    reading.text(entry, "receiver", path)
    for name in ("matchers", "match", "match_re"):
        if entry.get(name):
            reading.wrong((*path, name), "the first route takes every alert: put matchers on one of its routes")
    for name in ("mute_time_intervals", "active_time_intervals"):
        if entry.get(name):
            reading.wrong((*path, name), "the first route is never quiet: put it on one of its routes")
    if entry.get("continue") is True:
        reading.wrong((*path, "continue"), "the first route has no others beside it: leave it out")
    rest = {name: value for name, value in entry.items() if name not in ("matchers", "match", "match_re")}
    return _route(reading, rest, path, named=named, parent=Route(receiver=""))


def _route(reading: Reading, entry: Entry, path: Path, *, named: Named, parent: Route) -> Route:
    reading.known(entry, path, ROUTE_SETTINGS, unsupported=_ROUTE_UNSUPPORTED)
    receiver = _receiver(reading, entry, path, named=named) or parent.receiver
    route = _grouping(reading, entry, path, parent=replace(parent, receiver=receiver))
    return replace(
        route,
        matchers=_matchers(reading, entry, path),
        proceed=reading.flag(entry, "continue", path),
        mute_time_intervals=_intervals(reading, entry, "mute_time_intervals", (path, named)),
        active_time_intervals=_intervals(reading, entry, "active_time_intervals", (path, named)),
        routes=tuple(
            _route(reading, child, place, named=named, parent=route)
            for place, child in reading.entries(entry.get("routes"), (*path, "routes"))
        ),
    )


def _receiver(reading: Reading, entry: Entry, path: Path, *, named: Named) -> str:
    # An empty one is inherited; the first route says so itself.
    if entry.get("receiver") in (None, ""):
        return ""
    name = reading.text(entry, "receiver", path)
    reading.receiver(name, (*path, "receiver"), named.receivers)
    return name


def _matchers(reading: Reading, entry: Entry, path: Path) -> tuple[Matcher, ...]:
    new = reading.matchers(entry.get("matchers"), (*path, "matchers"))
    return sorted_matchers((*reading.old_matchers(entry, "match", path), *new))


def _grouping(reading: Reading, entry: Entry, path: Path, *, parent: Route) -> Route:
    """Return a route with the parent's receiver and its own grouping, or its parent's where it says nothing."""
    own = entry.get("group_by")
    # Alertmanager takes an empty list for none: below a route that groups it says nothing.
    inherits = own is None or (own == [] and parent.group_by is not None)
    group_by = parent.group_by if inherits else _group_by(reading, own, path)
    wait_s, interval_s = parent.group_wait_s, parent.group_interval_s
    if group_by is not None and parent.group_by is None:
        wait_s, interval_s = GROUP_WAIT_S, GROUP_INTERVAL_S
    if group_by is None:
        for setting in ("group_wait", "group_interval"):
            if entry.get(setting) is not None:
                reading.wrong((*path, setting), f"{shown(entry[setting])}: {_NEEDS_GROUPS}")
    else:
        wait_s = reading.seconds(entry, "group_wait", path, default=wait_s)
        interval_s = reading.seconds(entry, "group_interval", path, default=interval_s, above_zero=True)
    return Route(
        receiver=parent.receiver,
        group_by=group_by,
        group_wait_s=wait_s,
        group_interval_s=interval_s,
        repeat_interval_s=reading.seconds(
            entry, "repeat_interval", path, default=parent.repeat_interval_s, above_zero=True
        ),
    )


def _group_by(reading: Reading, data: object, path: Path) -> tuple[str, ...]:
    place = (*path, "group_by")
    names = reading.label_names(data, place)
    if ALL_LABELS[0] not in names:
        return names
    if len(set(names)) > 1:
        reading.wrong(place, f"{shown(data)}: '...' is every label: leave the others out")
    return ALL_LABELS


def _intervals(reading: Reading, entry: Entry, setting: str, at: tuple[Path, Named]) -> tuple[str, ...]:
    path, named = (*at[0], setting), at[1]
    names = reading.strings(entry.get(setting), path)
    for i, name in enumerate(names):
        if name not in named.intervals:
            remedy = f"one of {', '.join(named.intervals)}" if named.intervals else "there are none: add it"
            reading.wrong((*path, i), f"{shown(name)}: not in time_intervals: {remedy}")
    return tuple(names)


def read_inhibit_rules(reading: Reading, data: object) -> tuple[InhibitRule, ...]:
    """Return the rules below `inhibit_rules`."""
    found: list[InhibitRule] = []
    for path, entry in reading.entries(data, ("inhibit_rules",)):
        reading.known(entry, path, INHIBIT_SETTINGS)
        if entry.get("name") is not None:
            reading.text(entry, "name", path)
        before = len(reading.problems)
        source, target = _side(reading, entry, "source", path), _side(reading, entry, "target", path)
        # Where a matcher cannot be read, the side is not empty but wrong.
        if not (source and target) and len(reading.problems) == before:
            reading.wrong(
                path, "source_matchers and target_matchers are both needed, or everything would mute everything"
            )
        equal = reading.label_names(entry.get("equal"), (*path, "equal"))
        found.append(InhibitRule(source=source, target=target, equal=equal))
    return tuple(found)


def _side(reading: Reading, entry: Entry, side: str, path: Path) -> tuple[Matcher, ...]:
    setting = f"{side}_matchers"
    new = reading.matchers(entry.get(setting), (*path, setting))
    return sorted_matchers((*reading.old_matchers(entry, f"{side}_match", path), *new))
