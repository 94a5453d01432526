"""Error budgets as metrics: what is left of each, how fast it burns, when it is gone.

≠ when a budget alerts, names.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import nsmallest
from typing import TypeAlias

from alerts.conditions import Budget
from alerts.feeds import Key
from alerts.reading import Reading
from alerts.rules import Rule

from ..budget_views import BudgetView, budget_view

App: TypeAlias = tuple[str, str]
"""(app, environment)."""

Counts: TypeAlias = tuple[Rule, Budget, dict[Key, dict[int, list[int]]], dict[Key, int]]
"""A rule, what is in its windows by key and length, and how far back that reaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """What the budget rules say of each (app, environment); where several do, the worst.

    Attributes:
        remaining: The share that is left.
        burn: By (app, environment, window).
        exhausted_at: When it is gone, Unix seconds, where something burns.
    """

    remaining: dict[App, float] = field(default_factory=dict)
    burn: dict[tuple[str, str, str], float] = field(default_factory=dict)
    exhausted_at: dict[App, float] = field(default_factory=dict)


def counts_of(engine: Reading) -> list[Counts]:
    """Return what the budget rules count; runs in the core's thread."""
    return [
        (rule, rule.condition, engine.counts(rule), engine.known(rule))
        for rule in engine.rules.values()
        if isinstance(rule.condition, Budget) and rule.condition.max_count is None
    ]


def budgets(counted: Iterable[Counts], now: float, *, most: int) -> Budgets:
    """Return the budgets of at most so many (app, environment), those that are spent most first."""
    by_app: dict[App, list[BudgetView]] = {}
    for rule, condition, by_key, known in counted:
        for key, counts in by_key.items():
            view = budget_view(rule, condition, key, counts, known[key], firing=False)
            by_app.setdefault((view.labels.get("app", ""), view.labels.get("environment", "")), []).append(view)
    found = Budgets()
    for app in nsmallest(most, by_app, key=lambda app: -max(view.spent or 0.0 for view in by_app[app])):
        _add(found, app, by_app[app], now)
    return found


def _add(found: Budgets, app: App, views: Iterable[BudgetView], now: float) -> None:
    for view in views:
        for window in view.windows:
            if window.burn is not None:
                key = (*app, window_name(window.window_s))
                found.burn[key] = max(window.burn, found.burn.get(key, 0.0))
        if view.left_s is not None:
            at = now + view.left_s
            found.exhausted_at[app] = min(at, found.exhausted_at.get(app, at))
    # The longest window knows most of what was spent.
    known_s = max(view.known_s for view in views)
    spent = [view.spent for view in views if view.known_s == known_s and view.spent is not None]
    if spent:
        found.remaining[app] = 1 - max(spent)


def window_name(seconds: int) -> str:
    """Return a window's length as people write it: 5m, 6h, 3d."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
