"""What a person looks at: the newest answer, and where in it they are.

≠ how it is drawn, keys, HTTP.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import inf

from .view import AlertRow, Sort, Top

SAID_S = 6.0
"""So long a message stays."""


class Part(StrEnum):
    """Which part fills the screen."""

    ALL = "all"
    ALERT = "alert"


@dataclass(slots=True, kw_only=True)
class Shown:
    """What a person looks at.

    Attributes:
        url: Of the service.
        name: As whom they acknowledge.
        top: The newest answer; None before the first.
        heard_at: When that came, by the clock that never jumps.
        fault: Why the newest question had no answer; "" if it had one.
        patience_s: After so long without an answer nobody answers, whatever was said last.
        chosen: The fingerprint of the alert that is chosen; "" while there is none.
        part: What fills the screen.
        down: How many lines of an alert are above the screen.
        asking: The alert that is to be acknowledged if they say so.
        said: What came of what they did last; "" is nothing.
        said_at: When, by the same clock.
    """

    url: str
    name: str
    top: Top | None = None
    heard_at: float = 0.0
    fault: str = ""
    patience_s: float = inf
    sort: Sort = Sort.ERRORS
    chosen: str = ""
    part: Part = Part.ALL
    down: int = 0
    asking: AlertRow | None = None
    said: str = ""
    said_at: float = 0.0

    def hear(self, top: Top, *, now: float) -> None:
        """Take an answer; who was chosen stays so, or who stands in that place now."""
        place = self._place
        self.top, self.heard_at, self.fault = top, now, ""
        if self.alert is None:
            rows = top.alerts
            self.chosen = rows[min(place, len(rows) - 1)].fingerprint if rows else ""
            if self.part is Part.ALERT:
                self.part = Part.ALL
                self.say("the alert that was shown has resolved", now=now)

    def say(self, text: str, *, now: float) -> None:
        """Have something said for a while."""
        self.said, self.said_at = text, now

    @property
    def alert(self) -> AlertRow | None:
        """The alert that is chosen."""
        rows = self.top.alerts if self.top is not None else []
        return next((row for row in rows if row.fingerprint == self.chosen), None)

    @property
    def _place(self) -> int:
        rows = self.top.alerts if self.top is not None else []
        return next((i for i, row in enumerate(rows) if row.fingerprint == self.chosen), 0)

    def move(self, by: int) -> None:
        """Choose another alert, or look further down an alert."""
        if self.part is Part.ALERT:
            self.down = max(0, self.down + by)
            return
        rows = self.top.alerts if self.top is not None else []
        if rows:
            self.chosen = rows[min(max(0, self._place + by), len(rows) - 1)].fingerprint

    def next_sort(self) -> None:
        """Sort the models by the next thing."""
        orders = list(Sort)
        self.sort = orders[(orders.index(self.sort) + 1) % len(orders)]

    def trouble(self, now: float) -> str:
        """Return why there is no new answer; "" if there is one."""
        late = self.top is not None and now - self.heard_at > self.patience_s
        return self.fault or ("it takes its time" if late else "")

    def at(self, now: float) -> float:
        """Return the service's present: its clock may be another one than this machine's."""
        return self.top.at + (now - self.heard_at) if self.top is not None else 0.0
