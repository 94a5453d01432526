"""The rules that are compared, and the sets of them that page together.

Each is named apart, so that one engine evaluates all of them in one pass. ≠ what they do.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from alerts.conditions import Budget, Consecutive, ErrorRate
from alerts.default_rules import CONSECUTIVE_SERVER_ERRORS, ERROR_RATE_PAGE, FAST_BURN, RETRIES_EXHAUSTED_PAGE
from alerts.rules import Rule


def _rate(name: str, *, keep_s: int = 900, clear_below: float | None = 0.05, **condition: float) -> Rule:
    return replace(
        ERROR_RATE_PAGE,
        alert=name,
        condition=ErrorRate(**condition),  # type: ignore[arg-type]
        keep_firing_for_s=keep_s,
        clear_below=clear_below,
    )


def _row(name: str, condition: Consecutive) -> Rule:
    return replace(CONSECUTIVE_SERVER_ERRORS, alert=name, condition=condition)


def _burn(name: str, objective: float, confidence: float | None) -> Rule:
    condition = Budget(objective=objective, tiers=FAST_BURN, confidence=confidence)
    return replace(RETRIES_EXHAUSTED_PAGE, alert=name, condition=condition)


VARIANTS: dict[str, Rule] = {
    rule.alert: rule
    for rule in (
        replace(ERROR_RATE_PAGE, alert="error rate, as it is"),
        _rate("error rate, literal", keep_s=0, clear_below=None),
        _rate("error rate, literal, kept 15 min", clear_below=None),
        _rate("error rate, 99 %", confidence=0.99),
        _rate("error rate, 99.5 %", confidence=0.995),
        _rate("error rate, 99.9 %", confidence=0.999),
        _rate("error rate, 4 min, 99.99 %", window_s=240, confidence=0.9999),
        replace(CONSECUTIVE_SERVER_ERRORS, alert="in a row, as it is"),
        _row("in a row, two, literal", Consecutive(adaptive=False)),
        _row("in a row, adaptive, no floor", Consecutive()),
        replace(RETRIES_EXHAUSTED_PAGE, alert="budget, as it is"),
        _burn("budget of 0.1 %, literal", 0.999, None),
        _burn("budget of 0.1 %, 99 %", 0.999, 0.99),
        _burn("budget of 0.5 %, literal", 0.995, None),
    )
}
"""By the name of the alert."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules that page together."""

    name: str
    rules: tuple[str, ...]


SETS = (
    RuleSet("as they are", ("error rate, as it is", "in a row, as it is", "budget, as it is")),
    RuleSet("literal", ("error rate, literal, kept 15 min", "in a row, two, literal", "budget of 0.1 %, literal")),
    RuleSet("99 %", ("error rate, 99 %", "in a row, as it is", "budget, as it is")),
    RuleSet("99.5 %", ("error rate, 99.5 %", "in a row, as it is", "budget, as it is")),
    RuleSet("99.9 %", ("error rate, 99.9 %", "in a row, as it is", "budget, as it is")),
    RuleSet("4 min, 99.99 %", ("error rate, 4 min, 99.99 %", "in a row, as it is", "budget, as it is")),
    RuleSet("99.5 %, no floor", ("error rate, 99.5 %", "in a row, adaptive, no floor", "budget, as it is")),
    RuleSet("99.5 %, budget of 0.1 %", ("error rate, 99.5 %", "in a row, as it is", "budget of 0.1 %, 99 %")),
)
