"""alerts/budgets.py: burn rates."""

from __future__ import annotations

import pytest

from alerts.budgets import burn_rate
from alerts.conditions import Budget
from alerts.default_rules import FAST_BURN, SLOW_BURN
from alerts.errors import RuleError
from alerts.rules import Rule


@pytest.mark.parametrize(
    ("exhausted", "calls", "burn"), [(0, 10, 0.0), (1, 1000, 1.0), (144, 10_000, 14.4), (10, 10, 1000.0)]
)
def test_a_burn_rate_is_how_many_times_faster_than_the_period_allows(exhausted: int, calls: int, burn: float) -> None:
    assert burn_rate(exhausted, calls, objective=0.999) == pytest.approx(burn)


def test_without_calls_there_is_no_burn_rate() -> None:
    """Silence is not success."""
    assert burn_rate(0, 0, objective=0.999) is None


@pytest.mark.parametrize(
    ("tier", "spent"), [*zip(FAST_BURN, (0.02, 0.05), strict=True), *zip(SLOW_BURN, (0.1, 0.1), strict=True)]
)
def test_each_tier_spends_its_share_of_the_budget_in_its_long_window(tier: object, spent: float) -> None:
    """2 % of 30 d in an hour, 5 % in six, 10 % in one and in three days; Site Reliability Workbook, ch. 5."""
    assert tier.burn * tier.long_s / (30 * 86_400) == pytest.approx(spent)  # type: ignore[attr-defined]


@pytest.mark.parametrize("confidence", [0.5, 1.0, 99.0])
def test_a_confidence_that_is_no_share_over_a_half_is_refused(confidence: float) -> None:
    with pytest.raises(RuleError, match=r"confidence: .*such as 99%"):
        Rule(alert="Sure", condition=Budget(tiers=FAST_BURN, confidence=confidence))
