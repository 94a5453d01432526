"""Crossing: which rules ask about several (app, environment) at once, where each is evaluated apart from the others.

In the large tier all events of one app and environment are in one partition, and each partition has an engine of its
own. A rule that keeps app and environment apart means there what it means anywhere. ≠ what an engine does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .conditions import Any, Condition, EndOfLife, Own
from .rules import Rule

KEPT_APART = ("app", "environment")
"""The labels whose values say in which partition an event is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A rule that cannot be evaluated partition by partition.

    Attributes:
        rule: Its id.
        why: What it asks, and what to do: *where: value: remedy*.
    """

    rule: str
    why: str


def crosses(rule: Rule) -> tuple[str, ...]:
    """Return the labels of `KEPT_APART` over which one alert of a rule may reach; none: it means the same anywhere.

    A label that the rule is split by, or that it demands a single value of, keeps what it looks at in one place.
    """
    if isinstance(rule.condition, Own):
        return ()
    one = {matcher.name for matcher in rule.scope if matcher.operator == "="}
    return tuple(name for name in KEPT_APART if name not in rule.by and name not in one)


def combines(condition: Condition) -> bool:
    """Whether an alert that fires wherever a partition's fires begins when that of a single engine would.

    One event fires `any`, and one word of a model's end is enough. All else counts, and counts of parts say
    nothing of the whole.
    """
    return isinstance(condition, Any | EndOfLife | Own)


def refused(rules: Iterable[Rule]) -> list[Refused]:
    """Return the rules that cannot be evaluated partition by partition, in their order."""
    return [
        Refused(rule=rule.id, why=_why(rule, over))
        for rule in rules
        if (over := crosses(rule)) and not combines(rule.condition)
    ]


def _why(rule: Rule, over: tuple[str, ...]) -> str:
    missing = " and ".join(over)
    return (
        f"{rule.id}: by {', '.join(rule.by) or 'nothing'}: {rule.kind} counts over every {missing}, which are counted "
        f"on several nodes: add {missing} to `by`, or one {missing} to `match` by =, or run without --log"
    )
