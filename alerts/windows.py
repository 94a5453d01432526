"""Counts of one key over one rolling window.

≠ rules, keys.
"""

from __future__ import annotations

from bisect import bisect_left
from operator import itemgetter

import msgspec

BUCKETS = 60
"""A window is exact to this share of its length."""

COLUMNS = 5
CALLS, FAILED, EXHAUSTED, ATTEMPTS, ERRORS = range(COLUMNS)
"""What is counted: calls; failed ones; failed ones without a retry left; attempts; failed attempts."""

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

    def add(self, second: int, counts: list[int]) -> None:
        """Add counts of one second; negative ones take back what was added before."""
        bucket = second // self.width
        rows = self.rows
        if rows and rows[-1][0] == bucket:
            row = rows[-1]
        elif not rows or rows[-1][0] < bucket:
            row = [bucket, 0, 0, 0, 0, 0]
            rows.append(row)
        else:
            row = self._earlier(bucket)
        totals = self.totals
        for column, n in enumerate(counts):
            if n:
                row[column + 1] += n
                totals[column] += n

    def _earlier(self, bucket: int) -> list[int]:
        place = bisect_left(self.rows, bucket, key=_bucket_of)
        if self.rows[place][0] != bucket:
            self.rows.insert(place, [bucket, 0, 0, 0, 0, 0])
        return self.rows[place]

    def counts(self, g: int) -> list[int]:
        """Return the columns of the window that ends at `g`, and forget what lies before it."""
        oldest = g // self.width - (BUCKETS - 1)
        rows = self.rows
        while rows and rows[0][0] < oldest:
            gone = rows.pop(0)
            for column in range(COLUMNS):
                self.totals[column] -= gone[column + 1]
        return self.totals
