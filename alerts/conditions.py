"""Conditions: when a rule fires. One frozen record for each kind of rule.

docs/reference/decisions.md defines each exactly. ≠ state, keys, YAML.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from .budgets import Tier

DAY = 86_400


class Of(StrEnum):
    """What an error rate is a share of."""

    CALLS = "calls"
    ATTEMPTS = "attempts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Any:
    """Fires on any matching event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRate:
    """Over a share of calls, or of attempts, failed in a window.

    Attributes:
        of: Calls (absorbed attempts do not count) or attempts (they do).
        above: A share in (0, 1).
        window_s: Whole minutes, in seconds.
        min_failed: The floor, on failures.
        confidence: None for the literal share; in (0.5, 1) to begin only when it is not chance.
        min_absorbed: With attempts: so many of the failures were absorbed by a retry, and a call succeeded.
    """

    of: Of = Of.CALLS
    above: float = 0.05
    window_s: int = 300
    min_failed: int = 3
    confidence: float | None = None
    min_absorbed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Consecutive:
    """So many failures in a row, of different calls, without a success between.

    Attributes:
        count: At least 2.
        settle_s: How long a failure waits for successes that lie before it.
        adaptive: Whether the count rises on paths where chance makes such runs.
        floor: With `adaptive`, the least share of failures that chance is reckoned with, in [0, 1).
    """

    count: int = 2
    settle_s: float = 2.0
    adaptive: bool = True
    floor: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Exhausted calls burn the error budget too fast, or are more than `max_count` in a window.

    Attributes:
        objective: The share of calls that must succeed, in (0, 1).
        period_s: The budget's period.
        tiers: Any of them is enough.
        min_exhausted: The floor, in the long window.
        confidence: None for the literal burn; in (0.5, 1) to begin only when it is not chance.
        max_count: With `window_s`, a plain count in place of burn rates.
    """

    objective: float = 0.999
    period_s: int = 30 * DAY
    tiers: tuple[Tier, ...] = ()
    min_exhausted: int = 3
    confidence: float | None = None
    max_count: int | None = None
    window_s: int = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Parked:
    """So many calls sleep at once because of a long `retry-after`.

    Attributes:
        over_s: A sleep that counts is longer.
        calls: At least 1.
    """

    over_s: float = 60.0
    calls: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """At the present pace a rate limit runs out before it is full again.

    Attributes:
        window_s: Over which the pace is taken.
        below: Only what is left of a limit below this share is looked at, in (0, 1].
    """

    window_s: int = 60
    below: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Silent:
    """Who called steadily has sent nothing for a while.

    Attributes:
        after_s: The silence.
        steady_s: How long it must have called before.
        per_minute: Attempts a minute that are steady, > 0.
    """

    after_s: int = 600
    steady_s: int = 3600
    per_minute: float = 1.0

    @property
    def window_s(self) -> int:
        """The window that holds both, and a pause of Claxon itself as long as `steady_s`; in whole minutes."""
        return -(-(self.after_s + 2 * self.steady_s) // 60) * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class EndOfLife:
    """A model that is called will be gone soon.

    Attributes:
        within_s: How soon.
    """

    within_s: int = 14 * DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """Something is wrong with Claxon itself; no event fires it."""


Condition: TypeAlias = Any | ErrorRate | Consecutive | Budget | Parked | Headroom | Silent | EndOfLife | Own

KINDS: dict[str, type[Condition]] = {
    "any": Any,
    "error_rate": ErrorRate,
    "consecutive": Consecutive,
    "budget": Budget,
    "parked": Parked,
    "headroom": Headroom,
    "silent": Silent,
    "end_of_life": EndOfLife,
}
"""The kinds that a rule file may name."""


def kind_of(condition: Condition) -> str:
    """Return a condition's kind as a rule file names it; "own" for what only Claxon makes."""
    return next((name for name, kind in KINDS.items() if type(condition) is kind), "own")


def windows_of(condition: Condition) -> tuple[int, ...]:
    """Return the lengths of the windows that a condition reads, in seconds, shortest first."""
    match condition:
        case ErrorRate(window_s=window) | Budget(max_count=int(), window_s=window):
            return (window,)
        case Consecutive(adaptive=True):
            return (300, DAY)
        case Budget(tiers=tiers):
            return tuple(sorted({s for tier in tiers for s in (tier.long_s, tier.short_s)}))
        case Silent():
            return (condition.window_s,)
    return ()
