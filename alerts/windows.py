"""Counts of one key over one rolling window.

≠ rules, keys.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from math import inf
from operator import itemgetter

import msgspec

BUCKETS = 60
"""A window is exact to this share of its length."""

COLUMNS = 5
CALLS, FAILED, EXHAUSTED, ATTEMPTS, ERRORS = range(COLUMNS)
"""What is counted: calls; failed ones; failed ones without a retry left; attempts; failed attempts."""

NEARLY = 1 - 1e-9
"""A share is looked at closely a little before it is over a limit, so that rounding cannot hide it."""

_SPARE = 30  # rows beyond a window's, before those that no later window holds are let go

_bucket_of = itemgetter(0)


class Window(msgspec.Struct, gc=False):
    """Rolling counts in 60 buckets.

    Attributes:
        width: Seconds of one bucket; the window is 60 of them.
        rows: [bucket number, then the columns], by bucket; only what is not empty.
        totals: The columns' sums over `rows`.
    """

    width: int
    rows: list[list[int]] = msgspec.field(default_factory=list)
    totals: list[int] = msgspec.field(default_factory=lambda: [0] * COLUMNS)

    def add(self, buckets: Iterable[tuple[int, int]], columns: Iterable[int]) -> None:
        """Add n to some columns of each (bucket, n)."""
        rows, totals = self.rows, self.totals
        for bucket, n in buckets:
            if rows and rows[-1][0] == bucket:
                row = rows[-1]
            elif not rows or rows[-1][0] < bucket:
                row = [bucket, 0, 0, 0, 0, 0]
                rows.append(row)
            else:
                row = self._earlier(bucket)
            for column in columns:
                row[column + 1] += n
                totals[column] += n
        if len(rows) > BUCKETS + _SPARE:
            self._forget(rows[-1][0] - (BUCKETS - 1))

    def _earlier(self, bucket: int) -> list[int]:
        place = bisect_left(self.rows, bucket, key=_bucket_of)
        if self.rows[place][0] != bucket:
            self.rows.insert(place, [bucket, 0, 0, 0, 0, 0])
        return self.rows[place]

    def take_back(self, bucket: int, columns: Iterable[int]) -> None:
        """Take one away from some columns of a bucket; what has left the window is no longer there to be taken."""
        place = bisect_left(self.rows, bucket, key=_bucket_of)
        if place == len(self.rows) or self.rows[place][0] != bucket:
            return
        for column in columns:
            self.rows[place][column + 1] -= 1
            self.totals[column] -= 1

    def counts(self, g: int) -> list[int]:
        """Return the columns of the window that ends at `g`, and forget what lies before it."""
        oldest = g // self.width - (BUCKETS - 1)
        if self.rows and self.rows[0][0] < oldest:
            self._forget(oldest)
        return self.totals

    def _forget(self, oldest: int) -> None:
        """Let the rows before a bucket go."""
        rows = self.rows
        keep = bisect_left(rows, oldest, key=_bucket_of)
        for gone in rows[:keep]:
            for column in range(COLUMNS):
                self.totals[column] -= gone[column + 1]
        del rows[:keep]

    def forget_after(self, now: float) -> None:
        """Let go what a clock that was ahead put after `now`."""
        while self.rows and self.rows[-1][0] * self.width > now:
            gone = self.rows.pop()
            for column in range(COLUMNS):
                self.totals[column] -= gone[column + 1]

    def reach(self, g: int) -> int | None:
        """Return how many seconds before `g` the oldest row begins, to a bucket; None where there is none."""
        return g - self.rows[0][0] * self.width if self.rows else None

    def next_leave(self) -> int | None:
        """Return the whole second at which the oldest row leaves; None where there is none."""
        return (self.rows[0][0] + BUCKETS) * self.width if self.rows else None

    def next_rise(self, part: int, whole: int, *, above: float, least: int) -> int | None:
        """Return the first second at which `part` may be over a share of `whole` without another event.

        Old successes leave a window before the failures after them do, so a share
        can rise in silence. What arrives later can bring it about sooner only if it
        is a failure, and those are looked at anyway.

        Args:
            part: The column that must be over.
            whole: The column it is a share of.
            above: The share.
            least: At least so many of `part`.
        """
        rows = self.rows
        n = of = 0
        found: int | None = None
        for i in range(len(rows) - 1, 0, -1):
            n += rows[i][part + 1]
            of += rows[i][whole + 1]
            if n >= least and n > above * of * NEARLY:
                found = i - 1
        return (rows[found][0] + BUCKETS) * self.width if found is not None else None

    def spare(self, part: int, whole: int, *, above: float, least: int) -> tuple[int, int | None]:
        """Return how much more of `whole` may come, and until when, before a share that is over may be so no longer.

        At least half of what may come now may still come at any time until then.

        Args:
            part: The column that is over.
            whole: The column it is a share of.
            above: The share.
            least: At least so many of `part`.
        """
        n, of = self.totals[part], self.totals[whole]
        now = lowest = _spare(n, of, above)
        for row in self.rows:
            n -= row[part + 1]
            of -= row[whole + 1]
            left = _spare(n, of, above)
            if n < least or 2 * left < now or not now:
                return lowest, (row[0] + BUCKETS) * self.width
            lowest = min(lowest, left)
        return lowest, None

    def need(self, part: int, whole: int, *, above: float, least: int) -> tuple[int, float]:
        """Return how many failures may come, and until when, before a share that is not over may be.

        The other side of `spare`: a failure is one more of both. inf: until whatever instant.
        """
        n, of = self.totals[part], self.totals[whole]
        now = lowest = _need(n, of, above, least)
        for row in self.rows:
            n -= row[part + 1]
            of -= row[whole + 1]
            left = _need(n, of, above, least)
            if 2 * left < now or not now:
                return lowest, (row[0] + BUCKETS) * self.width
            lowest = min(lowest, left)
        return lowest, inf


def _need(part: int, whole: int, above: float, least: int) -> int:
    """Return a little less than how many more failures bring a share over a limit."""
    more = (above * whole * NEARLY - part) / (1 - above)
    return max(0, int(more) - 1, least - 1 - part)


def _spare(part: int, whole: int, above: float) -> int:
    """Return a little less than how much may be added to `whole` while `part` stays over a share of it."""
    return max(0, int(part / above * NEARLY - whole) - 1)
