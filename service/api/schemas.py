"""Types -> JSON Schemas, with what their docstrings say of each attribute.

≠ which types.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import msgspec
from msgspec import inspect

Schema = dict[str, Any]


def schemas_of(
    types: Mapping[tuple[str, str], Any], *, answered: bool = False
) -> tuple[dict[tuple[str, str], Schema], dict[str, Schema]]:
    """Return the schema of each operation, and the components that they refer to, with what their docstrings say.

    Args:
        types: By operation.
        answered: Whether they are written, not read: then what has a default is there all the same.
    """
    found, components = msgspec.json.schema_components(types.values(), ref_template="#/components/schemas/{name}")
    for cls in _classes(inspect.multi_type_info(types.values())):
        component = components[cls.__name__]
        component["description"] = (cls.__doc__ or "").partition("\n")[0]
        if answered:
            component["required"] = _written(cls)
        names = _wire_names(cls)
        for name, said in attributes(cls).items():
            shape = component.get("properties", {}).get(names.get(name, name))
            if shape is not None:
                shape["description"] = said
    return dict(zip(types, found, strict=True)), components


def _classes(types: Iterable[inspect.Type]) -> Iterator[type]:
    """Yield every struct and dataclass that types hold, once."""
    seen: set[type] = set()
    waiting = list(types)
    while waiting:
        kind = waiting.pop()
        match kind:
            case inspect.StructType(cls=cls, fields=parts) | inspect.DataclassType(cls=cls, fields=parts):
                if cls not in seen:
                    seen.add(cls)
                    waiting += [field.type for field in parts]
                    yield cls
            case inspect.UnionType(types=types):
                waiting += types
            case inspect.DictType(key_type=key, value_type=value):
                waiting += [key, value]
            case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
                waiting.append(item)
            case inspect.TupleType(item_types=items):
                waiting += items


def _wire_names(cls: type) -> dict[str, str]:
    if is_dataclass(cls):
        return {}
    return {field.name: field.encode_name for field in msgspec.structs.fields(cls)}


def _written(cls: type) -> list[str]:
    """Return the members that are always written."""
    if is_dataclass(cls):
        return [field.name for field in fields(cls)]
    omits = cls.__struct_config__.omit_defaults  # type: ignore[attr-defined]
    kinds = get_type_hints(cls)
    return [
        field.encode_name
        for field in msgspec.structs.fields(cls)
        if (field.required or not omits) and msgspec.UnsetType not in get_args(kinds[field.name])
    ]


_SECTION = re.compile(r"^ *Attributes:\n(.*?)(?:\n\n|\Z)", re.DOTALL | re.MULTILINE)
_NONE = re.compile(r"\bNone\b")
_ENTRY = re.compile(r"^ {8}(\w+(?:, \w+)*): (.*(?:\n {9,}.*)*)", re.MULTILINE)


def attributes(cls: type) -> dict[str, str]:
    """Return what the docstrings of a class, and of those that it extends, say of its attributes."""
    said: dict[str, str] = {}
    for one in reversed(cls.__mro__):
        section = _SECTION.search(one.__doc__ or "")
        for names, text in _ENTRY.findall(section[1] if section is not None else ""):
            said |= dict.fromkeys(names.split(", "), _NONE.sub("null", " ".join(text.split())))
    return said
