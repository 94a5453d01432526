"""pace: how many jobs a worker may run now, after what its last calls met.

A job's own backoff is for that job. Where every call fails, running the next
one, and the next, would only count runs against jobs that are not to blame: so
the worker as a whole pauses, and then tries with one job.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..taxonomy import Category
from .verdicts import BLOCKED

IN_A_ROW = 5
"""Retryable failures without an answer between them, after which the worker pauses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """How long a worker pauses; each pause is twice the one before, until a call is answered.

    Attributes:
        blocked_s: The first, when the key or the account was refused; `most_blocked_s` is the longest.
        failing_s: The first, when calls fail in a row; `most_failing_s` is the longest.
    """

    blocked_s: float = 10.0
    most_blocked_s: float = 600.0
    failing_s: float = 1.0
    most_failing_s: float = 60.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) > 0:
                raise ValueError(f"Pauses: {name}: {getattr(self, name)!r}: give seconds above 0")


class Pace:
    """What a worker may do; for one thread at a time."""

    def __init__(self, pauses: Pauses) -> None:
        self._pauses = pauses
        self._pauses_made = 0
        self._failures = 0
        self.until = -math.inf
        self.category: Category | None = None

    def room(self, now: float, *, running: int, concurrency: int) -> int:
        """Return how many more jobs may be run: none in a pause, one after it, else all that fit."""
        if now < self.until:
            return 0
        allowed = 1 if self._pauses_made else concurrency
        return max(0, allowed - running)

    def answered(self) -> None:
        """The API took a call: go on at full speed."""
        self._pauses_made = self._failures = 0
        self.until, self.category = -math.inf, None

    def failed(self, category: Category, *, now: float, retry_after_s: float | None = None) -> float | None:
        """A call failed in a way that may be everybody's; return how long the worker pauses now, if it does."""
        if now < self.until:
            return None  # it began before the pause, and tells nothing new
        blocked = category in BLOCKED
        self._failures += 1
        if not blocked and self._failures < IN_A_ROW and not self._pauses_made:
            return None
        pause = self._next(blocked=blocked)
        if blocked and retry_after_s is not None:
            pause = max(pause, min(retry_after_s, self._pauses.most_blocked_s))
        self.until, self.category = now + pause, category
        return pause

    def _next(self, *, blocked: bool) -> float:
        first, most = (
            (self._pauses.blocked_s, self._pauses.most_blocked_s)
            if blocked
            else (self._pauses.failing_s, self._pauses.most_failing_s)
        )
        pause: float = min(first * 2.0 ** min(self._pauses_made, 60), most)
        self._pauses_made += 1
        return pause
