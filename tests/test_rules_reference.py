"""docs/reference/rules.md: each example loads, and each field, default, filter and value is there and true."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
import yaml

from alerts.rule_form import FILE_FIELDS, RULE_FIELDS, TIMES, parse_rules
from alerts.rule_kinds import FIELDS, MAX_FIELDS, default_of
from alerts.rules import Rule
from alerts.templates import ALERT_NAMES, FILTERS
from alerts.values import VALUES
from tests.support.repository import ROOT

TEXT = (ROOT / "docs/reference/rules.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
RULES = [example for example in EXAMPLES if "rules:" in example]
KINDS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##)", TEXT, re.DOTALL | re.MULTILINE))
_RULE = {field.name: field.default for field in fields(Rule)}


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


@pytest.mark.parametrize("kind", FIELDS)
def test_each_field_of_a_kind_is_there_with_its_default(kind: str) -> None:
    told = table(KINDS[kind])

    for field in FIELDS[kind]:
        default = default_of(kind, field)
        if kind == "end_of_life" or field in MAX_FIELDS:
            assert f"`{field.name}`" in KINDS[kind]
            assert default is None or f"`{default}`" in KINDS[kind]
        elif default is None:
            assert told[field.name].startswith("the literal") or told[field.name].startswith("as")
        else:
            assert told[field.name] == str(default).lower() or told[field.name] == str(default)


def test_each_field_of_a_rule_and_of_a_file_is_there_with_its_default() -> None:
    told = table(TEXT[TEXT.index("## A rule") : TEXT.index("## Kinds")])

    assert {*told, *FIELDS} == set(RULE_FIELDS)
    for field in TIMES:
        default = _RULE[field.attribute]
        assert told[field.name] == ("none" if default is None else field.value.write(default))
    assert set(table(TEXT[: TEXT.index("## A rule")])) == set(FILE_FIELDS)


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
