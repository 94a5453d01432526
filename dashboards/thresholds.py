"""Where the default rules have their thresholds: read from the rules, so that lines are where pages come from.

≠ how lines look, PromQL.
"""

from __future__ import annotations

from typing import TypeVar

from alerts.budgets import Tier
from alerts.conditions import Budget, Condition, ErrorRate, Headroom, Parked
from alerts.default_rules import (
    CALLS_PARKED,
    ERROR_RATE_PAGE,
    RATE_LIMIT_HEADROOM,
    RETRIES_EXHAUSTED_PAGE,
    RETRIES_EXHAUSTED_TICKET,
    RETRY_STORM,
)
from alerts.rules import Rule

C = TypeVar("C", bound=Condition)


def condition_of(rule: Rule, kind: type[C]) -> C:
    """Return a rule's condition, which is of this kind; raises TypeError where it is of another."""
    if not isinstance(rule.condition, kind):
        raise TypeError(f"{rule.id}: is of kind {rule.kind}: the dashboards draw it as {kind.__name__}")
    return rule.condition


ERROR_RATE = condition_of(ERROR_RATE_PAGE, ErrorRate).above
RETRY_STORM_SHARE = condition_of(RETRY_STORM, ErrorRate).above
PARKED_CALLS = condition_of(CALLS_PARKED, Parked).calls
HEADROOM = condition_of(RATE_LIMIT_HEADROOM, Headroom).below
OBJECTIVE = condition_of(RETRIES_EXHAUSTED_PAGE, Budget).objective

TIERS: tuple[tuple[Tier, str], ...] = tuple(
    (tier, rule.severity)
    for rule in (RETRIES_EXHAUSTED_PAGE, RETRIES_EXHAUSTED_TICKET)
    for tier in condition_of(rule, Budget).tiers
)
"""The pairs of windows of the error budget's rules, each with the severity of what it fires."""

NODES_LAG_S = 60
"""So long events may wait between the nodes that take them and those that evaluate them."""

EVALUATION_LAG_S = 5
"""Half of what withholds the heartbeat: docs/howto/who-watches-the-watcher.md."""
