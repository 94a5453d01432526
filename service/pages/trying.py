"""The form that tries other numbers for a rule, and what came of them.

≠ how they are tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alerts.conditions import Budget, Own
from alerts.problems import Path, Problem
from alerts.rule_form import TIMES, dump_rule, parse_rules
from alerts.rule_kinds import BURN_FIELDS, FIELDS, MAX_FIELDS, TIER_FIELDS, Field
from alerts.rule_values import COUNT, DURATION, FINE_DURATION, NUMBER, SHARE
from alerts.rules import Rule
from alerts.wording import measured

from ..backtest.comparing import Moved
from ..backtest.outcome import Episode, Outcome
from ..trial import Trial
from .format import span

DAYS = (1, 3, 7)
USUAL = 7
SHOWN = 100
"""Alerts of a result that are listed."""

_NUMBERS = (COUNT, DURATION, FINE_DURATION, NUMBER, SHARE)
_TIMES = ("for", "keep_firing_for", "clear_below")
_LONG = 40
_WHOLE = re.compile(r"-?[0-9]{1,12}")
_BROKEN = re.compile(r"-?[0-9]{1,12}\.[0-9]{1,12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One number of a rule that can be tried.

    Attributes:
        name: Of the field in the form.
        label: For people.
        about: What it means.
        now: As a rule file writes it; "" where the rule has none.
        value: What somebody wrote; else the same.
        path: Where it stands in the rule.
    """

    name: str
    label: str
    about: str
    now: str
    value: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the form asks for.

    Attributes:
        numbers: All that may be tried.
        days: Over how long.
        tried: Whether anything is asked for at all.
        changed: The rule with other numbers; None where there are none, or a problem.
        problems: What could not be understood; then nothing is tried.
    """

    numbers: list[Number]
    days: int
    tried: bool
    changed: Rule | None
    problems: list[str]


def read(rule: Rule, query: Mapping[str, str]) -> Asked:
    """Return what a query asks for; an empty field is left as it is."""
    if isinstance(rule.condition, Own):
        return Asked(numbers=[], days=USUAL, tried=False, changed=None, problems=[])
    numbers = _together([_with(number, query.get(number.name, "")) for number in _numbers(rule)])
    problems: list[str] = []
    days = _days(query.get("days", ""), problems)
    different = [number for number in numbers if number.value != number.now]
    changed = _changed(rule, different, problems) if different else None
    tried = "days" in query or bool(different)
    if problems or (changed is not None and changed.hash == rule.hash):
        changed = None
    return Asked(numbers=numbers, days=days, tried=tried, changed=changed, problems=problems)


def _together(numbers: list[Number]) -> list[Number]:
    """Move `clear_below` with an `above` that it is the same as, for it may not be over it."""
    by_name = {number.name: number for number in numbers}
    above, below = by_name.get("above"), by_name.get("clear_below")
    if above is None or below is None or not below.now == below.value == above.now:
        return numbers
    return [_with(number, above.value) if number is below else number for number in numbers]


def _days(text: str, problems: list[str]) -> int:
    if not text:
        return USUAL
    if text in map(str, DAYS):
        return int(text)
    problems.append(f"days: {text[:_LONG]!r}: one of {', '.join(map(str, DAYS))}")
    return USUAL


def _with(number: Number, text: str) -> Number:
    said = " ".join(text.split())[:_LONG] or number.now
    return Number(
        name=number.name, label=number.label, about=number.about, now=number.now, value=said, path=number.path
    )


def _numbers(rule: Rule) -> Iterator[Number]:
    form: Any = dump_rule(rule)
    held = form[rule.kind]
    known: Iterable[Field] = FIELDS[rule.kind]
    if isinstance(rule.condition, Budget):
        known = BURN_FIELDS if rule.condition.max_count is None else MAX_FIELDS
    for field in known:
        if field.value in _NUMBERS:
            yield _number(field, held, (rule.kind, field.name))
    for i, tier in enumerate(held.get("tiers", [])):
        for field in TIER_FIELDS:
            yield _number(field, tier, (rule.kind, "tiers", i, field.name), suffix=str(i + 1))
    for field in TIMES:
        if field.name in _TIMES and (field.name != "clear_below" or rule.kind == "error_rate"):
            yield _number(field, form, (field.name,))


def _number(field: Field, held: Mapping[str, object], path: Path, *, suffix: str = "") -> Number:
    now = str(held[field.name]) if field.name in held else ""
    if not now and field.name == "for":
        now = "0s"
    label = f"{field.name}, tier {suffix}" if suffix else field.name
    return Number(name=field.name + suffix, label=label, about=field.about, now=now, value=now, path=path)


def _changed(rule: Rule, numbers: Iterable[Number], problems: list[str]) -> Rule | None:
    form: Any = dump_rule(rule)
    for number in numbers:
        place = form
        for part in number.path[:-1]:
            place = place[part]
        place[number.path[-1]] = _scalar(number.value)
    parsed = parse_rules({"rules": [form]})
    problems += [_said(problem, rule) for problem in parsed.problems]
    return parsed.rules[0] if parsed.rules and not problems else None


def _said(problem: Problem, rule: Rule) -> str:
    # ("rules", 0, "error_rate", "above"): of one rule, and one kind, only the rest says something.
    path = [part for part in problem.path[2:] if part != rule.kind]
    named = ".".join(str(part + 1) if isinstance(part, int) else str(part) for part in path)
    return f"{named}: {problem.text}" if named else problem.text


def _scalar(text: str) -> object:
    """Return what YAML would make of a text, as far as numbers go."""
    if _WHOLE.fullmatch(text):
        return int(text)
    return float(text) if _BROKEN.fullmatch(text) else text


# ── what came of it ───────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One alert of a result.

    Attributes:
        episode: As the tried numbers make it; one that is gone as those in force do.
        change: new, gone, moved or same.
        words: The change, for people.
        peak: What was measured at its worst.
    """

    episode: Episode
    change: str
    words: str
    peak: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one rule set made: alerts of the rule, of these those that somebody was told of, and pages of all rules."""

    fired: int
    told: int
    pages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A trial for people.

    Attributes:
        title: The answer in one sentence.
        now: What the rule in force made.
        tried: What the changed one made.
        lines: The alerts, the first first; at most `SHOWN`.
        more: How many are left out.
        numbers: (name, as it is, as it was tried) of what is different.
    """

    trial: Trial
    title: str
    now: Counted
    tried: Counted
    lines: list[Line]
    more: int
    numbers: list[tuple[str, str, str]]


def result(trial: Trial, numbers: Iterable[Number]) -> Result:
    """Return what the template needs of a trial."""
    lines = sorted(_lines(trial), key=lambda line: (line.episode.starts_at, line.episode.rule))
    now, tried = _counted(trial.before, trial.rule), _counted(trial.after, trial.rule)
    does = "paged" if trial.rule.severity == "page" else "told somebody"
    title = f"It would have {does} {_times(tried.told)}, against {_times(now.told)} with the numbers in force"
    return Result(
        trial=trial,
        title=title,
        now=now,
        tried=tried,
        lines=lines[:SHOWN],
        more=max(0, len(lines) - SHOWN),
        numbers=[(n.label, n.now or "none", n.value) for n in numbers if n.value != n.now],
    )


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n:,} times"


def _counted(outcome: Outcome, rule: Rule) -> Counted:
    ours = [episode for episode in outcome.alerts if episode.rule == rule.id]
    return Counted(
        fired=len(ours),
        told=sum(episode.told_at is not None for episode in ours),
        pages=sum(episode.paged for episode in outcome.alerts),
    )


def _lines(trial: Trial) -> Iterator[Line]:
    """Yield all that changed, of whatever rule, and what did not of the one that was tried."""
    rules = trial.after.rules
    changes = trial.changes
    seen = {id(episode) for episode in changes.added} | {id(moved.after) for moved in changes.moved}
    same = (e for e in trial.after.alerts if e.rule == trial.rule.id and id(e) not in seen)
    yield from (_line(episode, rules, "new", "only with these numbers") for episode in changes.added)
    yield from (_line(episode, trial.before.rules, "gone", "only with those in force") for episode in changes.removed)
    yield from (_line(moved.after, rules, "moved", _moved(moved)) for moved in changes.moved)
    yield from (_line(episode, rules, "same", "the same") for episode in same)


def _line(episode: Episode, rules: Mapping[str, Rule], change: str, words: str) -> Line:
    rule = rules.get(episode.rule)
    peak = measured(episode.peak or episode.value, rule) if rule is not None else ""
    return Line(episode=episode, change=change, words=words, peak=peak)


def _moved(moved: Moved) -> str:
    said = []
    for name, later in (("starts", moved.starts_later_s), ("ends", moved.ends_later_s)):
        if later:
            said.append(f"{name} {span(abs(later))} {'later' if later > 0 else 'earlier'}")
    if moved.before.receivers != moved.after.receivers:
        said.append(f"told before: {', '.join(moved.before.receivers) or 'nobody'}")
    return "; ".join(said) or "ends otherwise"
