"""JSON Schema in words, for docs/reference/api.md."""

from __future__ import annotations

from typing import Any

from docs.marked import table

Schema = dict[str, Any]

ELSEWHERE = {"Event": "events.md", "RateLimits": "events.md", "StreamEnd": "events.md", "Circuit": "events.md"}
"""Objects that have another page."""


def link(reference: str) -> str:
    """Return a link to an object."""
    name = reference.rpartition("/")[2]
    return f"[{name}]({ELSEWHERE.get(name, f'#{name.lower()}-object')})"


def said(schema: Schema) -> str:
    """Return what a schema takes."""
    if "$ref" in schema:
        return link(schema["$ref"])
    for several in ("anyOf", "allOf"):
        if several in schema:
            return (" or " if several == "anyOf" else " with ").join(dict.fromkeys(map(said, schema[several])))
    if "enum" in schema:
        return "one of " + ", ".join(f"`{one}`" for one in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`".replace("`True`", "true")
    match schema.get("type"):
        case "string":
            return _text(schema)
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return "true or false"
        case "null":
            return "null"
        case "array":
            return _array(schema)
        case "object":
            return _object(schema)
    return "anything"


def members(schema: Schema) -> str:
    """Return the table of an object's members."""
    required = schema.get("required", [])
    rows = []
    for name, shape in schema["properties"].items():
        default = shape.get("default")
        absent = "" if name in required else "may be absent" if default in (None, "", [], {}) else f"`{default}` when absent".lower()
        what = "; ".join(part for part in (shape.get("description", "").rstrip("."), absent) if part)
        rows.append((f"`{name}`", said(shape), _escaped(what)))
    return table(("member", "is", "what"), rows)


def _text(schema: Schema) -> str:
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if schema.get("format") == "date-time":
        return "RFC 3339"
    if schema.get("format") == "binary":
        return "bytes"
    if "pattern" in schema:
        return f"a text like `{schema['pattern']}`" + (f", at most {most} characters" if most else "")
    if most is not None:
        return f"a text of {least} to {most} characters" if least else f"a text of at most {most} characters"
    return "a text, not empty" if least else "a text"


def _number(schema: Schema) -> str:
    what = "a whole number" if schema["type"] == "integer" else "a number"
    if "exclusiveMinimum" in schema:
        what += f" over {schema['exclusiveMinimum']}"
    elif "minimum" in schema:
        what += f" from {schema['minimum']}"
    return what + (f" to {schema['maximum']}" if "maximum" in schema else "")


def _array(schema: Schema) -> str:
    if "prefixItems" in schema:
        kinds = [said(one) for one in schema["prefixItems"]]
        alike = f"{len(kinds)} {_several(kinds[0])}" if len(set(kinds)) == 1 else ", ".join(kinds)
        return f"a list of {alike}"
    least, most = schema.get("minItems"), schema.get("maxItems")
    bounds = f"{least} to {most:,} of " if least and most else f"at most {most:,} of " if most else ""
    return f"a list of {bounds}{_several(said(schema.get('items', {})))}"


def _several(what: str) -> str:
    """Return "texts" of "a text"."""
    for one, many in (("a text", "texts"), ("a whole number", "whole numbers"), ("a number", "numbers"), ("an object", "objects"), ("a list", "lists")):
        if what.startswith(one):
            return many + what.removeprefix(one)
    return what


def _object(schema: Schema) -> str:
    values = schema.get("additionalProperties")
    if isinstance(values, dict) and values:
        return f"an object, each member {said(values)}"
    if "properties" in schema:
        return "an object of " + ", ".join(f"`{name}`" for name in schema["properties"])
    return "an object"


def _escaped(text: str) -> str:
    """Return a text in which nothing outside of code is HTML."""
    parts = text.split("`")
    return "`".join(part if place % 2 else part.replace("<", "&lt;") for place, part in enumerate(parts))
