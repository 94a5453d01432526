"""The budgets' page: what each app may fail, what of it is spent, how fast it burns, when it is gone.

≠ how it was gathered.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from alerts.budgets import Tier
from alerts.conditions import Budget
from alerts.durations import format_duration
from alerts.labels import Labels
from alerts.rules import Rule

from ..budget_views import BudgetView, WindowView
from ..core import Core
from ..spending import Spent, totals_of
from ..storage.call_totals import App, Calls
from ..views import Views
from . import gather, month
from .format import count
from .month import Month
from .rules import address, place

MOST = 50
"""Budgets of one page, those that are spent most first; a filter finds the others."""

_NEARLY = 0.75
_TONES = ("gone", "firing", "ticket", "near")
_TITLES = {"gone": ("gone",), "burning too fast": ("firing", "ticket"), "nearly gone": ("near",)}
_HOUR_S = 3600
_LONG = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the core knows of the budgets.

    Attributes:
        firing: How many alerts fire in all.
        views: One for each rule and key.
        rules: By id.
        totals: Calls of each app since the log began.
    """

    firing: int
    views: list[BudgetView]
    rules: dict[str, Rule]
    totals: dict[App, Calls]


def gathered(core: Core, views: Views) -> Found:
    """Return all about the budgets; runs in the core's thread."""
    rules = {rule.id: rule for rule in core.engine.rules.values() if isinstance(rule.condition, Budget)}
    return Found(firing=gather.firing(core), views=views.budgets(), rules=rules, totals=totals_of(core.engine))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the form asks for; "" is any.

    Attributes:
        app: Its name.
        environment: The same.
    """

    app: str
    environment: str

    def takes(self, labels: Labels) -> bool:
        """Whether a budget is one of them."""
        return self.app in ("", labels.get("app", "")) and self.environment in ("", labels.get("environment", ""))


def read(query: Mapping[str, str]) -> Asked:
    """Return what a query asks for."""
    return Asked(app=query.get("app", "").strip()[:_LONG], environment=query.get("environment", "").strip()[:_LONG])


@dataclass(frozen=True, slots=True, kw_only=True)
class One:
    """One budget: of the rules that say the same of it, each of their views.

    Attributes:
        labels: The key.
        budget: The condition of the rule that looks back furthest.
        views: Of each rule, by its id; those that page first.
        app: Whose calls are counted for a month; None where the rule looks only at some of them.
    """

    labels: Labels
    budget: Budget
    views: dict[str, BudgetView]
    app: App | None

    @property
    def longest(self) -> BudgetView:
        """The view that knows most of what was spent."""
        return max(self.views.values(), key=lambda view: view.known_s)

    @property
    def firing(self) -> list[str]:
        """The rules whose alerts of it fire, by id."""
        return [name for name, view in self.views.items() if view.firing]


def chosen(found: Found, asked: Asked) -> list[One]:
    """Return the budgets that are asked for, those first that are spent most."""
    groups: dict[tuple[object, ...], list[BudgetView]] = {}
    for view in found.views:
        rule = found.rules[view.rule]
        if asked.takes(view.labels):
            same = (view.objective, view.period_s, view.max_count, view.known_s if view.max_count is not None else 0)
            groups.setdefault((*rule.match, *same, *sorted(view.labels.items())), []).append(view)
    made = [_one(found, views) for views in groups.values()]
    return sorted(made, key=lambda one: (not one.firing, -(one.longest.spent or 0.0), *one.labels.values()))


def _one(found: Found, views: list[BudgetView]) -> One:
    longest = max(views, key=lambda view: view.known_s)
    rule, labels = found.rules[longest.rule], longest.labels
    assert isinstance(rule.condition, Budget)
    whole = not rule.match and tuple(rule.by) == ("app", "environment") and longest.max_count is None
    app = (labels.get("app", ""), labels.get("environment", "")) if whole else None
    views.sort(key=lambda view: (found.rules[view.rule].severity != "page", view.rule))
    return One(labels=labels, budget=rule.condition, views={view.rule: view for view in views}, app=app)


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor:
    """At which burn a rule alerts.

    Attributes:
        words: "page over 14.4x".
        over: Whether it burns so fast in this window. An alert needs it in the other window of the pair, too.
    """

    words: str
    over: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """One window of a budget."""

    length: str
    burn: float | None
    exhausted: int
    calls: int
    factors: list[Factor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One budget for people.

    Attributes:
        tone: gone, firing (a page does), ticket (only a ticket does), near or well.
        verdict: How it stands, in a word or two.
        title: The app, where the budget is of one; else the key's labels.
        known: Over what the share was measured.
        left_s: When the rest is gone at the present burn; None when it does not burn, or nothing is known.
        burns: The present burn; None without calls.
        rules: (id, address, severity, whether it fires).
    """

    id: str
    tone: str
    verdict: str
    title: str
    app: str
    environment: str
    objective: float | None
    period: str
    most: int | None
    spent: float | None
    known: str
    left_s: float | None
    burns: float | None
    rules: list[tuple[str, str, str, bool]]
    windows: list[Window]
    month: Month | None


def context(
    found: Found, ones: list[One], months: Mapping[App, Spent], asked: Asked, *, clock: float, fault: str = ""
) -> dict[str, Any]:
    """Return what the template needs."""
    cards = [_card(one, found.rules, months, i, clock=clock) for i, one in enumerate(ones[:MOST])]
    return {
        "nav": "budgets",
        "now": clock,
        "firing": found.firing,
        "fault": fault,
        "asked": asked,
        "filtered": bool(asked.app or asked.environment),
        "any_rule": bool(found.rules),
        "cards": cards,
        "more": max(0, len(ones) - MOST),
        "tone": next((tone for tone in _TONES if any(c.tone == tone for c in cards)), "well"),
        "title": _title(cards, len(ones)),
    }


def _title(cards: list[Card], n: int) -> str:
    said = []
    for words, tones in _TITLES.items():
        if found := sum(card.tone in tones for card in cards):
            said.append(f"{count(found)} {words}")
    of = f"{count(n)} budget{'' if n == 1 else 's'}"
    return f"{of}: {', '.join(said)}" if said else f"{of}, {'all' if n > 1 else 'and it is'} well within bounds"


def _card(one: One, rules: Mapping[str, Rule], months: Mapping[App, Spent], i: int, *, clock: float) -> Card:
    view, drawn = one.longest, None
    if one.app is not None and one.app in months and view.objective is not None and view.period_s is not None:
        drawn = month.draw(months[one.app], objective=view.objective, period_s=view.period_s, now=clock)
    spent, known_s = view.spent, float(view.known_s)
    if drawn is not None and drawn.spent is not None and drawn.known_s > known_s:
        spent, known_s = drawn.spent, drawn.known_s
    windows = _windows(one, rules)
    burns = next((w.burn for w in _merged(one) if w.window_s >= _HOUR_S), None)
    left_s = None
    if spent is not None and burns and view.period_s is not None:
        left_s = max(0.0, 1 - spent) * view.period_s / burns
    tone, verdict = _stands(one, rules, spent)
    app = one.labels.get("app", "")
    others = {name: value for name, value in one.labels.items() if name not in ("app", "environment")}
    return Card(
        id=f"budget-{i}",
        tone=tone,
        verdict=verdict,
        title=place(others) if others or not app else "",
        app=app,
        environment=one.labels.get("environment", ""),
        objective=view.objective,
        period=format_duration(view.period_s) if view.period_s is not None else "",
        most=view.max_count,
        spent=spent,
        known=format_duration(int(known_s) // 60 * 60),
        left_s=left_s,
        burns=burns,
        rules=[(name, address(rules[name]), rules[name].severity, seen.firing) for name, seen in one.views.items()],
        windows=windows,
        month=drawn,
    )


def _stands(one: One, rules: Mapping[str, Rule], spent: float | None) -> tuple[str, str]:
    if spent is not None and spent >= 1:
        return "gone", "Gone"
    if one.firing:
        pages = any(rules[name].severity == "page" for name in one.firing)
        return "firing" if pages else "ticket", "Burns too fast" if one.longest.max_count is None else "Too many"
    if spent is not None and spent >= _NEARLY:
        return "near", "Nearly gone"
    if not any(window.calls for view in one.views.values() for window in view.windows):
        return "well", "No calls"
    return "well", "Well"


def _merged(one: One) -> list[WindowView]:
    """Return each window once, the shortest first."""
    return sorted(
        {w.window_s: w for view in one.views.values() for w in view.windows}.values(), key=lambda w: w.window_s
    )


def _windows(one: One, rules: Mapping[str, Rule]) -> list[Window]:
    return [
        Window(
            length=format_duration(w.window_s),
            burn=w.burn,
            exhausted=w.exhausted,
            calls=w.calls,
            factors=list(_factors(one, rules, w.window_s, w.burn, w.exhausted)),
        )
        for w in _merged(one)
    ]


def _factors(one: One, rules: Mapping[str, Rule], length: int, burn: float | None, exhausted: int) -> Iterable[Factor]:
    for name in one.views:
        rule = rules[name]
        budget = rule.condition
        assert isinstance(budget, Budget)
        if budget.max_count is not None:
            yield Factor(words=f"{rule.severity} over {count(budget.max_count)}", over=exhausted > budget.max_count)
            continue
        for tier in budget.tiers:
            if length in (tier.long_s, tier.short_s):
                yield Factor(words=_factor(rule, tier, length), over=burn is not None and burn > tier.burn)


def _factor(rule: Rule, tier: Tier, length: int) -> str:
    other = tier.short_s if length == tier.long_s else tier.long_s
    return f"{rule.severity} over {tier.burn:g}x, with {format_duration(other)}"
