"""Troubles: which part does not work, for how long, and what follows from that. Time is an argument.

≠ how a part is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import inf


class Part(StrEnum):
    """What has to work; a closed set."""

    THREAD = "core's thread"
    CORE = "core"
    LOOP = "event loop"
    WRITES = "writes"
    EVALUATION = "evaluation"
    TIMER = "evaluation timer"
    WORKERS = "delivery"
    WAYS = "receivers"


LATE_S = 10.0

# Receivers that fail have an alert of their own, told by those that work.
_BLIND_AFTER_S: dict[Part, float] = {
    Part.THREAD: 5.0,
    Part.CORE: 30.0,
    Part.LOOP: 30.0,
    Part.WRITES: 30.0,
    Part.WORKERS: 30.0,
    # With what it was late by when that was noticed: a minute.
    Part.EVALUATION: 60.0 - LATE_S,
    Part.TIMER: 60.0 - LATE_S,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How patient the watch is, in seconds.

    Attributes:
        look: From one look to the next.
        answer: A part that does not answer for so long does not work.
        late: An evaluation that is so far behind does not work.
        write_every: From one write that only tries the disk to the next.
        refused_for: So long after a batch was refused, and none taken since, writing does not work.
        failing: A way to tell people that fails for so long is none.
        blind_after: How long a part may not work until Claxon counts as blind.
        calm: So long nothing may be wrong before it counts as seeing again.
    """

    look: float = 1.0
    answer: float = 2.0
    late: float = LATE_S
    write_every: float = 5.0
    refused_for: float = 60.0
    failing: float = 300.0
    blind_after: Mapping[Part, float] = field(default_factory=lambda: _BLIND_AFTER_S)
    calm: float = 30.0

    @property
    def awake(self) -> float:
        """A longer gap between two looks was a sleep of the process itself, and no part's fault."""
        return 3.0 * self.look


PATIENCE = Limits()


class Troubles:
    """What is wrong now."""

    def __init__(self, limits: Limits = PATIENCE) -> None:
        self._limits = limits
        self.now: dict[Part, str] = {}
        self._lasted: dict[Part, float] = {}
        self._calm_s = limits.calm
        self._looked_at: float | None = None

    def look(self, wrong: Mapping[Part, str], at: float) -> None:
        """Take what is wrong at an instant: a sentence for each part that does not work."""
        gap = 0.0 if self._looked_at is None else at - self._looked_at
        # Who slept heard nobody: that time counts neither against a part nor for it.
        gap = gap if gap <= self._limits.awake else 0.0
        self._looked_at = at
        self._lasted = {part: self._lasted[part] + gap if part in self._lasted else 0.0 for part in wrong}
        blinds = self._limits.blind_after.keys()
        self._calm_s = 0.0 if blinds & wrong.keys() else self._calm_s + (0.0 if blinds & self.now.keys() else gap)
        self.now = dict(wrong)

    @property
    def well(self) -> bool:
        """Whether everything works."""
        return not self.now

    def blinding(self) -> list[str]:
        """Return what has been wrong for so long that Claxon cannot do its work."""
        return [
            f"{part.value}: {said}"
            for part, said in self.now.items()
            if self._lasted[part] >= self._limits.blind_after.get(part, inf)
        ]

    @property
    def calm(self) -> bool:
        """Whether all that can blind has worked for a while."""
        return self._calm_s >= self._limits.calm

    def said(self) -> list[str]:
        """Return what is wrong, a sentence each."""
        return [f"{part.value}: {said}" for part, said in self.now.items()]
