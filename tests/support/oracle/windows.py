"""Counts of one window at one second, and what was seen before it; seconds only go forward."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor, inf
from typing import Generic, Protocol, TypeVar

from .keys import Attempt

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Counts:
    """What lies in one window at one second."""

    attempts: int = 0
    matching: int = 0
    calls: int = 0
    failed: int = 0
    exhausted: int = 0


class Window(Protocol):
    """Counts one window at a second."""

    def __call__(self, g: int) -> Counts: ...


def scan_window(attempts: Sequence[Attempt], length: int) -> Window:
    """Return a window that looks at every attempt each time."""
    width = length // 60

    def count(g: int) -> Counts:
        newest = floor(g / width)
        inside = [a for a in attempts if a.seen_at < g and newest - 59 <= floor(a.at / width) <= newest]
        return Counts(
            attempts=len(inside),
            matching=sum(a.matches for a in inside),
            calls=sum(a.is_call(g) for a in inside),
            failed=sum(a.is_failed(g) for a in inside),
            exhausted=sum(a.is_exhausted(g) for a in inside),
        )

    return count


class Arriving(Generic[T]):
    """What is seen, each thing once."""

    def __init__(self, seen: Iterable[tuple[float, T]]) -> None:
        self._coming = sorted(seen, key=lambda one: one[0], reverse=True)

    def before(self, g: int) -> list[T]:
        """Return what was seen before g and was not returned yet."""
        found = []
        while self._coming and self._coming[-1][0] < g:
            found.append(self._coming.pop()[1])
        return found


class Newest:
    """The newest of some instants among those that were seen before a second."""

    def __init__(self, seen: Iterable[tuple[float, float]]) -> None:
        self._arriving = Arriving(seen)
        self._newest = -inf

    def before(self, g: int) -> float:
        self._newest = max([self._newest, *self._arriving.before(g)])
        return self._newest


class Tally:
    """A window from sixty sums, one for each bucket."""

    def __init__(self, attempts: Sequence[Attempt], length: int) -> None:
        self.width = length // 60
        self._arriving = Arriving(self._steps(attempts))
        self._buckets: dict[int, list[int]] = defaultdict(lambda: [0] * 5)
        self._last = (-1, Counts())

    @staticmethod
    def _steps(attempts: Sequence[Attempt]) -> Iterable[tuple[float, tuple[float, list[int]]]]:
        """When, for which instant, and by how much the five sums change."""
        for a in attempts:
            first = floor(a.seen_at) + 1
            call = [int(a.is_call(first)), int(a.is_failed(first)), int(a.is_exhausted(first))]
            yield a.seen_at, (a.at, [1, int(a.matches), *call])
            if a.taken_back_at < inf and call[0]:
                yield a.taken_back_at, (a.at, [0, 0, *(-n for n in call)])

    def __call__(self, g: int) -> Counts:
        steps = self._arriving.before(g)
        for at, by in steps:
            bucket = self._buckets[floor(at / self.width)]
            bucket[:] = [n + d for n, d in zip(bucket, by, strict=True)]
        newest = floor(g / self.width)
        if steps or newest != self._last[0]:
            inside = [self._buckets[i] for i in range(newest - 59, newest + 1) if i in self._buckets]
            self._last = (newest, Counts(*(sum(n) for n in zip(*inside, strict=True))))
        return self._last[1]
