"""Replaying a log, and a clock that is set back."""

from __future__ import annotations

import random

import pytest
from claxon.event import Event
from hypothesis import given
from hypothesis import strategies as st

from alerts.decisions import Step, Transition
from alerts.default_rules import ACCOUNT_BLOCKED, CONSECUTIVE_SERVER_ERRORS, ERROR_RATE_PAGE, RETRIES_EXHAUSTED_PAGE
from alerts.evaluator import Engine
from alerts.rules import Rule
from tests.support.events import NOON, exhausted, make_event, success
from tests.support.oracle import Change, Moment, change_of, copies
from tests.support.random_logs import FEW, any_logs
from tests.support.rule_shapes import RULE_SETS

RULES = pytest.mark.parametrize("rules", RULE_SETS.values(), ids=RULE_SETS.keys())


def _changes(transitions: list[Transition]) -> list[Change]:
    return [change_of(transition) for transition in transitions]


def _one_by_one(engine: Engine, events: list[Event]) -> list[Change]:
    found = []
    for event in copies(events):
        found += _changes(engine.observe([event], max(engine.now, event.at)).transitions)
    return found


@RULES
@given(log=any_logs, seed=st.integers(0, 2**32))
@FEW
def test_a_replay_decides_what_observing_one_by_one_decides(
    rules: tuple[Rule, ...], log: list[Moment], seed: int
) -> None:
    events = [event for moment in log for event in moment.events]
    cut = random.Random(seed).randint(0, len(events))
    live, replayed = Engine(rules), Engine(rules)

    one_by_one = _one_by_one(live, events)
    at_once = [c for part in (events[:cut], events[cut:]) for c in _changes(replayed.replay(copies(part)).transitions)]

    assert at_once == one_by_one
    assert (replayed.ledger_hash, replayed.decided, replayed.now) == (live.ledger_hash, live.decided, live.now)


OUTAGE_RULES = (ERROR_RATE_PAGE, CONSECUTIVE_SERVER_ERRORS, RETRIES_EXHAUSTED_PAGE)
BACK_S = [1, 59, 300, 3600, 86_400, 30 * 86_400]


def _fired(step: Step) -> list[str]:
    return [t.alert.rule for t in step.transitions if t.change.value == "fired"]


@pytest.mark.parametrize("back_s", BACK_S)
def test_a_single_failure_fires_after_the_clock_was_set_back(back_s: int) -> None:
    engine = Engine([ACCOUNT_BLOCKED])
    engine.observe([success(NOON)], NOON)
    engine.rewind(NOON - back_s)

    step = engine.observe([make_event(now=NOON - back_s + 0.5, status=402)], NOON - back_s + 0.5)

    assert _fired(step) == [ACCOUNT_BLOCKED.id]
    assert step.transitions[0].at == NOON - back_s + 0.5


@pytest.mark.parametrize("back_s", BACK_S)
@pytest.mark.parametrize(
    "rule", [ERROR_RATE_PAGE, CONSECUTIVE_SERVER_ERRORS, RETRIES_EXHAUSTED_PAGE], ids=lambda r: r.id
)
def test_an_outage_fires_after_the_clock_was_set_back(rule: Rule, back_s: int) -> None:
    engine = Engine([rule])
    for second in range(5):
        engine.observe([success(NOON + second)], NOON + second)
    engine.rewind(NOON - back_s)
    now = NOON - back_s + 0.5

    engine.observe([exhausted(now) for _ in range(5)], now)
    step = engine.tick(now + 5)

    assert _fired(step) == [rule.id]
    assert now < step.transitions[0].at <= now + 5


@pytest.mark.parametrize("back_s", BACK_S)
def test_an_alert_that_fires_is_resolved_after_the_clock_was_set_back(back_s: int) -> None:
    engine = Engine([ERROR_RATE_PAGE])
    engine.observe([exhausted(NOON) for _ in range(10)], NOON)
    engine.tick(NOON + 10)
    engine.rewind(NOON - back_s)

    resolved = []
    for second in range(0, 2 * 3600, 60):
        now = NOON - back_s + second
        step = engine.observe([success(now) for _ in range(20)], now)
        resolved += [t.at for t in step.transitions if t.change.value == "resolved"]

    assert len(resolved) == 1
