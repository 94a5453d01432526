"""The routing tree: labels -> receivers, in Alertmanager's semantics.

≠ what a receiver is.
"""

from __future__ import annotations

from dataclasses import dataclass

from .labels import Labels
from .matchers import Matcher, all_match


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One node of the tree.

    Attributes:
        receiver: Who is told, unless a child knows better.
        matchers: All must match; the root has none.
        proceed: `continue`: whether later siblings are asked too.
        routes: Children, asked in order.
    """

    receiver: str
    matchers: tuple[Matcher, ...] = ()
    proceed: bool = False
    routes: tuple[Route, ...] = ()

    def receivers(self, labels: Labels) -> list[str]:
        """Return the receivers of an alert, in order, each once."""
        found: list[str] = []
        for child in self.routes:
            if not all_match(child.matchers, labels):
                continue
            found += child.receivers(labels)
            if not child.proceed:
                break
        return list(dict.fromkeys(found)) or [self.receiver]
