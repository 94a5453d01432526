"""`any`."""

from __future__ import annotations

from math import inf

from .found import Holds
from .keys import Key
from .windows import Newest


class AnyMatch:
    """The part of `any` that is on the grid."""

    def __init__(self, key: Key) -> None:
        stale = key.rule.stale_after_s
        in_time = [a for a in key.attempts if a.matches and a.at + stale > a.seen_at]
        self._matched = Newest([(a.seen_at, a.at) for a in in_time])
        self._other = Newest([(a.seen_at, a.at) for a in key.attempts if not a.matches])

    def __call__(self, g: int, state: str) -> Holds:
        matched_at, other_at = self._matched.before(g), self._other.before(g)
        return matched_at > -inf and matched_at >= other_at, {}

    def instants(self) -> list[float]:
        return []
