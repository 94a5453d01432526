"""Precision, recall, detection and reset time of pages against labelled windows.

A page counts from when the first receiver was told until its alert resolved. ≠ files, how it is printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil, inf
from statistics import median

from alerts.labels import Labels
from alerts.rules import Rule

from .labelled import Window
from .outcome import Episode, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Some durations, in seconds; None without any."""

    n: int = 0
    median_s: float | None = None
    p95_s: float | None = None
    max_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How pages and windows fit.

    Attributes:
        pages: All that woke somebody.
        right: Those that overlap a window that concerns them.
        windows: All that lie in the log, at least in part, and that a page may be about.
        found: Those with such a page.
        detection: From the window's start to its first page; 0 if one was there already.
        reset: From the window's end to the end of its last page; negative when it ended before.
        open: Windows of which a page still fires at the end, so that it has no reset time.
    """

    pages: int
    right: int
    windows: int
    found: int
    detection: Times = field(default_factory=Times)
    reset: Times = field(default_factory=Times)
    open: int = 0

    @property
    def precision(self) -> float | None:
        """The share of pages that were right; None without pages."""
        return self.right / self.pages if self.pages else None

    @property
    def recall(self) -> float | None:
        """The share of windows that were found; None without windows."""
        return self.found / self.windows if self.windows else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """Overall, and by rule, and what the figures leave out.

    Attributes:
        outside: Windows before the log's beginning or after its end: nothing could be found in them.
        missed: Windows without a page, overall.
        wrong: Pages without a window, overall.
    """

    overall: Score
    by_rule: dict[str, Score]
    outside: int
    missed: list[Window]
    wrong: list[Episode]


def score(outcome: Outcome, windows: Sequence[Window], *, begin: float, end: float) -> Scores:
    """Return how an outcome fits the windows of a log that lasts from `begin` to `end`."""
    inside = [window for window in windows if window.start <= end and window.end >= begin]
    pages = [episode for episode in outcome.alerts if episode.paged]
    by_rule = {
        rule.id: _score(
            [page for page in pages if page.rule == rule.id],
            [window for window in inside if window.concerns(_own_labels(rule))],
        )
        for rule in outcome.rules.values()
        if rule.severity == "page"
    }
    return Scores(
        overall=_score(pages, inside),
        by_rule=by_rule,
        outside=len(windows) - len(inside),
        missed=[window for window in inside if not _pages_of(window, pages)],
        wrong=[page for page in pages if not any(_fits(page, window) for window in inside)],
    )


def _own_labels(rule: Rule) -> Labels:
    return {"alertname": rule.alert, "severity": rule.severity} | rule.labels


def _score(pages: Sequence[Episode], windows: Sequence[Window]) -> Score:
    of_windows = [(window, found) for window in windows if (found := _pages_of(window, pages))]
    ends = [(window, max(map(_end, found))) for window, found in of_windows]
    return Score(
        pages=len(pages),
        right=sum(any(_fits(page, window) for window in windows) for page in pages),
        windows=len(windows),
        found=len(of_windows),
        detection=_times(max(0.0, min(map(_start, found)) - window.start) for window, found in of_windows),
        reset=_times(last - window.end for window, last in ends if last < inf),
        open=sum(last == inf for _, last in ends),
    )


def _pages_of(window: Window, pages: Iterable[Episode]) -> list[Episode]:
    return [page for page in pages if _fits(page, window)]


def _fits(page: Episode, window: Window) -> bool:
    return _start(page) <= window.end and _end(page) >= window.start and window.concerns(page.labels)


def _start(page: Episode) -> float:
    assert page.told_at is not None
    return page.told_at


def _end(page: Episode) -> float:
    return inf if page.ends_at is None else page.ends_at


def _times(found: Iterable[float]) -> Times:
    ordered = sorted(found)
    if not ordered:
        return Times()
    p95 = ordered[ceil(0.95 * len(ordered)) - 1]
    return Times(n=len(ordered), median_s=median(ordered), p95_s=p95, max_s=ordered[-1])
