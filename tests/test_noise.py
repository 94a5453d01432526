"""benchmarks/noise: what is counted as an incident, as a true page, and as one notification."""

from __future__ import annotations

from math import inf

import pytest

from alerts.conditions import ErrorRate
from alerts.decisions import Transition
from alerts.lifecycle import Alert, Change, State
from alerts.rules import Rule
from benchmarks.noise.figures import figures
from benchmarks.noise.replay import Order, Shape, replay
from benchmarks.noise.told import Page, pages
from benchmarks.noise.truth import SERIES, Truth

OUTAGE = "claude-sonnet-4.6/anthropic/2"
RULES = {name: Rule(alert=name, condition=ErrorRate(), labels={"severity": "page"}) for name in ("A", "B")}


def test_the_extract_holds_176_model_days_with_46_incidents() -> None:
    truths = [Truth(series) for series in SERIES]

    assert sum(truth.days for truth in truths) == pytest.approx(176.3, abs=0.05)
    assert sum(len(truth.incidents(0.1)) for truth in truths) == 46
    assert sum(len(truth.incidents(0.2)) for truth in truths) == 22


def _moved(change: Change, at: float, rule: str, episode: int = 1) -> Transition:
    state = State.INACTIVE if change is Change.RESOLVED else State.FIRING
    labels = {"alertname": rule, "app": "a", "severity": "page"}
    alert = Alert(rule=RULES[rule].id, key=("a",), labels=labels, fingerprint=rule, state=state, episode=episode)
    return Transition(change=change, at=at, alert=alert)


OVERLAPPING = [
    _moved(Change.FIRED, 1, "A"),
    _moved(Change.FIRED, 2, "B"),
    _moved(Change.RESOLVED, 3, "A"),
    _moved(Change.RESOLVED, 4, "B"),
]


@pytest.mark.parametrize(("together", "told"), [(False, [("A", 1, 3), ("B", 2, 4)]), (True, [("A", 1, 4)])])
def test_alerts_that_overlap_are_one_page_when_they_are_told_together(
    together: bool, told: list[tuple[str, float, float]]
) -> None:
    found = pages(OVERLAPPING, RULES, together=together)

    assert [(page.rule, page.at, page.until) for page in found] == told


def test_a_page_is_true_where_a_bad_poll_covers_some_of_its_window() -> None:
    (incident, *_) = Truth(OUTAGE).incidents(0.2)
    before, at_once = (Page("A", at, inf, {}) for at in (incident.start - 1, incident.start + 60))

    counted = figures({OUTAGE: [before, at_once]}, RULES)

    assert (counted.pages, counted.untrue) == (2, 1)
    assert figures({OUTAGE: [at_once]}, RULES).longest_s == 60


def test_a_hard_outage_is_seen_in_every_order_of_arrival() -> None:
    rule = Rule(alert="Many", condition=ErrorRate(above=0.2))

    fired = {
        order: [t.change for t in replay(OUTAGE, [rule], calls_per_5m=8, shape=Shape.PLAIN, order=order)].count(
            Change.FIRED
        )
        for order in Order
    }

    assert all(n > 0 for n in fired.values())
