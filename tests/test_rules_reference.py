"""docs/reference/rules.md: each example loads, and each field, bound, default, filter and value is there and true."""

from __future__ import annotations

import re
from collections.abc import Iterator
from math import isfinite

import pytest
import yaml

from alerts.rule_bounds import BOUNDS
from alerts.rule_form import FILE_FIELDS, RULE_FIELDS, parse_rules
from alerts.rule_kinds import FIELDS, Field
from alerts.rule_values import NUMBER, SHARE
from alerts.templates import ALERT_NAMES, FILTERS
from alerts.values import VALUES
from docs import rules_reference
from docs.marked import stale
from tests.support.repository import ROOT

TEXT = (ROOT / "docs/reference/rules.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
RULES = [example for example in EXAMPLES if "rules:" in example]
KINDS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##)", TEXT, re.DOTALL | re.MULTILINE))


def table(text: str) -> dict[str, str]:
    """Return the last column of a table's rows, by the first name of each."""
    rows = re.findall(r"^\| `(\w+)`.*\| (.*?) \|$", text, re.MULTILINE)
    return {name: last.strip("`") for name, last in rows}


def test_the_page_has_examples() -> None:
    assert len(RULES) >= 2 + len(KINDS) >= 10


@pytest.mark.parametrize("example", RULES)
def test_each_example_loads_without_a_warning(example: str) -> None:
    parsed = parse_rules(yaml.safe_load(example))

    assert (parsed.problems, parsed.warnings) == ([], [])
    assert parsed.rules


def test_each_kind_has_a_section_with_an_example() -> None:
    assert list(KINDS) == list(FIELDS)
    for kind, section in KINDS.items():
        assert f"\n    {kind}: {{" in section


def test_the_page_is_what_the_code_says() -> None:
    assert stale(rules_reference.PAGE, rules_reference.parts()) == [], "stale: python -m docs.rules_reference"


def test_each_field_of_a_rule_and_of_a_file_is_there() -> None:
    told = table(TEXT[TEXT.index("## A rule") : TEXT.index("## Kinds")])

    assert {*told, *FIELDS} == set(RULE_FIELDS)
    assert set(table(TEXT[: TEXT.index("## A rule")])) == set(FILE_FIELDS)


def edges() -> Iterator[tuple[str, Field, float, bool]]:
    """Yield (kind, field, number, whether it is taken) on both sides of each bound."""
    known = {(kind, field.name): field for kind, many in FIELDS.items() for field in many}
    for (kind, name), bound in BOUNDS.items():
        field = known.get((kind, name))
        if field is None:
            continue
        step = bound.step or (0.01 if field.value is SHARE else 1)
        for edge, beside, inside in ((bound.least, -step, True), (bound.most, step, True)):
            if isfinite(edge) and (edge > 0 or field.value is NUMBER):
                yield from ((kind, field, edge, inside), (kind, field, edge + beside, not inside))
        for edge, beside in ((bound.over, step), (bound.under, -step)):
            if isfinite(edge):
                yield from ((kind, field, edge, False), (kind, field, edge + beside, True))


@pytest.mark.parametrize(
    ("kind", "field", "number", "taken"),
    [pytest.param(*one, id=f"{one[0]}-{one[1].name}-{one[2]:g}") for one in edges()],
)
def test_a_bound_of_the_page_is_where_rules_begin_to_be_refused(
    kind: str, field: Field, number: float, taken: bool
) -> None:
    """What else is wrong with such a rule, such as what it can never reach, is not asked here."""
    value: dict[str, object] = {field.name: field.value.write(number)}
    if kind == "budget":
        value |= {"max": 1} if field.name == "window" else {"tiers": [{"burn": 0.5, "long": "1h"}]}
    rule = {"alert": "A", kind: value, "stale_after": "30d"}

    blamed = [problem for problem in parse_rules({"rules": [rule]}).problems if problem.path[-1] == field.name]

    assert (blamed == []) is taken, blamed


def test_each_name_and_filter_of_a_template_is_there() -> None:
    section = TEXT[TEXT.index("## Annotations") : TEXT.index("## What is refused")]

    for name in [*ALERT_NAMES, *FILTERS]:
        assert re.search(rf"`{name}\b", section), name
    for kind, names in VALUES.items():
        if kind != "own":
            row = re.search(rf"^\| `{kind}` \|(.*)$", section, re.MULTILINE)
            assert row is not None
            assert set(re.findall(r"`(\w+)`", row[1])) == set(names)


def test_the_refusal_that_is_shown_is_the_one_that_is_said() -> None:
    found = parse_rules({"rules": [{"alert": "A", "any": {}}, {"alert": "B", "error_rate": {"above": 7}}]})

    assert f": {found.problems[0].said}\n" in TEXT
