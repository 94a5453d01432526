"""Small logs of every kind of rule, worked out by hand from docs/reference/decisions.md (tests/alerts/cases)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from alerts.evaluator import Engine
from alerts.rules import Rule
from tests.alerts.cases import CASES, Case, spell_of
from tests.support.oracle import Change, Moment, engine_changes, oracle

Decide = Callable[[list[Rule], list[Moment]], dict[str, list[Change]]]

SLOW_S = 5000


def _oracle_without_short_cuts(rules: list[Rule], log: list[Moment]) -> dict[str, list[Change]]:
    """Decide at every second, but for logs of a day."""
    return oracle(rules, log, scan=True, every_second=log[-1].now - log[0].now <= SLOW_S)


def _engine(rules: list[Rule], log: list[Moment]) -> dict[str, list[Change]]:
    return engine_changes(Engine(rules), log)


DECIDERS: dict[str, Decide] = {
    "oracle": oracle,
    "oracle without short cuts": _oracle_without_short_cuts,
    "engine": _engine,
}


@pytest.mark.parametrize("decide", DECIDERS.values(), ids=DECIDERS.keys())
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_log_is_decided_as_the_page_says(case: Case, decide: Decide) -> None:
    assert spell_of(decide([case.rule], case.whole_log)) == case.expected
