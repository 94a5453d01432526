"""The JSON Schema of rule files: what editors know is what Claxon takes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from alerts import default_rules
from alerts.rule_form import dump_rules, parse_rules
from alerts.rules import Rule
from service.rule_schema import FILE, schema, schema_text
from tests.alerts.test_rule_form import GOOD
from tests.support.repository import ROOT
from tests.support.rules import UNHURRIED, rules

SCHEMA = Draft202012Validator(schema())
ALL_DEFAULTS = [found for found in vars(default_rules).values() if isinstance(found, Rule)]


def faults(data: object) -> list[str]:
    return [fault.message for fault in SCHEMA.iter_errors(data)]


def test_the_schema_in_the_docs_is_the_one_the_code_makes() -> None:
    """`python -m service.rule_schema` writes it anew."""
    assert (ROOT / FILE).read_text(encoding="utf-8") == schema_text()


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(json.loads(schema_text()))


def test_the_command_line_prints_it() -> None:
    command = [sys.executable, "-m", "service", "rules", "--schema"]

    assert subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout == schema_text()


def test_the_default_rules_are_valid() -> None:
    assert faults(dump_rules(ALL_DEFAULTS)) == []


@UNHURRIED
@given(st.lists(rules(), min_size=1, max_size=3))
def test_any_rules_that_were_written_are_valid(many: Iterable[Rule]) -> None:
    assert faults(dump_rules(many)) == []


def one(**fields: Any) -> dict[str, Any]:
    return {"rules": [{"alert": "A", **fields}]}


@pytest.mark.parametrize(
    "data",
    [
        {"rules": [GOOD]},
        {"include": "defaults"},
        {"include": "defaults", "rules": []},
        one(budget={"max": 3, "window": "1h"}),
        one(budget={}),
        one(budget={"tiers": [{"burn": 2, "long": "1h"}]}),
        one(error_rate={"above": 0.05}, **{"for": 0}),
        one(consecutive={"settle": "500ms"}, annotations={"summary": "{{ labels.app }}"}),
    ],
)
def test_what_claxon_takes_is_valid(data: dict[str, Any]) -> None:
    assert (faults(data), [p.said for p in parse_rules(data).problems if "nobody" not in p.text]) == ([], [])


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        [],
        {"groups": []},
        {"include": "all"},
        {"rules": [3]},
        {"rules": [{"any": {}}]},
        one(),
        one(any={}, parked={}),
        one(any=None),
        one(any={"count": 1}),
        one(error_rate={"above": 7}),
        one(error_rate={"above": "5"}),
        one(error_rate={"window": 5}),
        one(error_rate={"window": ""}),
        one(error_rate={"of": "call"}),
        one(error_rate={"obove": "5%"}),
        one(budget={"max": 3, "objective": "99%"}),
        one(budget={"window": "1h"}),
        one(budget={"tiers": []}),
        one(budget={"tiers": [{"burn": 2}]}),
        one(budget={"tiers": [{"burn": 0, "long": "1h"}]}),
        one(parked={"calls": 2.5}),
        one(any={}, match="app=x"),
        one(any={}, match=["app"]),
        one(any={}, by=["host"]),
        one(any={}, by=["app", "app"]),
        one(any={}, keep_firing_for="5 min"),
        one(any={}, keep_firing_for=5),
        one(any={}, labels={"severity": True}),
        one(any={}, labels={"a-b": "x"}),
        one(any={}, annotations={"a": ""}),
        one(any={}, xyz=1),
    ],
)
def test_what_the_schema_refuses_claxon_refuses_too(data: object) -> None:
    assert faults(data)
    assert parse_rules(data).problems
