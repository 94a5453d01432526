"""Counts of many keys over many windows.

A meter is shared by all rules that count the same thing. It is fed by the second,
and folds a key's seconds into its windows only when somebody looks, so a batch
costs one addition a key and not one a window.
"""

from __future__ import annotations

import msgspec

from .windows import COLUMNS, Window

_FOLD_AT = 8  # seconds that wait before they are folded, at most


class Series(msgspec.Struct, gc=False):
    """The counts of one key.

    Attributes:
        windows: By length in seconds.
        pending: Second -> columns, not yet in the windows.
        last_at: The latest event of the key, Unix seconds.
    """

    windows: dict[int, Window]
    pending: dict[int, list[int]] = msgspec.field(default_factory=dict)
    last_at: float = 0.0

    def at_second(self, second: int) -> list[int]:
        """Return the columns of a second, for the caller to add to."""
        row = self.pending.get(second)
        if row is None:
            if len(self.pending) >= _FOLD_AT:
                self.fold()
            row = self.pending[second] = [0] * COLUMNS
        return row

    def fold(self) -> None:
        """Move what waits into the windows."""
        for second, counts in self.pending.items():
            for window in self.windows.values():
                window.add(second, counts)
        self.pending.clear()

    def upper(self, length: int, column: int) -> int:
        """Return at least what a column of a window holds.

        What has left the window may still be in it, and what is taken back not be out of it yet.
        """
        return self.windows[length].totals[column] + sum(max(0, counts[column]) for counts in self.pending.values())

    def counts(self, length: int, g: int) -> list[int]:
        """Return the columns of the window of `length` seconds that ends at `g`."""
        if self.pending:
            self.fold()
        return self.windows[length].counts(g)


def new_series(lengths: tuple[int, ...]) -> Series:
    """Return an empty series with a window of each length, in whole minutes."""
    return Series(windows={length: Window(width=length // 60) for length in lengths})
