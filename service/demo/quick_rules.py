"""The default rules with short times, so that two minutes show what takes an hour in earnest.

Windows and `keep_firing_for` differ, and the error budget is smaller and burns without a proof:
two minutes hold too few calls for one. The other thresholds are those in earnest. The tickets of a
slow burn are left out: they look at days.
"""

from __future__ import annotations

from dataclasses import replace

from alerts.budgets import Tier
from alerts.conditions import Budget, ErrorRate
from alerts.default_rules import DEFAULT_RULES, RETRIES_EXHAUSTED_TICKET
from alerts.rules import Rule

KEEP_S = 6
WINDOW_S = 60
OBJECTIVE = 0.999


def quick_rules() -> tuple[Rule, ...]:
    """Return the rules of the demo."""
    return tuple(_quick(rule) for rule in DEFAULT_RULES if rule is not RETRIES_EXHAUSTED_TICKET)


def _quick(rule: Rule) -> Rule:
    condition = rule.condition
    if isinstance(condition, ErrorRate):
        condition = replace(condition, window_s=WINDOW_S)
    elif isinstance(condition, Budget):
        tiers = tuple(Tier(burn=tier.burn, long_s=2 * WINDOW_S, short_s=WINDOW_S) for tier in condition.tiers)
        condition = replace(condition, objective=OBJECTIVE, confidence=None, tiers=tiers)
    return replace(rule, condition=condition, keep_firing_for_s=KEEP_S)
