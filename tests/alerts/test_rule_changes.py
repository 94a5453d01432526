"""alerts/evaluator.py: other rules, by a reload or by a restart: what is kept, what is closed."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from alerts.conditions import Any, Budget, Consecutive, ErrorRate
from alerts.decisions import Step, What
from alerts.engine_state import EngineState
from alerts.evaluator import Engine
from alerts.matchers import parse_matcher
from alerts.rules import Rule
from tests.support.events import NOON, exhausted, success

RATE = Rule(alert="Rate", condition=ErrorRate())
ROW = Rule(alert="Row", condition=Consecutive(adaptive=False))
HELD = Rule(alert="Held", condition=ErrorRate(min_failed=1), hold_s=600)
OFTEN = Rule(alert="Often", condition=Budget(max_count=1, window_s=1800))


def outage(*rules: Rule) -> Engine:
    """An engine that saw five failures, ten seconds after the first."""
    engine = Engine(rules)
    engine.observe([exhausted(NOON) for _ in range(5)], NOON)
    engine.tick(NOON + 10)
    return engine


def changes(step: Step) -> list[tuple[str, str, str]]:
    return [(t.change.value, t.alert.labels["alertname"], t.alert.resolve_reason) for t in step.transitions]


def what(step: Step) -> list[tuple[str, str]]:
    return [(row.what.value, row.rule.partition("/")[0]) for row in step.decisions]


def restored(engine: Engine, *rules: Rule) -> Engine:
    """Another engine with what a snapshot of this one holds."""
    return Engine(rules, msgspec.msgpack.decode(msgspec.msgpack.encode(engine.state), type=EngineState))


def test_the_same_rules_again_are_no_change() -> None:
    engine = outage(RATE, ROW)
    before = engine.ledger_hash

    step = engine.replace_rules([ROW, RATE], NOON + 11)

    assert (step.decisions, step.transitions, engine.ledger_hash) == ([], [], before)
    assert len(engine.firing()) == 2


def test_an_alert_of_a_rule_that_is_gone_is_closed_and_says_why() -> None:
    engine = outage(RATE, ROW)

    step = engine.replace_rules([ROW], NOON + 11)

    assert changes(step) == [("resolved", "Rate", "rule removed")]
    assert (What.RULE_CHANGED, "Rate") in what(step)
    assert [alert.labels["alertname"] for alert in engine.firing()] == ["Row"]
    assert step.decisions[0].note == f"{RATE.hash} -> none"


def test_a_pending_alert_of_a_rule_that_is_gone_is_calmed() -> None:
    assert changes(outage(HELD).replace_rules([], NOON + 11)) == [("calmed", "Held", "")]


def test_a_rule_that_is_gone_and_never_fired_closes_nothing() -> None:
    engine = Engine([ROW])
    engine.observe([exhausted(NOON)], NOON)

    assert changes(engine.replace_rules([], NOON + 11)) == []


@pytest.mark.parametrize(
    "changed",
    [
        replace(RATE, by=("app",)),
        replace(RATE, match=(parse_matcher('app="default"'),)),
        replace(RATE, condition=Budget(max_count=1)),
    ],
    ids=["by", "match", "kind"],
)
def test_a_rule_that_asks_something_else_closes_its_alerts_and_begins_anew(changed: Rule) -> None:
    engine = outage(RATE)

    assert changes(engine.replace_rules([changed], NOON + 11)) == [("resolved", "Rate", "rule changed")]

    engine.observe([exhausted(NOON + 12) for _ in range(5)], NOON + 12)
    assert [change for change, *_ in changes(engine.tick(NOON + 20))] == ["fired"]


def test_a_rule_with_another_limit_keeps_its_alert_and_judges_it_by_that() -> None:
    engine = outage(RATE)
    engine.observe([success(NOON + 10) for _ in range(5)], NOON + 10)

    step = engine.replace_rules([replace(RATE, condition=ErrorRate(above=0.6), keep_firing_for_s=0)], NOON + 11)

    assert (changes(step), len(engine.firing())) == ([], 1)
    assert changes(engine.tick(NOON + 12)) == [("resolved", "Rate", "recovered")]


def test_a_new_rule_counts_from_its_beginning() -> None:
    engine = outage(RATE)

    step = engine.replace_rules([RATE, OFTEN], NOON + 11)
    later = engine.tick(NOON + 60)

    assert (what(step), changes(later)) == ([("rule_changed", "Often")], [])
    engine.observe([exhausted(NOON + 61) for _ in range(2)], NOON + 61)
    assert changes(engine.tick(NOON + 62)) == [("fired", "Often", "")]


def test_a_snapshot_may_be_taken_over_with_other_rules() -> None:
    """What nobody asks for any more is dropped; a window that was not counted before begins empty."""
    engine = restored(outage(RATE, ROW), replace(RATE, condition=ErrorRate(window_s=1800)), OFTEN)

    state = engine.state

    assert ROW.id not in state.watches
    rate_of = engine.counts(engine.rules[RATE.id])
    assert [list(by_length) for by_length in rate_of.values()] == [[1800]]
    engine.observe([exhausted(NOON + 11) for _ in range(5)], NOON + 11)
    assert ("fired", "Often", "") in changes(engine.tick(NOON + 12))


def test_what_a_snapshot_holds_for_nobody_any_more_is_let_go() -> None:
    by_model = Rule(alert="ByModel", condition=ErrorRate(), by=("model",))
    longer = replace(by_model, condition=ErrorRate(window_s=600))

    gone, changed = (restored(outage(by_model), rule).state for rule in (RATE, longer))

    assert not any(("claude-sonnet-5",) in by_key for by_key in gone.series.values())
    windows = [by_key["claude-sonnet-5",].windows for by_key in changed.series.values() if len(next(iter(by_key))) == 1]
    assert [list(found) for found in windows] == [[600]]


def broken_rule() -> Rule:
    """A rule that cannot be evaluated: a confidence that no check would let through."""
    condition = ErrorRate(confidence=0.9)
    object.__setattr__(condition, "confidence", 2.0)
    made = Rule(alert="Broken", condition=ErrorRate())
    object.__setattr__(made, "condition", condition)
    return made


def test_a_rule_that_cannot_be_evaluated_is_told_of_and_the_others_go_on() -> None:
    engine = Engine([broken_rule(), ROW])
    engine.observe([exhausted(NOON) for _ in range(5)], NOON)

    step = engine.tick(NOON + 5)

    assert changes(step) == [("fired", "ClaxonRuleFailed", ""), ("fired", "Row", "")]
    assert (What.RULE_FAILED.value, "Broken") in what(step)


def test_a_snapshot_keeps_what_claxon_says_of_itself() -> None:
    engine = Engine([broken_rule()])
    engine.observe([exhausted(NOON) for _ in range(5)], NOON)
    engine.tick(NOON + 5)

    again = restored(engine, RATE)

    assert [alert.labels["alertname"] for alert in again.firing()] == ["ClaxonRuleFailed"]


def test_nobody_is_silent_in_a_pause_in_which_nothing_could_arrive() -> None:
    engine = Engine([replace(RATE, condition=Any())])

    engine.resume(NOON + 5)

    assert (engine.now, engine.state.resumed_at) == (NOON + 5, NOON + 5)
