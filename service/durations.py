"""Durations: how many attempts took how long, as a histogram that is read in two ways.

Prometheus's classic histogram has the buckets of `CLASSIC`; its native one has many more, which grow by 2 ** (1/8).
Both are sums of cells: a cell ends where a bucket of either ends.

≠ whose durations, formats.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import accumulate

CLASSIC = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)
"""Where the classic buckets end, in seconds; one more holds what took longer."""

SCHEMA = 3
"""Of the native buckets: 2 ** 3 of them to each doubling, so a quantile is right to 4.4 %."""

ZERO_S = 2.0**-10
"""What took no longer, about a millisecond, is in the native zero bucket."""

# Native bucket i ends at 2 ** (i / 8) s. The last one ends after 4.5 h, and holds what took longer, too.
_FIRST, _LAST = -10 * 2**SCHEMA + 1, 14 * 2**SCHEMA
_NATIVE = [2 ** (i / 2**SCHEMA) * 1000 for i in range(_FIRST, _LAST + 1)]

BOUNDS = sorted({ZERO_S * 1000, *_NATIVE, *(end * 1000 for end in CLASSIC)})
"""Where the cells end, in milliseconds; one more cell is behind the last."""

_CLASSIC_CELLS = tuple(BOUNDS.index(end * 1000) for end in CLASSIC)
# The native bucket of each cell but the first, which is the zero bucket.
_NATIVE_OF = [_FIRST + min(bisect_left(_NATIVE, end), len(_NATIVE) - 1) for end in (*BOUNDS[1:], _NATIVE[-1])]


@dataclass(slots=True)
class Durations:
    """Durations, counted by cell.

    Attributes:
        cells: How many lie in each.
        total_ms: Their sum.
    """

    cells: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    total_ms: float = 0.0

    def add(self, taken_ms: Iterable[float], *, weight: int = 1) -> None:
        """Count durations, in milliseconds, each as `weight` of them."""
        ordered = sorted(taken_ms)
        self.total_ms += sum(ordered) * weight
        cells, place, n = self.cells, 0, len(ordered)
        while place < n:
            cell = bisect_left(BOUNDS, ordered[place])
            end = bisect_right(ordered, BOUNDS[cell], place) if cell < len(BOUNDS) else n
            cells[cell] += (end - place) * weight
            place = end

    def copied(self) -> Durations:
        """Return a copy."""
        return Durations(self.cells.copy(), self.total_ms)

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self.cells)

    @property
    def total_s(self) -> float:
        """Their sum, in seconds."""
        return self.total_ms / 1000

    def classic(self) -> list[int]:
        """Return how many took no longer than each of `CLASSIC`."""
        below = list(accumulate(self.cells))
        return [below[cell] for cell in _CLASSIC_CELLS]

    @property
    def zeros(self) -> int:
        """How many are in the native zero bucket."""
        return self.cells[0]

    def native(self) -> dict[int, int]:
        """Return how many are in each native bucket that is not empty, by its number, in order."""
        found: dict[int, int] = {}
        for bucket, n in zip(_NATIVE_OF, self.cells[1:], strict=True):
            if n:
                found[bucket] = found.get(bucket, 0) + n
        return found
