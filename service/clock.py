"""The clocks, read here and nowhere else; and what is noticed when the wall clock jumps."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

PAUSE_S = 60.0
"""A gap longer than this was ours: nobody could be heard in it."""

BACK_S = 5.0
"""A wall clock that is further back than this was set back; less is waited for."""


def now() -> float:
    """Return the current instant in Unix seconds."""
    return time.time()


def monotonic() -> float:
    """Return seconds that never jump; they stand still while the machine sleeps."""
    return time.monotonic()


class Jump(StrEnum):
    """What the wall clock did since it was last looked at."""

    NONE = "none"
    AHEAD = "ahead"
    BACK = "back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One look at the clock.

    Attributes:
        now: Unix seconds.
        jump: Whether there is a gap that is not time as anybody could have been heard in it.
        by_s: How far the wall clock was set, where it was; below 0 is back.
        seen: What both clocks said.
    """

    now: float
    jump: Jump
    by_s: float
    seen: tuple[float, float]


class ClockWatch:
    """Compares the wall clock with one that never jumps, at each look."""

    def __init__(self, wall: Callable[[], float], steady: Callable[[], float]) -> None:
        self._wall = wall
        self._steady = steady
        self._last = (wall(), steady())

    def look(self, evaluated: float) -> Look:
        """Return the present, and whether the clock jumped.

        Args:
            evaluated: The latest instant that was evaluated, from which `now` never goes back by itself.
        """
        seen = wall, steady = self._wall(), self._steady()
        passed = steady - self._last[1]
        ahead = wall - self._last[0] - passed
        if evaluated - wall > BACK_S:
            return Look(now=wall, jump=Jump.BACK, by_s=wall - evaluated, seen=seen)
        now = max(wall, evaluated)
        # The machine slept, the clock was set, or this process stood still: each time nobody was heard.
        if ahead > PAUSE_S or passed > PAUSE_S:
            return Look(now=now, jump=Jump.AHEAD, by_s=max(0.0, ahead), seen=seen)
        return Look(now=now, jump=Jump.NONE, by_s=0.0, seen=seen)

    def settle(self, look: Look) -> None:
        """Take a look's jump as dealt with: the next one starts from there."""
        self._last = look.seen
