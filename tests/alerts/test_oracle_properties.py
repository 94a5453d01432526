"""The engine decides as docs/reference/decisions.md says: held to tests/support/oracle on random logs."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.conditions import Any
from alerts.default_rules import DEFAULT_RULES
from alerts.evaluator import Engine
from alerts.rules import Rule
from tests.support.oracle import Moment, differences, engine_changes, oracle
from tests.support.random_logs import FEW, SEVERAL, SHORT_GAPS, TIMES, any_logs, attempts, logs, out_of_order, talkative
from tests.support.rule_shapes import COUNTING_RULES, RULE_SETS

RULES = pytest.mark.parametrize("rules", RULE_SETS.values(), ids=RULE_SETS.keys())

SHORT_LOGS = logs(most=8, between=st.sampled_from(SHORT_GAPS)) | logs(
    of=talkative(), most=12, between=st.sampled_from(SHORT_GAPS)
)


@RULES
@given(log=any_logs)
@SEVERAL
def test_the_engine_decides_what_the_oracle_decides(rules: tuple[Rule, ...], log: list[Moment]) -> None:
    assert differences(engine_changes(Engine(rules), log), oracle(rules, log)) == []


@RULES
@given(log=SHORT_LOGS)
@settings(FEW, max_examples=8 * TIMES)
def test_the_oracles_short_cuts_change_nothing(rules: tuple[Rule, ...], log: list[Moment]) -> None:
    log = [*log[:-1], Moment(log[-2].now + 1000 if len(log) > 1 else log[-1].now)]

    assert oracle(rules, log) == oracle(rules, log, scan=True, every_second=True)


@RULES
@given(log=any_logs, seed=st.integers(0, 2**32))
@FEW
def test_a_log_in_another_order_is_decided_as_the_oracle_decides(
    rules: tuple[Rule, ...], log: list[Moment], seed: int
) -> None:
    shuffled = out_of_order(log, random.Random(seed))

    assert differences(engine_changes(Engine(rules), shuffled), oracle(rules, shuffled)) == []


PROMPT = attempts(lateness=st.sampled_from([0, 0, 0.25, 3, 29, 60]))


@given(log=logs(of=PROMPT), seed=st.integers(0, 2**32))
@FEW
def test_the_order_of_delivery_changes_nothing_of_which_single_failures_fire(log: list[Moment], seed: int) -> None:
    rules = [rule for rule in DEFAULT_RULES + COUNTING_RULES if isinstance(rule.condition, Any)]
    shuffled = out_of_order(log, random.Random(seed))

    assert engine_changes(Engine(rules), shuffled).keys() == engine_changes(Engine(rules), log).keys()
