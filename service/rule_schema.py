"""The JSON Schema of rule files, for editors: `python -m service.rule_schema` writes docs/reference/rules.schema.json.

A schema says which fields there are and what each takes; what a rule as a whole means only `claxon check` says.
"""

from __future__ import annotations

import json
from dataclasses import fields
from math import isfinite
from pathlib import Path
from typing import Any

from alerts.conditions import KINDS
from alerts.rule_bounds import BOUNDS
from alerts.rule_form import MAX_LABEL, MAX_MATCHERS, MAX_NAME, TIMES
from alerts.rule_kinds import BURN_FIELDS, FIELDS, MAX_FIELDS, TIER_FIELDS, Field, default_of
from alerts.rule_values import Schema
from alerts.rules import SCOPE_LABELS, Rule
from alerts.templates import MAX_TEMPLATE

FILE = Path("docs/reference/rules.schema.json")

_ABOUT = {
    "any": "fires on any matching event",
    "error_rate": "over a share of calls, or of attempts, failed in a window",
    "consecutive": "so many failures in a row, of different calls, without a success between",
    "budget": "exhausted calls burn the error budget too fast, or are more than max in a window",
    "parked": "so many calls sleep at once because of a long retry-after",
    "headroom": "at the present pace a rate limit runs out before it is full again",
    "silent": "who called steadily has sent nothing for a while",
    "end_of_life": "a model that is called will be gone soon",
}
_MATCHER = r"^\s*[A-Za-z_][A-Za-z0-9_]*\s*(=~|!~|!=|=)"
_RULE: dict[str, Any] = {field.name: field.default for field in fields(Rule)}
_NAME = "^[A-Za-z_][A-Za-z0-9_]*$"


def schema() -> Schema:
    """Return the schema."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Claxon rule file",
        "description": "See docs/reference/rules.md. `claxon check FILE` also says what can never fire.",
        "type": "object",
        "properties": {
            "include": {
                "const": "defaults",
                "description": "the rules that Claxon ships; one of the same id replaces its",
            },
            "rules": {"type": "array", "items": {"$ref": "#/$defs/rule"}},
        },
        "anyOf": [{"required": ["rules"]}, {"required": ["include"]}],
        "additionalProperties": False,
        "$defs": {"rule": _rule(), **{kind: _kind(kind) for kind in KINDS}},
    }


def schema_text() -> str:
    """Return the schema as it stands in its file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _rule() -> Schema:
    times = {field.name: _of(field, _default_time(field)) for field in TIMES}
    return {
        "type": "object",
        "required": ["alert"],
        "properties": {
            "alert": {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "description": "the alert's name"},
            **{kind: {"$ref": f"#/$defs/{kind}"} for kind in KINDS},
            "match": {
                "type": "array",
                "items": {"type": "string", "pattern": _MATCHER},
                "maxItems": MAX_MATCHERS,
                "description": "which events it looks at",
                "examples": [['category=~"server|overloaded"']],
            },
            "by": {
                "type": "array",
                "items": {"enum": list(SCOPE_LABELS)},
                "uniqueItems": True,
                "default": list(_RULE["by"]),
                "description": "one alert for each distinct value of these",
            },
            **times,
            "labels": _texts(MAX_LABEL, "added to the alert; severity is page or ticket"),
            "annotations": _texts(MAX_TEMPLATE, "templates, added to the page; summary is its first line"),
        },
        "oneOf": [{"required": [kind]} for kind in KINDS],
        "additionalProperties": False,
    }


def _texts(most: int, about: str) -> Schema:
    return {
        "type": "object",
        "propertyNames": {"pattern": _NAME},
        "additionalProperties": {"type": "string", "minLength": 1, "maxLength": most},
        "description": about,
    }


def _default_time(field: Field) -> object:
    value = _RULE[field.attribute]
    return None if value is None else field.value.write(value)


def _kind(kind: str) -> Schema:
    about = {"description": _ABOUT[kind]}
    if kind == "budget":
        burn = _mapping(kind, BURN_FIELDS, {"tiers": _tiers()})
        return {**about, "anyOf": [burn, _mapping(kind, MAX_FIELDS) | {"required": ["max"]}]}
    return {**about, **_mapping(kind, FIELDS[kind])}


def _mapping(kind: str, known: tuple[Field, ...], more: Schema | None = None) -> Schema:
    properties = {field.name: _of(field, default_of(kind, field), kind) for field in known}
    return {"type": "object", "properties": {**properties, **(more or {})}, "additionalProperties": False}


def _tiers() -> Schema:
    tier = {
        "type": "object",
        "required": ["burn", "long"],
        "properties": {field.name: _of(field, None, "budget") for field in TIER_FIELDS},
        "additionalProperties": False,
    }
    about = "any of them is enough; left out: 14.4x and 6x for a page, 3x and 1x for another severity"
    return {"type": "array", "items": tier, "minItems": 1, "description": about}


def _of(field: Field, default: object, kind: str = "") -> Schema:
    found: Schema = {"description": field.about, **field.value.schema}
    bound = BOUNDS.get((kind, field.name))
    if bound is not None and "type" in found:
        # Of a duration or a share, which may be texts, no schema can say it.
        said = {"minimum": bound.least, "maximum": bound.most, "exclusiveMinimum": bound.over}
        found |= {name: number for name, number in said.items() if isfinite(number)}
    return found if default is None else {**found, "default": default}


if __name__ == "__main__":
    FILE.write_text(schema_text(), encoding="utf-8")
