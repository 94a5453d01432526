"""What really happened at an endpoint, as far as its polls say.

≠ rules, alerts.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from tests.support.traces import covered, polled

SERIES = (
    "claude-haiku-4.5/anthropic",
    "claude-opus-4.6/anthropic/2",
    "claude-opus-4.7/anthropic/2",
    "claude-opus-4.8/anthropic",
    "claude-opus-4.8/anthropic/2",
    "claude-opus-4.8-fast/anthropic",
    "claude-opus-5/anthropic",
    "claude-opus-5-fast/anthropic",
    "claude-sonnet-4.5/anthropic",
    "claude-sonnet-4.6/anthropic",
    "claude-sonnet-4.6/anthropic/2",
    "claude-sonnet-5/anthropic",
)
"""Endpoints of Anthropic's own API with traffic at 700 polls or more, but for one that was chronically bad."""

TRUE_ABOVE = 0.05
"""A page is true when a poll of at least this share stands behind it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Consecutive polls that all saw at least some share of calls fail.

    Attributes:
        start: Half way between the poll before and the first of them.
        end: Half way between the last of them and the poll after.
        peak: The highest share that was seen.
    """

    start: float
    end: float
    peak: float


class Truth:
    """One series, from its first poll with traffic to its last."""

    def __init__(self, series: str) -> None:
        self.start, self.end = polled(series)
        self.polls = [(max(since, self.start), min(until, self.end), share) for since, until, share in covered(series)]

    @property
    def days(self) -> float:
        """How long it was watched."""
        return (self.end - self.start) / 86_400

    def incidents(self, least: float) -> list[Incident]:
        """Return the maximal runs of polls with at least this share."""
        runs = [list(run) for bad, run in groupby(self.polls, key=lambda poll: poll[2] >= least) if bad]
        return [Incident(start=run[0][0], end=run[-1][1], peak=max(share for *_, share in run)) for run in runs]

    def worst(self, since: float, until: float) -> float:
        """Return the highest share of the polls that cover some of this time."""
        return max((share for a, b, share in self.polls if a < until and b > since), default=0.0)
