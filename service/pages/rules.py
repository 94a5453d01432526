"""The rules' pages: how each does, what it says, and how near it is and came to firing.

≠ how it was gathered, trials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from alerts.conditions import Own
from alerts.labels import Labels
from alerts.rules import Rule

from ..core import Core
from ..nearness import Near, NearMisses, present
from ..rule_text import definition_text
from ..rule_views import RuleView
from ..trial import AT_MOST_S, Trial
from ..views import Views
from . import gather
from .trying import DAYS, Asked, result
from .words import rule_words

_LATE_S = 15.0
NO_MISSES = NearMisses(n=0, cut=False, nearest=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the core knows of the rules.

    Attributes:
        firing: How many alerts fire in all.
        views: One a rule, in their order.
        rules: The same, by id.
        keys: How many keys each watches.
        near: How near each is now.
    """

    firing: int
    views: list[RuleView]
    rules: dict[str, Rule]
    keys: dict[str, int]
    near: dict[str, list[Near]]


def gathered(core: Core, views: Views, *, only: str | None = None) -> Found:
    """Return all about the rules, or about one; runs in the core's thread."""
    rules = dict(core.engine.rules)
    return Found(
        firing=gather.firing(core),
        views=views.rules(),
        rules=rules,
        keys=core.engine.watching(),
        near={name: present(core.engine, rule) for name, rule in rules.items() if only in (None, name)},
    )


def find(rules: Mapping[str, Rule], named: str) -> Rule | None:
    """Return the rule with an id, or with a hash."""
    return rules.get(named) or next((rule for rule in rules.values() if rule.hash == named), None)


def address(rule: Rule) -> str:
    """Return the rule's page, from the root."""
    parts = rule.id.split("/")
    # A browser takes these for a way up, and a proxy may take them for nothing.
    odd = any(part in ("", ".", "..") for part in parts)
    return f"rules/{rule.hash if odd else quote(rule.id, safe='/')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One rule.

    Attributes:
        near: Now, the nearest first.
        misses: In the last 7 days.
        own: Whether Claxon says it of itself.
    """

    view: RuleView
    address: str
    words: list[tuple[str, str]]
    fires_when: str
    yaml: str
    keys: int
    near: list[Near]
    misses: NearMisses
    own: bool


def shown(found: Found, view: RuleView, misses: Mapping[str, NearMisses]) -> Shown:
    """Return one rule for people."""
    rule = found.rules[view.id]
    words = rule_words(rule)
    return Shown(
        view=view,
        address=address(rule),
        words=words,
        fires_when=dict(words)["Fires when"],
        yaml=definition_text(rule),
        keys=found.keys.get(view.id, 0),
        near=found.near.get(view.id, []),
        misses=misses.get(view.id, NO_MISSES),
        own=isinstance(rule.condition, Own),
    )


def context(found: Found, misses: Mapping[str, NearMisses], *, clock: float, fault: str = "") -> dict[str, Any]:
    """Return what the list's template needs."""
    rows = [shown(found, view, misses) for view in found.views]
    evaluated = max((row.view.evaluated_at for row in rows if row.view.evaluated_at is not None), default=None)
    return {
        "nav": "rules",
        "now": clock,
        "firing": found.firing,
        "rows": sorted(rows, key=lambda row: (row.view.health.ok, row.own)),
        "given": sum(not row.own for row in rows),
        "failing": sum(not row.view.health.ok for row in rows),
        "evaluated_at": evaluated,
        "late": evaluated is not None and clock - evaluated > _LATE_S,
        "fault": fault,
        "place": place,
    }


def rule_context(
    found: Found,
    view: RuleView,
    misses: NearMisses | None,
    asked: Asked,
    *,
    clock: float,
    trial: Trial | None = None,
    fault: str = "",
    missing: str = "",
) -> dict[str, Any]:
    """Return what the template of one rule's page needs.

    Args:
        found: What the core knows of it.
        view: The rule.
        misses: Its near misses; None where they could not be read.
        asked: What the form asks for.
        clock: Unix seconds.
        trial: What came of that; None where nothing was tried.
        fault: Why not; "" is no reason.
        missing: Why `misses` could not be read.
    """
    return {
        "nav": "rules",
        "now": clock,
        "firing": found.firing,
        "r": shown(found, view, {view.id: misses or NO_MISSES}),
        "problems": asked.problems,
        "fault": fault,
        "missing": missing,
        "unchanged": asked.tried and not asked.problems and asked.changed is None,
        "numbers": asked.numbers,
        "days": asked.days,
        "spans": DAYS,
        "seconds": f"{AT_MOST_S:g}",
        "changed": definition_text(asked.changed) if asked.changed is not None else "",
        "result": result(trial, asked.numbers) if trial is not None else None,
        "place": place,
        "whose": _whose,
    }


def _whose(labels: Labels) -> str:
    return place({name: value for name, value in labels.items() if name not in ("alertname", "severity")})


def place(labels: Labels) -> str:
    """Return labels as people say them: "shop (prod), claude-x, /pay"."""
    app, environment = labels.get("app", ""), labels.get("environment", "")
    parts = [f"{app} ({environment})" if app and environment else app or environment]
    parts += [value for name, value in labels.items() if name not in ("app", "environment")]
    return ", ".join(part for part in parts if part) or "everything"
