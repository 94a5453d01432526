"""A token bucket: so many a second in the long run, and for a while more.

≠ clocks, who is limited.
"""

from __future__ import annotations


class Bucket:
    """Full at first. What is larger than the whole of it is let through when it is full, and paid for afterwards."""

    __slots__ = ("_at", "_capacity", "_left", "_rate")

    def __init__(self, rate: float, *, burst_s: float) -> None:
        """Fill it.

        Args:
            rate: So many a second come in; more than 0.
            burst_s: For so many seconds' worth there is room; for one token at least.
        """
        self._rate = rate
        self._capacity = max(1.0, rate * burst_s)
        self._left = self._capacity
        self._at = 0.0

    def spend(self, n: int, at: float) -> float:
        """Take n tokens; return 0.0, or how many seconds to wait until they can be taken, and then none was.

        A clock that was set back fills nothing and loses nothing.
        """
        if at > self._at:
            self._left = min(self._capacity, self._left + (at - self._at) * self._rate)
        self._at = at
        missing = min(float(n), self._capacity) - self._left
        # Sums of tenths are not exact: a billionth of a token is none.
        if missing > 1e-9 * self._capacity:
            return missing / self._rate
        self._left -= n
        return 0.0
