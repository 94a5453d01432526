"""Counts over all series: what was told against what was true.

≠ how it was decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from statistics import mean, median

import msgspec

from alerts.conditions import Budget, ErrorRate
from alerts.decisions import Transition
from alerts.lifecycle import Change
from alerts.rules import Rule

from .told import Page
from .truth import TRUE_ABOVE, Incident, Truth

BAD, WORSE = 0.1, 0.2
"""Shares that make an incident; one of the second is to be told of in three minutes."""

PROMISED_S = 180.0
LONG_S = 600.0


class Figures(msgspec.Struct, kw_only=True):
    """What one rule, or several together, did on all series.

    Attributes:
        days: Model-days.
        pages: Firing notifications.
        resolves: Of these, how many were told to be over.
        untrue: Pages behind which no poll of 5 % or more stands.
        incidents: Runs of polls of at least 10 %.
        caught: Of these, how many a page stood or came in.
        median_s: From an incident's start to its page, of those that were caught; None where none was.
        worse: Incidents of at least 20 % that lasted at least 10 min.
        worse_caught: How many of these were.
        in_time: Of these, how many were within three minutes.
        longest_s: The longest delay of those that were caught; None where none was.
        most_pages: In one incident of at least 10 %.
        pages_each: In those that were caught, on average.
        once: How many of those that were caught had one page.
    """

    days: float
    pages: int
    resolves: int
    untrue: int
    incidents: int
    caught: int
    median_s: float | None
    worse: int
    worse_caught: int
    in_time: int
    longest_s: float | None
    most_pages: int
    pages_each: float
    once: int

    @property
    def untrue_a_month(self) -> float:
        """Pages that are not true, in 30 model-days."""
        return self.untrue * 30 / self.days


def figures(told: Mapping[str, list[Page]], rules: Mapping[str, Rule]) -> Figures:
    """Return the counts of the pages of each series."""
    truths = {series: Truth(series) for series in told}
    delays, pages_of = _found(told, truths, BAD, least_s=0)
    worse, _ = _found(told, truths, WORSE, least_s=LONG_S)
    caught = [delay for delay in delays if delay is not None]
    worse_caught = [delay for delay in worse if delay is not None]
    counted = [n for n in pages_of if n]
    everything = [(truths[series], page) for series, pages in told.items() for page in pages]
    return Figures(
        days=sum(truth.days for truth in truths.values()),
        pages=len(everything),
        resolves=sum(page.until <= truth.end + 1 for truth, page in everything),
        untrue=sum(truth.worst(page.at - _window(page, rules), page.at) < TRUE_ABOVE for truth, page in everything),
        incidents=len(delays),
        caught=len(caught),
        median_s=median(caught) if caught else None,
        worse=len(worse),
        worse_caught=len(worse_caught),
        in_time=sum(delay <= PROMISED_S for delay in worse_caught),
        longest_s=max(worse_caught, default=None),
        most_pages=max(pages_of, default=0),
        pages_each=mean(counted) if counted else 0.0,
        once=counted.count(1),
    )


def fired(transitions: Iterable[Transition], rule: str) -> list[Page]:
    """Return each time a rule fired, as if it were told by itself."""
    found: list[Page] = []
    for transition in transitions:
        alert = transition.alert
        if alert.labels["alertname"] != rule:
            continue
        if transition.change is Change.FIRED:
            found.append(Page(rule, transition.at, float("inf"), dict(alert.value)))
        elif transition.change is Change.RESOLVED:
            found[-1] = Page(rule, found[-1].at, transition.at, found[-1].value)
    return found


def _window(page: Page, rules: Mapping[str, Rule]) -> float:
    """Return how far back a page speaks: the shorter of a pair of windows, 5 min for a row."""
    match rules[page.rule].condition:
        case ErrorRate(window_s=window):
            return window
        case Budget():
            return page.value["short_s"]
    return 300


def _found(
    told: Mapping[str, list[Page]], truths: Mapping[str, Truth], share: float, *, least_s: float
) -> tuple[list[float | None], list[int]]:
    """Return how long each incident waited for a page (0 where one stood already), and how many pages it had."""
    delays: list[float | None] = []
    counts: list[int] = []
    for series, truth in truths.items():
        for incident in truth.incidents(share):
            if incident.end - incident.start >= least_s:
                within = [page for page in told[series] if _meets(page, incident)]
                counts.append(len(within))
                delays.append(min((max(0.0, page.at - incident.start) for page in within), default=None))
    return delays, counts


def _meets(page: Page, incident: Incident) -> bool:
    return page.at < incident.end and page.until > incident.start
