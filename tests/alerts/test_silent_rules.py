"""alerts/rule_checks.py: a `silent` rule whose window is too coarse to find anybody steady is refused."""

from __future__ import annotations

import pytest

from alerts.conditions import Silent
from alerts.errors import RuleError
from alerts.rules import Rule

HOUR = 3600


def silent(**fields: int) -> Rule:
    return Rule(alert="Silent", condition=Silent(**fields), stale_after_s=100 * HOUR)


def test_a_rule_that_finds_nobody_steady_is_refused() -> None:
    """A bucket of 24 min lies in no 10 min, so nobody would ever have been steady."""
    with pytest.raises(RuleError, match="steady: 10m: shorter than two buckets of its window"):
        silent(after_s=24 * HOUR, steady_s=600)


def test_a_rule_whose_steady_time_holds_two_buckets_is_taken() -> None:
    assert silent(after_s=28 * 600, steady_s=600).windows == (18_000,)


def test_the_window_of_the_default_holds_an_hour_and_as_long_a_pause() -> None:
    assert silent().windows == (600 + 2 * HOUR,)
