"""The routing tree: labels -> the routes and receivers of an alert, in Alertmanager's semantics.

≠ what a receiver is, when a group is told.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .labels import Labels
from .matchers import Matcher, all_match, matchers_text

ALL_LABELS = ("...",)
"""`group_by` of a route whose groups have all labels alike."""

GROUP_WAIT_S = 30.0
GROUP_INTERVAL_S = 300.0
REPEAT_INTERVAL_S = 14_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One node of the tree; what a child inherits is written into it already.

    Attributes:
        receiver: Who is told, unless a child knows better.
        matchers: All must match; the root has none.
        proceed: `continue`: whether later siblings are asked too.
        routes: Children, asked in order.
        group_by: Labels that are alike in a group; () is one group of all, ("...",) groups by every label.
            None: each alert is told alone and at once.
        group_wait_s: From the first alert of a group to its first notification.
        group_interval_s: From one look at a group to the next.
        repeat_interval_s: After which an unchanged group, or an alert alone, is told again.
        mute_time_intervals: Names; nothing is told while one of them is.
        active_time_intervals: Names; if there are any, nothing is told while none of them is.
    """

    receiver: str
    matchers: tuple[Matcher, ...] = ()
    proceed: bool = False
    routes: tuple[Route, ...] = ()
    group_by: tuple[str, ...] | None = None
    group_wait_s: float = 0.0
    group_interval_s: float = 0.0
    repeat_interval_s: float = REPEAT_INTERVAL_S
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()

    def matches(self, labels: Labels) -> list[Matched]:
        """Return the routes that tell of an alert, in order: of each branch the deepest; [] if this one does not match.

        An alert may come to the same receiver by several routes.
        """
        if not all_match(self.matchers, labels):
            return []
        text = matchers_text(self.matchers)
        return _deepest(Matched(self, text, text), labels)

    def receivers(self, labels: Labels) -> list[str]:
        """Return the names of the receivers of an alert, in order, each once."""
        return list(dict.fromkeys(matched.route.receiver for matched in self.matches(labels)))

    def walk(self) -> Iterator[Matched]:
        """Return every route of the tree, a parent before its children."""
        text = matchers_text(self.matchers)
        yield from _walk(Matched(self, text, text))


@dataclass(frozen=True, slots=True)
class Matched:
    """A route, and where it stands in its tree.

    Attributes:
        route: The route.
        id: Unique in the tree: `{}/{app="chat"}/0`, the matchers and the place of each route on the way.
        key: As Alertmanager's group keys begin: `{}/{app="chat"}`; siblings may share it.
    """

    route: Route
    id: str
    key: str

    def children(self) -> Iterator[Matched]:
        """Return the routes right below."""
        return (self.child(index) for index in range(len(self.route.routes)))

    def child(self, index: int) -> Matched:
        """Return one of the routes right below."""
        route = self.route.routes[index]
        text = matchers_text(route.matchers)
        return Matched(route, f"{self.id}/{text}/{index}", f"{self.key}/{text}")


def _deepest(here: Matched, labels: Labels) -> list[Matched]:
    """Return the routes that tell of an alert that matches this one."""
    found: list[Matched] = []
    for index, route in enumerate(here.route.routes):
        # Before anything is written down: most routes match few alerts.
        if all_match(route.matchers, labels):
            found += _deepest(here.child(index), labels)
            if not route.proceed:
                break
    return found or [here]


def _walk(here: Matched) -> Iterator[Matched]:
    yield here
    for child in here.children():
        yield from _walk(child)
