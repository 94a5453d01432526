"""Near misses: why a condition that has something to look at does not hold.

≠ how it is found that it does not.
"""

from __future__ import annotations

from .conditions import Budget, Consecutive, ErrorRate, Headroom, Parked
from .decisions import What
from .lifecycle import Value
from .rules import Rule


def near_miss(rule: Rule, value: Value) -> What | None:
    """Return why a rule whose condition is false does not fire; None where nothing speaks for it.

    Args:
        rule: Any rule.
        value: What its condition measured.
    """
    match rule.condition:
        case ErrorRate() as rate:
            return _of_rate(rate, value)
        case Consecutive():
            return What.SHORT_RUN if value.get("streak", value.get("count")) else None
        case Budget() as budget:
            return _of_budget(budget, value)
        case Parked():
            return What.BELOW_THRESHOLD if value.get("parked") else None
        case Headroom(below=below):
            return What.BELOW_THRESHOLD if value.get("share", 1.0) < below else None
    return None


def _of_rate(rate: ErrorRate, value: Value) -> What | None:
    if not value.get("failed"):
        return None
    if "bound" in value:
        return What.CHANCE
    return What.BELOW_FLOOR if value["share"] > rate.above else What.BELOW_THRESHOLD


def _of_budget(budget: Budget, value: Value) -> What | None:
    if not value.get("exhausted"):
        return None
    if "bound" in value:
        return What.CHANCE
    few = budget.max_count is None and value["exhausted"] < budget.min_exhausted
    return What.BELOW_FLOOR if few and value["burn"] > value["tier"] else What.BELOW_THRESHOLD
