"""A stretch of time cut into equal steps, to draw over: where an instant lies, what falls into each step.

≠ what is drawn, HTML.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, floor

HEIGHT = 100.0

_STEPS = (1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
_GAP = 0.18  # of a step, between two bars
_LEAST = 5.0  # a bar that is not nothing can be seen
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Some steps of time.

    Attributes:
        start: The left edge, Unix seconds, a whole number of steps.
        step_s: How long a step is.
        n: How many there are.
    """

    start: float
    step_s: int
    n: int

    @property
    def end(self) -> float:
        """The right edge."""
        return self.start + self.n * self.step_s

    def place(self, at: float) -> float:
        """Return where an instant lies, in steps from the left; it may be outside."""
        return round((at - self.start) / self.step_s, 2)

    def holds(self, at: float) -> bool:
        """Whether an instant lies on it."""
        return self.start <= at <= self.end

    def counts(self, instants: Iterable[float]) -> list[int]:
        """Return how many fall into each step; those outside are left out."""
        counted = [0] * self.n
        for at in instants:
            i = int((at - self.start) // self.step_s)
            if 0 <= i < self.n:
                counted[i] += 1
        return counted

    def ticks(self) -> list[str]:
        """Return what stands below it: left, middle, right."""
        return [
            label(self.start + part * (self.end - self.start), over_s=self.end - self.start) for part in (0, 0.5, 1)
        ]


def fit(left: float, right: float, *, most: int = 60) -> Axis:
    """Return the axis with the shortest steps that covers a stretch with no more than so many of them."""
    right = max(right, left + 1)
    fits = (step for step in _STEPS if _steps(left, right, step) <= most)
    step = next(fits, None) or _DAY_S * ceil((right - left) / _DAY_S / (most - 1))
    start = floor(left / step) * step
    return Axis(start=float(start), step_s=step, n=_steps(left, right, step))


def _steps(left: float, right: float, step: int) -> int:
    return ceil(right / step) - floor(left / step)


def bars(values: Sequence[int], most: int) -> str:
    """Return the path of one bar a step, on a plane as wide as there are steps and 100 high."""
    drawn: list[str] = []
    for i, value in enumerate(values):
        if value > 0:
            y = round(HEIGHT - max(_LEAST, HEIGHT * value / most), 2)
            drawn.append(f"M{i + _GAP / 2:g} {HEIGHT:g}V{y:g}h{1 - _GAP:g}V{HEIGHT:g}z")
    return "".join(drawn)


def label(at: float, *, over_s: float) -> str:
    """Return an instant below an axis of some length, UTC: "03:12:40", "03:12", "24 Nov 03:12"."""
    try:
        moment = datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    if over_s > _DAY_S:
        return f"{moment.day} {moment:%b %H:%M}"
    return f"{moment:%H:%M}" if over_s >= 600 else f"{moment:%H:%M:%S}"
