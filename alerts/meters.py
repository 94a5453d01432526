"""Meters: what is counted together, and the counts of one key of one.

A meter is shared by all rules that count the same thing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from math import inf

import msgspec

from .matchers import Matcher
from .rules import Rule
from .windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What is counted together: which calls, which failures, by what, over which windows (seconds)."""

    scope: tuple[Matcher, ...]
    failures: tuple[Matcher, ...]
    by: tuple[str, ...]
    lengths: tuple[int, ...]

    @property
    def id(self) -> str:
        """The same for all rules that count the same thing."""
        return meter_id(self.scope, self.failures, self.by)


def meter_id(scope: tuple[Matcher, ...], failures: tuple[Matcher, ...], by: tuple[str, ...]) -> str:
    """Return what names a meter."""
    return "|".join([",".join(sorted(map(str, scope))), ",".join(sorted(map(str, failures))), ",".join(by)])


def meter_of(rule: Rule) -> str:
    """Return the id of the meter that a rule reads."""
    return meter_id(rule.scope, rule.failures, rule.by)


def meters(rules: Iterable[Rule], extra: Meter) -> dict[str, Meter]:
    """Return the meters that rules need, and one more, with the windows of all who share one."""
    found: dict[str, Meter] = {extra.id: extra}
    for rule in rules:
        name = meter_of(rule)
        lengths = set(rule.windows) | set(found[name].lengths if name in found else ())
        found[name] = Meter(scope=rule.scope, failures=rule.failures, by=rule.by, lengths=tuple(sorted(lengths)))
    return found


class Series(msgspec.Struct, gc=False):
    """The counts of one key.

    Attributes:
        windows: By length in seconds.
        last_at: The latest event of the key, a cancelled one too, Unix seconds.
        ok_at: The latest success but for those of the second that is going on.
        other_at: The latest attempt that is not among the failures the meter is about.
        version: Another number after every count.
    """

    windows: dict[int, Window]
    last_at: float = 0.0
    ok_at: float = -inf
    other_at: float = -inf
    version: int = 0

    def add(self, buckets: Buckets, columns: tuple[int, ...]) -> None:
        """Add counts to every window."""
        for window in self.windows.values():
            window.add(buckets[window.width], columns)

    def take_back(self, at: float, columns: tuple[int, ...]) -> None:
        """Take one event's counts away from every window."""
        for window in self.windows.values():
            window.take_back(int(at) // window.width, columns)

    def counts(self, length: int, g: int) -> list[int]:
        """Return the columns of the window of `length` seconds that ends at `g`."""
        return self.windows[length].counts(g)

    def known(self, length: int, g: int) -> int:
        """Return how many seconds back from `g` a window knows of: from its first call on; without one its length."""
        self.counts(length, g)
        reach = self.windows[length].reach(g)
        return length if reach is None else min(max(reach, 1), length)

    def rewind(self, now: float) -> None:
        """Take the clock's being set back to `now`."""
        self.last_at = min(self.last_at, now)
        self.ok_at = min(self.ok_at, now)
        self.other_at = min(self.other_at, now)
        for window in self.windows.values():
            window.forget_after(now)


def new_series(lengths: tuple[int, ...]) -> Series:
    """Return an empty series with a window of each length, in whole minutes."""
    return Series(windows={length: Window(width=length // 60) for length in lengths})


Buckets = dict[int, list[tuple[int, int]]]
"""By bucket width in seconds: (bucket, n), by bucket."""


def seconds_of(instants: Collection[float]) -> dict[int, int]:
    """Return how many instants lie in each whole second."""
    if not instants:
        return {}
    first = int(min(instants))
    # Under load all that waits is of one second.
    return {first: len(instants)} if max(instants) < first + 1 else Counter(map(int, instants))


def buckets_of(seconds: dict[int, int], widths: tuple[int, ...]) -> Buckets:
    """Return how much lies in each bucket, for each width, from the finest to the widest.

    A width that is a multiple of a finer one is summed from that one's buckets: many
    seconds become few buckets only once.
    """
    found: Buckets = {1: sorted(seconds.items())}
    for width, finer in _chain(widths):
        found[width] = _coarser(found[finer], width // finer)
    return found


@cache
def _chain(widths: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Return each width with the widest finer one that divides it."""
    return tuple(
        (width, max(finer for finer in (1, *widths[:place]) if width % finer == 0))
        for place, width in enumerate(widths)
    )


def _coarser(fine: list[tuple[int, int]], factor: int) -> list[tuple[int, int]]:
    if factor == 1:
        return fine
    merged: dict[int, int] = {}
    for bucket, n in fine:
        coarse = bucket // factor
        merged[coarse] = merged.get(coarse, 0) + n
    return list(merged.items())
