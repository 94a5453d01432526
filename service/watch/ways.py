"""Ways: by whom something can be told although an integration fails. Pure.

≠ sending.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from alerts.config import Config
from alerts.labels import Labels
from alerts.routes import Route

from ..targets import kind_of, receiver_of

PAGE = "page"


def other_ways(about: str, *, targets: Collection[str], failing: Collection[str], fallback: str) -> list[str]:
    """Return the receivers that can be told of an integration: the fallback, or else all that have another one.

    Those whose other integrations all fail are named only where no one's work; [] if there is no other integration.

    Args:
        about: The integration that must not be asked to tell it; "" where any may.
        targets: All integrations, "receiver/kind/index".
        failing: Those of them that fail.
        fallback: The receiver that gets what others refuse; "" is not set.
    """
    others = [target for target in targets if target != about]
    working = _names(target for target in others if target not in failing)
    if fallback in working:
        return [fallback]
    return working or _names(others)


def directly(config: Config, labels: Labels) -> list[str]:
    """Return the receivers of a page that goes past the outbox: those of its routes, and the one that stands in."""
    routed = config.route.receivers(labels)
    there = [receiver.name for receiver in config.receivers]
    other = next((name for name in there if name not in routed), None)
    stand_in = config.fallback_receiver or other
    return list(dict.fromkeys([*routed, *([stand_in] if stand_in else [])]))


def of_pages(config: Config, targets: Iterable[str]) -> list[str]:
    """Return the integrations by which somebody can be paged; a console wakes nobody, unless there is nothing else."""
    names = {*_receivers_of_pages(config.route), config.fallback_receiver}
    found = [target for target in targets if receiver_of(target) in names]
    return [target for target in found if kind_of(target) != "console"] or found


def _receivers_of_pages(route: Route) -> Iterable[str]:
    if any(matcher.name == "severity" and not matcher.matches(PAGE) for matcher in route.matchers):
        return
    yield route.receiver
    for child in route.routes:
        yield from _receivers_of_pages(child)


def _names(targets: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(map(receiver_of, targets)))
