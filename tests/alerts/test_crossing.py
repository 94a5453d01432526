"""Which rules ask about several (app, environment) at once, and which of those may be combined."""

from __future__ import annotations

import pytest

from alerts.conditions import Any, Budget, Condition, Consecutive, EndOfLife, ErrorRate, Headroom, Parked, Silent
from alerts.crossing import crosses, refused
from alerts.default_rules import DEFAULT_RULES, MODEL_END_OF_LIFE
from alerts.matchers import parse_matcher
from alerts.own_rules import OWN_RULES
from alerts.rules import Rule

COUNTING = [ErrorRate(), Consecutive(), Budget(max_count=3), Parked(), Headroom(), Silent()]


def a_rule(condition: Condition, *match: str, by: tuple[str, ...]) -> Rule:
    stale = {"stale_after_s": 86_400} if isinstance(condition, Silent) else {}
    return Rule(alert="R", condition=condition, match=tuple(map(parse_matcher, match)), by=by, **stale)


def test_the_rules_that_claxon_ships_and_its_own_fit() -> None:
    assert refused([*DEFAULT_RULES, *OWN_RULES]) == []
    assert [rule for rule in DEFAULT_RULES if crosses(rule)] == [MODEL_END_OF_LIFE]


@pytest.mark.parametrize(
    ("by", "match", "over"),
    [
        (("app", "environment"), (), ()),
        (("environment", "app", "path"), (), ()),
        (("app",), (), ("environment",)),
        (("model",), (), ("app", "environment")),
        (("model",), ('app="shop"', 'environment="live"'), ()),
        (("app",), ('environment=""',), ()),
        (("app",), ('environment=~"live"',), ("environment",)),
        (("app",), ('environment!="test"',), ("environment",)),
    ],
)
def test_a_label_keeps_a_rule_in_one_place_if_it_splits_or_has_one_value(
    by: tuple[str, ...], match: tuple[str, ...], over: tuple[str, ...]
) -> None:
    assert crosses(a_rule(ErrorRate(), *match, by=by)) == over


@pytest.mark.parametrize("condition", COUNTING, ids=lambda c: type(c).__name__)
def test_what_counts_over_several_is_refused_with_the_way_out(condition: Condition) -> None:
    rule = a_rule(condition, by=("app",))

    [problem] = refused([*DEFAULT_RULES, rule])

    assert problem.rule == rule.id
    assert "every environment" in problem.why
    assert "add environment to `by`" in problem.why
    assert "without --log" in problem.why


@pytest.mark.parametrize("condition", [Any(), EndOfLife()], ids=["any", "end of life"])
def test_what_one_event_fires_may_be_combined(condition: Condition) -> None:
    match = ('status="401"',) if isinstance(condition, Any) else ()
    rule = a_rule(condition, *match, by=("model",))

    assert crosses(rule) == ("app", "environment")
    assert refused([rule]) == []
