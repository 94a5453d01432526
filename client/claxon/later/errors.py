"""errors: what can go wrong with a queue of deferred calls.

LaterError
├── NotDeferrable     the call cannot be put into a queue as it is (a ValueError too)
├── QueueFull         too many jobs wait
├── NotPossible       this store cannot do that
└── StoreUnavailable  the store did not answer, or not in time
"""

from __future__ import annotations


class LaterError(Exception):
    """A queue of deferred calls could not do what was asked."""


class NotDeferrable(LaterError, ValueError):
    """The call cannot be put into a queue as it is; the text says which argument, and what to give instead."""


class QueueFull(LaterError):
    """As many jobs wait as may: nothing was put into the queue.

    Attributes:
        most: How many may wait.
    """

    def __init__(self, store: str, most: int) -> None:
        super().__init__(f"{store}: {most:,} jobs wait: shed load, start more workers, or raise most_waiting")
        self.most = most

    def __reduce__(self) -> tuple[type[LaterError], tuple[str]]:
        return LaterError, (str(self),)


class NotPossible(LaterError):
    """The store cannot do that by its nature; the text names what can."""


class StoreUnavailable(LaterError):
    """The store did not answer. A job that was to be deferred may or may not be in it: defer it again, with its key."""
