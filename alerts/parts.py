"""Part: a dictionary that knows which of its entries have changed since they were stored.

≠ where they are stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

V = TypeVar("V")


class Part(dict[str, V], Generic[V]):
    """One kind of what the notifier remembers, by name; the order is part of it.

    An entry that is changed in place must be set again, or it counts as unchanged.

    Attributes:
        changed: The names of the entries that were set since `stored`, in the order in which they first were.
        gone: Those of the entries that were deleted since, though they may be there again, at the end.
    """

    def __init__(self, entries: Iterable[tuple[str, V]] = ()) -> None:
        super().__init__(entries)
        self.changed: dict[str, None] = {}
        self.gone: set[str] = set()

    def __setitem__(self, name: str, value: V) -> None:
        super().__setitem__(name, value)
        self.changed.setdefault(name)

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self.changed.pop(name, None)
        self.gone.add(name)

    def take(self, name: str) -> V | None:
        """Remove an entry and return it; None if it is not there."""
        found = self.get(name)
        if name in self:
            del self[name]
        return found

    def stored(self) -> None:
        """Note that the store holds all of this now."""
        self.changed.clear()
        self.gone.clear()
