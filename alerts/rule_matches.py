"""Matchers of a rule that no event, or no failure that the rule counts, can ever meet.

Labels with a closed set of values are tried value by value; of the others only what is plain is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from claxon.taxonomy import KINDS, Category

from .conditions import Budget, EndOfLife, ErrorRate, Headroom, Of, Parked, Silent
from .matchers import Matcher
from .problems import Problem

if TYPE_CHECKING:
    from .rules import Rule

_STATUSES = ["", *map(str, range(100, 600))]
_LONGEST = {"app": 64, "environment": 64, "path": 200, "model": 128}
"""Characters that an event may have there. Source: docs/reference/events.md."""


def unmatched(rule: Rule) -> Iterator[Problem]:
    """Yield why no event, or no failure, could ever match."""
    if isinstance(rule.condition, Headroom | Silent | EndOfLife):
        for i, matcher in enumerate(rule.match):
            if matcher in rule.failures:
                text = f"{matcher}: `{rule.kind}` looks at every event, failed or not: leave it out"
                yield Problem(("match", i), text)
    found = list(_impossible(rule))
    yield from found
    if not found and rule.failures and not any(_meets(rule, outcome) for outcome in _outcomes()):
        said = ", ".join(map(str, rule.failures))
        yield Problem(("match",), f"{said}: no failure meets all of it{_counted(rule)}: leave one out")


def _impossible(rule: Rule) -> Iterator[Problem]:
    """Yield labels of which no value meets every matcher."""
    closed = {
        "category": categories(),
        "status": _STATUSES,
        "final": ["true", "false"],
        "exhausted": ["true", "false"],
    }
    for name in dict.fromkeys(m.name for m in rule.match):
        of_label = [(i, m) for i, m in enumerate(rule.match) if m.name == name]
        matchers = [m for _, m in of_label]
        values = closed.get(name)
        if values is None:
            # Of an open label only the values that are asked for can be tried.
            values = [m.value for m in matchers if m.operator == "="]
            if not values or _all_meet(matchers, values):
                yield from _unheard(of_label)
                continue
            known = "no event meets all of them: leave one out"
        elif _all_meet(matchers, values):
            continue
        else:
            known = f"one of {', '.join(values)}" if len(values) < 20 else "a number from 100 to 599"
        place = of_label[-1][0]
        if len(matchers) == 1:
            yield Problem(("match", place), f"{matchers[0]}: no failure has such a {name}: {known}")
        else:
            said = ", ".join(map(str, matchers))
            yield Problem(("match", place), f"{said}: contradict each other: {known}")


def _unheard(of_label: list[tuple[int, Matcher]]) -> Iterator[Problem]:
    """Yield values that no event can have: too long, or empty where none is."""
    for i, matcher in of_label:
        longest = _LONGEST.get(matcher.name)
        if longest is None or matcher.operator != "=":
            continue
        if len(matcher.value) > longest:
            text = f"{len(matcher.value)} characters: no event has a longer {matcher.name} than {longest}: shorten it"
            yield Problem(("match", i), text)
        elif not matcher.value and matcher.name != "environment":
            yield Problem(("match", i), f"{matcher}: every event has one: leave it out, or name it")


def _all_meet(matchers: Iterable[Matcher], values: Iterable[str]) -> bool:
    held = list(matchers)
    return any(all(m.matches(value) for m in held) for value in values)


def categories() -> list[str]:
    """Return the categories that a failure may have."""
    return [c.value for c in KINDS if c not in (Category.OK, Category.CANCELLED)]


def _outcomes() -> Iterator[dict[str, str]]:
    """Yield each combination of category, final and exhausted that a failed attempt may have.

    A provisional one is final until a later attempt shows that it was not.
    """
    for name in categories():
        yield {"category": name, "final": "false", "exhausted": "false", "provisional": "false"}
        yield {"category": name, "final": "true", "exhausted": "false", "provisional": "false"}
        yield {"category": name, "final": "true", "exhausted": "true", "provisional": "false"}
        if KINDS[Category(name)].retryable:
            yield {"category": name, "final": "true", "exhausted": "false", "provisional": "true"}


def _meets(rule: Rule, outcome: dict[str, str]) -> bool:
    """Whether a failure with this outcome matches, and is one that the rule's condition needs."""
    if not all(m.matches(outcome[m.name]) for m in rule.failures if m.name in outcome):
        return False
    ended = outcome["final"] == "true"
    match rule.condition:
        case ErrorRate(of=Of.CALLS):
            return ended
        case ErrorRate(min_absorbed=least) if least > 0:
            return not ended or outcome["provisional"] == "true"
        case Budget():
            return outcome["exhausted"] == "true"
        case Parked():
            return not ended or outcome["provisional"] == "true"
    return True


def _counted(rule: Rule) -> str:
    match rule.condition:
        case ErrorRate(of=Of.CALLS):
            return " and ends its call, as `error_rate` of calls asks"
        case ErrorRate(min_absorbed=least) if least > 0:
            return " and is absorbed by a retry, as `min_absorbed` asks"
        case Budget():
            return " and is exhausted, as `budget` asks"
        case Parked():
            return " and sleeps before a next attempt, as `parked` asks"
    return ""
