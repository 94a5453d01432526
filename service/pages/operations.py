"""The API's operations, as the page /docs lists them.

≠ what is in the OpenAPI document, HTML.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One request.

    Attributes:
        method: GET, POST, ...
        path: With its parameters in braces.
        summary: What it does, in a line.
        parameters: (name, where it stands, what it means).
        answers: (status, what it says).
    """

    method: str
    path: str
    summary: str
    parameters: list[tuple[str, str, str]]
    answers: list[tuple[str, str]]


def operations(document: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """Return the operations of an OpenAPI document by tag, in its order."""
    found: dict[str, list[Operation]] = {}
    for path, item in document["paths"].items():
        for method in METHODS:
            if (said := item.get(method)) is not None:
                found.setdefault(next(iter(said.get("tags", ())), ""), []).append(_operation(method, path, said))
    return found


def _operation(method: str, path: str, said: Mapping[str, Any]) -> Operation:
    return Operation(
        method=method.upper(),
        path=path,
        summary=said.get("summary", ""),
        parameters=[(one["name"], one["in"], one.get("description", "")) for one in said.get("parameters", ())],
        answers=[(status, one.get("description", "")) for status, one in said["responses"].items()],
    )
