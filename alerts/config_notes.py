"""What a configuration does that its author may not have meant: it loads, and is noteworthy.

≠ what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from .config_receivers import takers
from .config_records import Config
from .durations import exact_duration
from .matchers import Matcher, make_matcher, matchers_text
from .problems import Path, Problem
from .routes import Route

_PAGE = make_matcher("severity", "=", "page")
_OLD_ROUTE = {"match": "write matchers", "match_re": "write matchers"}
_OLD_INHIBIT = {f"{side}_match{re}": f"write {side}_matchers" for side in ("source", "target") for re in ("", "_re")}


def config_notes(config: Config, data: object, *, kinds: Collection[str]) -> list[Problem]:
    """Return what is noteworthy in a configuration that is good, each with its path.

    Args:
        config: What the file means.
        data: What it holds, for the settings that are called otherwise now.
        kinds: Known kinds of receivers.
    """
    places = list(_places(config.route))
    return [
        *_never(places),
        *_delays(places),
        *_timers(places),
        *_nobody(config, (place.route.receiver for place in places)),
        *_unused_intervals(config, [place.route for place in places]),
        *_old_settings(data),
        *_unread_globals(config, kinds),
    ]


@dataclass(frozen=True, slots=True)
class _Place:
    """A route, its path, and what an alert that comes to it has met."""

    route: Route
    path: Path
    parent: _Place | None
    met: tuple[Matcher, ...]
    elder: tuple[_Place, ...]


def _places(route: Route) -> Iterator[_Place]:
    yield from _below(_Place(route, ("route",), None, route.matchers, ()))


def _below(place: _Place) -> Iterator[_Place]:
    yield place
    elder: tuple[_Place, ...] = ()
    for i, child in enumerate(place.route.routes):
        met = (*place.met, *child.matchers)
        found = _Place(child, (*place.path, "routes", i), place, met, elder)
        elder = (*elder, found)
        yield from _below(found)


def _never(places: Iterable[_Place]) -> Iterator[Problem]:
    """Routes that no alert comes to; those below them are not named too."""
    named: list[Path] = []
    for place in places:
        if any(place.path[: len(path)] == path for path in named):
            continue
        text = _why_never(place)
        if text:
            named.append(place.path)
            yield Problem(place.path, f"{matchers_text(place.route.matchers)}: no alert ever comes here: {text}")


def _why_never(place: _Place) -> str:
    for matcher in place.route.matchers:
        if other := next((m for m in place.met if _contradict(m, matcher)), None):
            return f"{other} and {matcher} are never both true"
    for elder in place.elder:
        if not elder.route.proceed and all(_implied(m, place.met) for m in elder.route.matchers):
            where = Problem(elder.path, "").where
            return f"{where} before it takes them: give that continue: true, or put this one first"
    return ""


def _implied(matcher: Matcher, met: Iterable[Matcher]) -> bool:
    """Whether a matcher is true wherever others are, as far as one can tell without trying every value."""
    return any(m == matcher or (_says(m, matcher.name) and matcher.matches(m.value)) for m in met)


def _contradict(one: Matcher, other: Matcher) -> bool:
    return any(_says(m, n.name) and not n.matches(m.value) for m, n in ((one, other), (other, one)))


def _says(matcher: Matcher, name: str) -> bool:
    """Whether a matcher says the whole value of a label."""
    return matcher.name == name and matcher.operator == "="


def _delays(places: Iterable[_Place]) -> Iterator[Problem]:
    """Routes where a page waits for its group; those that inherit it are not named too."""
    for place in places:
        if not _delays_pages(place):
            continue
        parent = place.parent
        if parent is not None and _delays_pages(parent) and parent.route.group_wait_s == place.route.group_wait_s:
            continue
        wait = exact_duration(place.route.group_wait_s)
        text = f'group_wait: {wait}: an alert of severity="page" waits that long: write group_wait: 0s'
        yield Problem(place.path, text)


def _delays_pages(place: _Place) -> bool:
    if place.route.group_by is None or place.route.group_wait_s == 0:
        return False
    # Told here are the pages that no child takes, and that come here at all.
    return not any(_takes(child.matchers, place) for child in place.route.routes) and _pages_come(place)


def _pages_come(place: _Place) -> bool:
    if not all(m.matches("page") for m in place.met if m.name == "severity"):
        return False
    if any(not elder.route.proceed and _takes(elder.route.matchers, place) for elder in place.elder):
        return False
    return place.parent is None or _pages_come(place.parent)


def _takes(matchers: Iterable[Matcher], place: _Place) -> bool:
    """Whether a route with these matchers surely takes every page that comes to, or beside, a place."""
    return all(_implied(m, (*place.met, _PAGE)) for m in matchers)


def _timers(places: Iterable[_Place]) -> Iterator[Problem]:
    for place in places:
        route, parent = place.route, place.parent
        repeat, interval = route.repeat_interval_s, route.group_interval_s
        if repeat >= interval or (
            parent is not None and (parent.route.repeat_interval_s, parent.route.group_interval_s) == (repeat, interval)
        ):
            continue
        text = f"repeat_interval: {exact_duration(repeat)}: a group is looked at every {exact_duration(interval)} only"
        yield Problem(place.path, f"{text}: write a longer one")


def _nobody(config: Config, routed: Iterable[str]) -> Iterator[Problem]:
    used = {*routed, config.fallback_receiver, *(s.receiver for e in config.escalations for s in e.steps)}
    for i, receiver in enumerate(config.receivers):
        # The first one that no route names may be the fallback; it is named all the same, for nobody said so.
        if receiver.name not in used:
            yield Problem(("receivers", i), f"{receiver.name}: no route, escalation or fallback_receiver names it")


def _unused_intervals(config: Config, routes: Iterable[Route]) -> Iterator[Problem]:
    used = {name for route in routes for name in (*route.mute_time_intervals, *route.active_time_intervals)}
    for name in config.time_intervals:
        if name not in used:
            yield Problem(("time_intervals",), f"{name}: no route names it")


def _old_settings(data: object) -> Iterator[Problem]:
    top = data if isinstance(data, Mapping) else {}
    if "mute_time_intervals" in top:
        yield Problem(("mute_time_intervals",), "an old name: write time_intervals")
    yield from _old_in_route(top.get("route"), ("route",))
    rules = top.get("inhibit_rules")
    for i, rule in enumerate(rules if isinstance(rules, list) else []):
        yield from _old(rule, ("inhibit_rules", i), _OLD_INHIBIT)


def _old_in_route(route: object, path: Path) -> Iterator[Problem]:
    yield from _old(route, path, _OLD_ROUTE)
    children = route.get("routes") if isinstance(route, Mapping) else None
    for i, child in enumerate(children if isinstance(children, list) else []):
        yield from _old_in_route(child, (*path, "routes", i))


def _old(entry: object, path: Path, names: Mapping[str, str]) -> Iterator[Problem]:
    for name, remedy in names.items():
        if isinstance(entry, Mapping) and name in entry:
            yield Problem((*path, name), f"an old setting: {remedy}")


def _unread_globals(config: Config, kinds: Collection[str]) -> Iterator[Problem]:
    for name in config.global_:
        if takers(name) and not set(takers(name)) & set(kinds):
            yield Problem(("global", name), "nothing reads it: Claxon has no such receiver")
