"""skew: how far the service's clock is from ours, as the `Date` of its answers says.

`Date` has whole seconds, so one answer is exact to a second or two. Each leaves
an interval in which the difference must lie; those of several are intersected.
"""

from __future__ import annotations

import email.utils

from . import guard

RENEWED_S = 1.0
"""How old a server's `Date` may be: most renew it once a second."""

SLOWEST_S = 5.0
"""An answer that took longer says too little."""

WARN_S = 5.0
CORRECT_S = 60.0
"""Below this, times of events are sent as they are; above it, they are put right."""

STEADY_S = 2.0
"""A correction that holds is changed only by more than this, or events would change their order."""


class Skew:
    """The difference of two clocks, in seconds: above 0 where the service's is ahead of ours.

    Attributes:
        seconds: As measured; None before the first answer.
        correction: What is added to the times of events: 0 unless the
            difference is certainly over a minute.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._least: float | None = None
        self._most = 0.0
        self.seconds: float | None = None
        self.correction = 0.0

    def note(self, date: str | None, *, sent: float, received: float) -> None:
        """Learn from an answer with this `Date`, to a request sent and answered at these instants of our clock."""
        parsed = email.utils.parsedate_tz(date) if date is not None else None
        if parsed is None or not 0 <= received - sent <= SLOWEST_S:
            return
        theirs = email.utils.mktime_tz(parsed)
        least, most = theirs - received, theirs + 1.0 + RENEWED_S - sent
        if self._least is not None and self._least <= most and least <= self._most:
            least, most = max(least, self._least), min(most, self._most)
        # Else one of the clocks was set, or has drifted: what was known of them holds no more.
        self._least, self._most = least, most
        self.seconds = round((least + most) / 2, 1)
        self._judge(least, most)

    def _judge(self, least: float, most: float) -> None:
        assert self.seconds is not None
        surely = max(least, -most)
        if surely > WARN_S:
            ahead = "ahead of" if least > 0 else "behind"
            guard.warn_once(
                "clock",
                f"{self._url}: its clock is {abs(self.seconds):.0f} s {ahead} this machine's: alerts may come late; "
                "set both by NTP",
            )
        if surely <= CORRECT_S:
            self.correction = 0.0
        elif abs(self.seconds - self.correction) > STEADY_S:
            self.correction = self.seconds
