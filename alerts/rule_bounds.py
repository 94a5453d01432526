"""Between which values the fields of a kind of rule lie, for the checks, for editors and for the reference.

≠ what the values mean together.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Where a number lies; seconds of a duration, a share as a part of 1.

    Attributes:
        least, most: They are in it.
        over, under: They are not.
        step: It is a multiple of this; 0 is any number.
    """

    least: float = -inf
    most: float = inf
    over: float = -inf
    under: float = inf
    step: int = 0

    def holds(self, value: float) -> bool:
        """Whether a number lies there."""
        inside = self.least <= value <= self.most and self.over < value < self.under
        return inside and not (self.step and value % self.step)


_MINUTES = Bound(least=60, step=60)
_CONFIDENCE = Bound(over=0.5, under=1)

BOUNDS: dict[tuple[str, str], Bound] = {
    ("error_rate", "above"): Bound(over=0, under=1),
    ("error_rate", "window"): _MINUTES,
    ("error_rate", "min_failed"): Bound(least=1),
    ("error_rate", "confidence"): _CONFIDENCE,
    ("error_rate", "min_absorbed"): Bound(least=0),
    ("consecutive", "count"): Bound(least=2, most=64),
    ("consecutive", "settle"): Bound(least=0, most=60),
    ("consecutive", "floor"): Bound(least=0, under=1),
    ("budget", "objective"): Bound(over=0, under=1),
    ("budget", "min_exhausted"): Bound(least=1),
    ("budget", "confidence"): _CONFIDENCE,
    ("budget", "max"): Bound(least=0),
    ("budget", "window"): _MINUTES,
    ("budget", "burn"): Bound(over=0),
    ("budget", "long"): _MINUTES,
    ("budget", "short"): _MINUTES,
    ("parked", "over"): Bound(least=0),
    ("parked", "calls"): Bound(least=1, most=1000),
    ("headroom", "window"): Bound(least=20, most=600),
    ("headroom", "below"): Bound(over=0, most=1),
    ("silent", "after"): Bound(least=60),
    ("silent", "steady"): Bound(least=600),
    ("silent", "per_minute"): Bound(over=0),
    ("end_of_life", "within"): Bound(least=0),
}
"""By kind and field; what is not here is no number."""
