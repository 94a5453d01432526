"""Writes docs/reference/api.md and openapi.json from the app, and what a real service answers to the examples:

    python -m docs.api_reference

tests/test_api_reference.py holds both to it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts

from docs.api_examples import EXAMPLES, Operation, Seen, Site, observe
from docs.api_shapes import ELSEWHERE, members, said
from docs.marked import renew, table
from docs.steady import Steady, pretty, short
from service.api.auth import KEYS_OF, Require
from service.api.openapi import ASKED, KEYED
from service.app import Service
from service.config_file import load_config
from service.settings import Settings
from service.web import create_app
from tests.support.pager import Pager

PAGE = Path(__file__).parent / "reference/api.md"
DOCUMENT = Path(__file__).parent / "reference/openapi.json"

GENERAL = {str(status): when for status, when in (KEYED | ASKED).items()}
"""Statuses that the page explains once; an operation that says something else of one of them says it itself."""

TAGS = ("events", "alerts", "silences", "keys", "status", "OTLP", "Loki", "receivers", "Alertmanager's API v2")
"""In the order of the page."""

_METHODS = ("GET", "POST", "PUT", "DELETE")


def make_app(folder: Path) -> FastAPI:
    """Return the application of a service that does not run."""
    return create_app(Service(Settings(data=folder / "data"), load_config(None)), ())


def document_text(document: dict[str, Any]) -> str:
    """Return the OpenAPI document as its file holds it."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def parts(app: FastAPI, seen: dict[Operation, Seen], steady: Steady) -> dict[str, str]:
    """Return the parts of the page that come from code."""
    document = app.openapi()
    return {
        "operations": _index(document),
        "details": "\n".join(_details(document, seen, steady)),
        "pages": _pages(app),
        "objects": "\n".join(_objects(document)),
        "general": table(("status", "when"), list(GENERAL.items())),
    }


def operations(document: dict[str, Any]) -> Iterator[tuple[Operation, dict[str, Any]]]:
    """Yield every operation, by tag, in the order of the document."""
    found = [((m, path), one) for path, methods in document["paths"].items() for m, one in methods.items()]
    yield from sorted(found, key=lambda pair: TAGS.index(pair[1]["tags"][0]))


def scope_of(operation: dict[str, Any]) -> str:
    """Return the scope that an operation needs; "" is none."""
    return next((name for needed in operation.get("security", []) for name in needed), "")


def _keys(scope: str) -> str:
    return KEYS_OF[scope] if scope else "none"


def _heading(operation: Operation) -> str:
    return f"{operation[0].upper()} {operation[1]}"


def _to(heading: str) -> str:
    """Return a link to a heading; none where those who render pages differ in its anchor."""
    anchor = "".join(c for c in heading.lower().replace(" ", "-") if c.isalnum() or c in "-_")
    return f"`{heading}`" if "--" in anchor else f"[`{heading}`](#{anchor})"


def _index(document: dict[str, Any]) -> str:
    rows = [(_to(_heading(key)), one["summary"], _keys(scope_of(one))) for key, one in operations(document)]
    return table(("request", "does", "key"), rows)


# ── one operation ─────────────────────────────────────────────────────────────


def _details(document: dict[str, Any], seen: dict[Operation, Seen], steady: Steady) -> Iterator[str]:
    tag = ""
    for key, one in operations(document):
        if one["tags"][0] != tag:
            tag = one["tags"][0]
            yield f"## {tag[0].upper()}{tag[1:]}\n"
        yield f"### `{_heading(key)}`\n"
        scope = scope_of(one)
        yield f"{one['summary']}. {one['description']}\n"
        yield f"Key: {_keys(scope)}.\n"
        yield from _parameters(one)
        yield from _body(one, document)
        yield _answers(one)
        yield _example(key, seen[key], steady)


def _parameters(operation: dict[str, Any]) -> Iterator[str]:
    rows = []
    for one in operation.get("parameters", []):
        schema = one["schema"]
        default = schema.get("default")
        absent = "" if default in (None, "") else f"`{default}`"
        takes = said(schema).removesuffix(" or null")
        rows.append((f"`{one['name']}`", one["in"], takes, one["description"], absent))
    if rows:
        yield table(("parameter", "in", "takes", "what", "when absent"), rows)


def _body(operation: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return
    kinds = ", ".join(f"`{kind}`" for kind in content)
    schema = content.get("application/json", {}).get("schema", {})
    what = f": {said(schema)}" if schema and "properties" not in _resolved(schema, document) else ""
    yield f"Body: {kinds}{what}.\n"
    inner = _resolved(schema.get("items", schema), document)
    if "properties" in inner and inner.get("title") != "Event":
        yield members(inner)


def _resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def _answers(operation: dict[str, Any]) -> str:
    rows, general = [], []
    for status, one in operation["responses"].items():
        if status.endswith("XX"):
            continue
        if one["description"] == GENERAL.get(status):
            general.append(status)
            continue
        schema = next((part.get("schema") for part in one.get("content", {}).values()), None)
        rows.append((status, one["description"] if status[0] in "45" else said(schema) if schema else "nothing"))
    if general:
        rows.append((", ".join(general), "[as everywhere](#errors)"))
    return table(("status", "answer"), rows)


def _example(key: Operation, seen: Seen, steady: Steady) -> str:
    lines = [f"{key[0].upper()} {steady.text(seen.path)}"]
    lines += [f"{name}: {steady.text(value)}" for name, value in seen.headers.items()]
    if seen.body is not None:
        lines += ["", pretty(steady.show(seen.body))]
    asked = "```http\n" + "\n".join(lines) + "\n```\n"
    if seen.answer == "":
        return f"{asked}\nanswers {seen.status}.\n"
    if isinstance(seen.answer, str):
        lines = seen.answer.splitlines()
        begins = ", and begins" if len(lines) > 3 else ""
        return f"{asked}\nanswers {seen.status}{begins}:\n\n```text\n" + "\n".join(lines[:3]) + "\n```\n"
    answer = pretty(short(steady.show(seen.answer), EXAMPLES[key].depth))
    return f"{asked}\nanswers {seen.status}:\n\n```json\n{answer}\n```\n"


# ── all of them ───────────────────────────────────────────────────────────────

def _objects(document: dict[str, Any]) -> Iterator[str]:
    """Yield every object that answers hold; what an event is has a page of its own."""
    for name, schema in sorted(document["components"]["schemas"].items()):
        if name in ELSEWHERE:
            continue
        yield f"### `{name}` object\n"
        if "description" in schema:
            yield f"{schema['description']}\n"
        yield members(schema) if schema.get("properties") else f"{said(schema)}.\n"


def _pages(app: FastAPI) -> str:
    rows = [
        (f"`{' '.join(one.methods)} {one.path}`", one.does, _keys(one.scope))
        for one in sorted(pages(app), key=lambda one: (one.path, one.methods))
    ]
    return table(("request", "does", "key"), rows)


class Page(NamedTuple):
    """One request that is not in the OpenAPI document."""

    methods: tuple[str, ...]
    path: str
    does: str
    scope: str


def pages(app: FastAPI) -> Iterator[Page]:
    """Yield what an app answers to browsers."""
    for route in iter_route_contexts(app.routes):
        original: Any = route.original_route
        if getattr(original, "include_in_schema", True) or not hasattr(original, "dependant"):
            continue
        methods = tuple(method for method in _METHODS if method in (route.methods or ()))
        if methods:
            does = (route.endpoint.__doc__ or "").partition("\n")[0]
            yield Page(methods, (route.path or "").replace(":path", ""), does, _scope(original.dependant))


def _scope(dependant: Dependant) -> str:
    found = [one.call.scope for one in _dependants(dependant) if isinstance(one.call, Require)]
    return found[0] if found else ""


def _dependants(dependant: Dependant) -> Iterable[Dependant]:
    for one in dependant.dependencies:
        yield one
        yield from _dependants(one)


def observed() -> tuple[dict[Operation, Seen], Steady]:
    """Return what a real service answers to the examples, and how that is shown."""
    with tempfile.TemporaryDirectory() as folder, Pager() as pager:
        site = Site(Path(folder), pager)
        with site.running:
            return observe(site), site.steady


def main() -> None:
    """Write both anew."""
    with tempfile.TemporaryDirectory() as folder:
        app = make_app(Path(folder))
        renew(PAGE, parts(app, *observed()))
        DOCUMENT.write_text(document_text(app.openapi()), encoding="utf-8")


if __name__ == "__main__":
    main()
