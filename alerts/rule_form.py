"""The form of rules in a file: a mapping -> Rules, every problem with its path; and back.

≠ YAML, files. docs/reference/rules.md is the reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from .conditions import KINDS, Condition, Own
from .default_rules import DEFAULT_RULES, FAST_BURN, SLOW_BURN
from .errors import ConfigError, RuleError
from .labels import Labels
from .matchers import Matcher, parse_matcher
from .problems import Path, Problem, nearest, shown
from .rule_checks import oddities
from .rule_kinds import FIELDS, Field, Problems, read_condition, write_condition
from .rule_values import DURATION, SHARE, ValueKind, read_text
from .rules import Rule
from .templates import MAX_TEMPLATE, TemplateError, compile_template
from .values import value_names

MAX_NAME = 128
MAX_LABEL = 200
MAX_MATCHERS = 100

_DEFAULTS = {field.name: field.default for field in fields(Rule)}

TIMES = (
    Field(name="for", attribute="hold_s", value=DURATION, about="how long it must hold first", quiet=True),
    Field(
        name="keep_firing_for",
        attribute="keep_firing_for_s",
        value=DURATION,
        about="how long the alert stays after the condition stopped holding",
    ),
    Field(
        name="clear_below",
        attribute="clear_below",
        value=SHARE,
        about="with `error_rate`: an alert that fires holds until the share is below this",
        quiet=True,
    ),
    Field(
        name="stale_after",
        attribute="stale_after_s",
        value=DURATION,
        about="how long a key may be silent before its alert is closed",
        quiet=True,
    ),
)
"""The fields of every rule that hold one value."""

RULE_FIELDS = ("alert", *KINDS, "match", "by", *(field.name for field in TIMES), "labels", "annotations")
FILE_FIELDS = ("include", "rules")

_MOVED = {
    "severity": "write labels: {severity: ...}",
    "summary": "write annotations: {summary: ...}",
    "description": "write annotations: {description: ...}",
    "expr": "a rule has a kind in place of an expression: one of " + ", ".join(KINDS),
    "matchers": "did you mean match?",
    "name": "did you mean alert?",
    "hold": "did you mean for?",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRules:
    """What a rule file means.

    Attributes:
        rules: Those without problems, the included ones first.
        problems: All that is wrong.
        warnings: What is odd about the rules that are good.
        paths: Where each rule stands, by id; ("include",) for an included one.
    """

    rules: tuple[Rule, ...] = ()
    problems: list[Problem]
    warnings: list[Problem]
    paths: dict[str, Path]


def parse_rules(data: object) -> ParsedRules:
    """Return the rules that a file's content means, and all that is wrong with it.

    What a rule as a whole means is checked once each of its fields can be read.

    Args:
        data: What the YAML holds: mappings, lists, scalars; None for an empty file.
    """
    problems, warnings = Problems(), list[Problem]()
    top = problems.mapping(data, (), "expected a mapping with `rules`, a list of rules")
    if top is None:
        return ParsedRules(problems=problems.found, warnings=[], paths={})
    for name in top:
        if name not in FILE_FIELDS:
            problems.wrong((name,), f"not a setting of a rule file: {nearest(name, FILE_FIELDS)}")
    included = _included(top, problems)
    own: dict[str, Rule] = {}
    paths: dict[str, Path] = {}
    for path, entry in _entries(top, problems):
        rule = _read_rule(entry, path, problems)
        if rule is None:
            continue
        if rule.id in own:
            first = Problem(paths[rule.id], "").where
            problems.wrong(path, f"{rule.id}: makes the same alerts as {first}: give one a label of its own")
            continue
        own[rule.id], paths[rule.id] = rule, path
        warnings += [odd.under(path) for odd in oddities(rule)]
    rules = merge(included, own.values())
    return ParsedRules(
        rules=rules,
        problems=problems.found,
        warnings=warnings,
        paths={rule.id: paths.get(rule.id, ("include",)) for rule in rules},
    )


def merge(included: Iterable[Rule], own: Iterable[Rule]) -> tuple[Rule, ...]:
    """Return included rules, each replaced by one of the same id where there is one, then the rest."""
    merged = {rule.id: rule for rule in included} | {rule.id: rule for rule in own}
    return tuple(merged.values())


def _included(top: Mapping[str, object], problems: Problems) -> tuple[Rule, ...]:
    if "include" not in top:
        return ()
    if top["include"] == "defaults":
        return DEFAULT_RULES
    problems.wrong(("include",), f"{shown(top['include'])}: only the word defaults: the rules that Claxon ships")
    return ()


def _entries(top: Mapping[str, object], problems: Problems) -> list[tuple[Path, object]]:
    if "rules" not in top:
        if "include" not in top and not problems.found:
            problems.wrong((), "rules: missing: write rules: and a list of rules, or include: defaults")
        return []
    found = problems.entries(top["rules"], ("rules",), "expected a list of rules")
    if top["rules"] == [] and "include" not in top:
        problems.wrong(("rules",), "[]: nobody would ever be paged: write a rule, or include: defaults")
    return found


# ── one rule ──────────────────────────────────────────────────────────────────


def _read_rule(data: object, path: Path, outer: Problems) -> Rule | None:
    """Return a rule; None, and its problems, if anything is wrong with it."""
    problems = Problems()
    entry = problems.mapping(data, path, "expected a rule, a mapping with `alert` and a kind")
    if entry is not None:
        found = _read_fields(entry, path, problems)
        if not problems.found:
            try:
                rule = Rule(**found)
            except RuleError as fault:
                problems.found += [problem.under(path) for problem in fault.problems]
            else:
                _check_names(rule, path, problems)
                if not problems.found:
                    return rule
    outer.found += problems.found
    return None


def _read_fields(entry: Mapping[str, object], path: Path, problems: Problems) -> dict[str, Any]:
    kinds = [name for name in entry if name in KINDS]
    _refuse_unknown(entry, kinds, path, problems)
    if "alert" not in entry:
        problems.wrong(path, "alert: missing: write alert: and a name")
    found: dict[str, Any] = {}
    for field in (_NAME, *TIMES):
        if field.name in entry:
            found[field.attribute] = problems.value(field.value, entry[field.name], (*path, field.name))
    found["match"] = _read_matchers(entry.get("match", []), (*path, "match"), problems)
    if "by" in entry:
        found["by"] = _read_by(entry["by"], (*path, "by"), problems)
    labels = found["labels"] = _read_texts(entry, "labels", path, problems)
    found["annotations"] = _read_texts(entry, "annotations", path, problems)
    found["condition"] = _read_kind(entry, kinds, labels, path, problems)
    return found


def _refuse_unknown(entry: Mapping[str, object], kinds: list[str], path: Path, problems: Problems) -> None:
    for name in entry:
        if name in RULE_FIELDS:
            continue
        inside = [kind for kind in kinds if name in [field.name for field in FIELDS[kind]]]
        if inside:
            remedy = f"stands inside {inside[0]}: {{{name}: ...}}"
        else:
            remedy = _MOVED.get(name) or nearest(name, RULE_FIELDS)
        problems.wrong((*path, name), f"not a field of a rule: {remedy}")


def _read_kind(
    entry: Mapping[str, object], kinds: list[str], labels: Labels, path: Path, problems: Problems
) -> Condition | None:
    if not kinds:
        problems.wrong(path, f"kind: missing: write exactly one of {', '.join(KINDS)}")
        return None
    for kind in kinds[1:]:
        problems.wrong((*path, kind), f"a second kind beside {kinds[0]}: make it a rule of its own")
    kind = kinds[0]
    tiers = FAST_BURN if labels.get("severity", "page") == "page" else SLOW_BURN
    return read_condition(kind, entry[kind], (*path, kind), problems, tiers=tiers)


def _read_matchers(data: object, path: Path, problems: Problems) -> tuple[Matcher, ...]:
    found: list[Matcher] = []
    for place, text in problems.entries(data, path, "expected a list such as ['category=\"server\"']"):
        try:
            found.append(parse_matcher(read_text(text, most=1000)))
        except ConfigError as fault:
            problems.wrong(place, str(fault))
    if len(found) > MAX_MATCHERS:
        problems.wrong(path, f"{len(found)} matchers: at most {MAX_MATCHERS}")
    return tuple(found)


def _read_by(data: object, path: Path, problems: Problems) -> tuple[str, ...]:
    entries = problems.entries(data, path, "expected a list such as [app, environment]")
    # Which names there are is the rule's business; here only that they are names.
    return tuple(str(problems.value(_LABEL, name, place)) for place, name in entries)


def _read_texts(entry: Mapping[str, object], name: str, path: Path, problems: Problems) -> Labels:
    """Return labels or annotations."""
    place = (*path, name)
    held = problems.mapping(entry.get(name, {}), place, f"expected a mapping such as {_EXAMPLES[name]}")
    kind = _LABEL if name == "labels" else _ANNOTATION
    found = {key: problems.value(kind, value, (*place, key)) for key, value in (held or {}).items()}
    return {key: value for key, value in found.items() if isinstance(value, str)}


def _check_names(rule: Rule, path: Path, problems: Problems) -> None:
    """Refuse annotations that use what no alert of the rule has."""
    for name, text in rule.annotations.items():
        try:
            compile_template(text).check_names(
                labels=("alertname", *rule.by, *rule.labels), value=value_names(rule.condition)
            )
        except TemplateError as fault:
            problems.wrong((*path, "annotations", name), str(fault))


_EXAMPLES = {"labels": "{severity: page}", "annotations": '{summary: "..."}'}


def _text(most: int) -> ValueKind:
    return ValueKind(
        read=lambda value: read_text(value, most=most),
        write=str,
        schema={"type": "string", "minLength": 1, "maxLength": most},
    )


_NAME = Field(name="alert", attribute="alert", value=_text(MAX_NAME), about="the alert's name")
_LABEL = _text(MAX_LABEL)
_ANNOTATION = ValueKind(
    read=lambda value: compile_template(read_text(value, most=MAX_TEMPLATE, lines=True)).text,
    write=str,
    schema={"type": "string", "minLength": 1, "maxLength": MAX_TEMPLATE},
)


# ── back into a file ──────────────────────────────────────────────────────────


def dump_rule(rule: Rule) -> dict[str, object]:
    """Return a rule as a rule file holds it; reading that gives an equal rule.

    Raises:
        ValueError: It is one that Claxon makes of itself, which no file can hold.
    """
    if isinstance(rule.condition, Own):
        raise ValueError(f"{rule.id}: only Claxon itself makes such a rule")
    found: dict[str, object] = {"alert": rule.alert, rule.kind: write_condition(rule.condition)}
    if rule.match:
        found["match"] = [str(matcher) for matcher in rule.match]
    found["by"] = list(rule.by)
    for field in TIMES:
        value = getattr(rule, field.attribute)
        if not (field.quiet and value == _DEFAULTS[field.attribute]):
            found[field.name] = field.value.write(value)
    for name, texts in (("labels", rule.labels), ("annotations", rule.annotations)):
        if texts:
            found[name] = dict(texts)
    return found


def dump_rules(rules: Iterable[Rule]) -> dict[str, object]:
    """Return rules as a rule file holds them."""
    return {"rules": [dump_rule(rule) for rule in rules]}
