"""Error budgets as the API shows them: how fast each burns, what is spent, when it is gone.

≠ when a budget alerts, HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from alerts.budgets import burn_rate
from alerts.conditions import Budget
from alerts.labels import Labels
from alerts.reading import Reading
from alerts.rules import Rule
from alerts.windows import CALLS, EXHAUSTED

MOST = 1000
"""Budgets in one answer, those that are spent most first."""


class WindowView(msgspec.Struct, kw_only=True):
    """One window of a budget.

    Attributes:
        window_s: Its length.
        exhausted: Calls in it that failed with no retry left.
        calls: All calls in it.
        burn: How many times faster than allowed the budget is spent; None without calls, or without an objective.
    """

    window_s: int
    exhausted: int
    calls: int
    burn: float | None


class BudgetView(msgspec.Struct, kw_only=True):
    """One budget: a rule and a key.

    Attributes:
        rule: The rule's id.
        labels: The key.
        objective: The share of calls that must succeed; None where the rule only counts.
        period_s: What the budget is for.
        max_count: Without an objective: more than so many in the window alert.
        windows: Shortest first.
        known_s: How far back the numbers reach: to the first call in the longest window, at most all of it.
        spent: The share of the budget that was spent in `known_s`, if calls come as often in all of the period.
        left_s: When the rest is gone at the burn of the shortest window of an hour or more; None when it does not burn.
        firing: Whether the rule's alert fires.
    """

    rule: str
    labels: Labels
    objective: float | None
    period_s: int | None
    max_count: int | None
    windows: list[WindowView]
    known_s: int
    spent: float | None
    left_s: float | None
    firing: bool


def budget_views(engine: Reading) -> list[BudgetView]:
    """Return the budgets that anything is known of, those that are spent most first, at most `MOST`."""
    firing = {(alert.rule, alert.key) for alert in engine.firing()}
    found = [
        budget_view(rule, rule.condition, key, counts, known[key], firing=(rule.id, key) in firing)
        for rule in engine.rules.values()
        if isinstance(rule.condition, Budget)
        for known in [engine.known(rule)]
        for key, counts in engine.counts(rule).items()
    ]
    found.sort(key=lambda view: (-(view.spent or 0.0), -view.windows[-1].exhausted, view.rule, *view.labels.values()))
    return found[:MOST]


def budget_view(
    rule: Rule, budget: Budget, key: tuple[str, ...], counts: Mapping[int, list[int]], known_s: int, *, firing: bool
) -> BudgetView:
    """Return the budget of a rule and a key.

    An app that is known for an hour has not failed for the three days of the longest window at the rate of that hour.

    Args:
        rule: The rule.
        budget: Its condition.
        key: The key.
        counts: The columns of each window, by its length.
        known_s: How far back they reach.
        firing: Whether its alert fires.
    """
    plain = budget.max_count is not None
    windows = [_window(budget, length, columns) for length, columns in sorted(counts.items())]
    burn = windows[-1].burn
    spent = burn * known_s / budget.period_s if burn is not None else None
    return BudgetView(
        rule=rule.id,
        labels={name: value for name, value in zip(rule.by, key, strict=True) if value},
        objective=None if plain else budget.objective,
        period_s=None if plain else budget.period_s,
        max_count=budget.max_count,
        windows=windows,
        known_s=known_s,
        spent=spent,
        left_s=_left(windows, spent, budget.period_s),
        firing=firing,
    )


def _window(budget: Budget, length: int, columns: list[int]) -> WindowView:
    exhausted, calls = columns[EXHAUSTED], columns[CALLS]
    burn = burn_rate(exhausted, calls, objective=budget.objective) if budget.max_count is None else None
    return WindowView(window_s=length, exhausted=exhausted, calls=calls, burn=burn)


def _left(windows: Iterable[WindowView], spent: float | None, period_s: int) -> float | None:
    present = next((window.burn for window in windows if window.window_s >= 3600), None)
    if spent is None or not present:
        return None
    return max(0.0, 1 - spent) * period_s / present
