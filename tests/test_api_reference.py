"""docs/reference/api.md and openapi.json: what the app says of itself, and what a real service answers."""

from __future__ import annotations

import ast
import http.client
import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from jsonschema import Draft202012Validator

from docs.api_examples import EXAMPLES, KEYS, Operation, Seen, Site, observe
from docs.api_reference import DOCUMENT, PAGE, TAGS, document_text, make_app, pages, parts, scope_of
from docs.api_shapes import ELSEWHERE
from docs.marked import stale
from docs.steady import Steady
from tests.support.pager import Pager

RENEW = "stale: python -m docs.api_reference"
MAY = {"": [], "ingest": ["ingest", "admin"], "read": ["read", "admin"], "admin": ["admin"]}

REFUSALS: list[tuple[str, str, str, Any, int]] = [
    ("admin", "POST", "/v1/events", [{"app": "no model"}], 400),
    ("admin", "POST", "/v1/events", b"[" + b" " * 17_000_000 + b"]", 413),
    ("read", "GET", "/v1/events?limit=0", None, 422),
    ("read", "GET", "/v1/events?alert=0123456789abcdef", None, 404),
    ("read", "GET", "/v1/rejects?since=once", None, 422),
    ("read", "GET", "/v1/alerts/0123456789abcdef", None, 404),
    ("admin", "POST", "/v1/alerts/0123456789abcdef/ack", None, 404),
    ("admin", "DELETE", "/v1/alerts/0123456789abcdef/ack", None, 404),
    ("read", "GET", "/v1/ledger?until=never", None, 422),
    ("read", "GET", "/v1/deliveries?limit=1001", None, 422),
    ("admin", "POST", "/v1/fire-drill", {"receiver": "nobody"}, 404),
    ("admin", "POST", "/v1/fire-drill", {"receiver": "on-call", "wait_s": 121}, 422),
    ("admin", "POST", "/v1/silences/preview", [], 400),
    ("admin", "POST", "/v1/silences/preview", {"matchers": ["=~("]}, 422),
    ("admin", "POST", "/v1/silences/preview", b" " * 70_000, 413),
    ("admin", "POST", "/v1/keys", {"name": "shop"}, 409),
    ("admin", "POST", "/v1/keys", {"name": "x", "burst": "soon"}, 422),
    ("admin", "POST", "/v1/keys", b" " * 10_001, 413),
    ("admin", "POST", "/v1/keys/nobody/rotate", {}, 404),
    ("admin", "POST", "/v1/keys/shop/rotate", {}, 409),
    ("admin", "DELETE", "/v1/keys/nobody", None, 404),
    ("admin", "DELETE", "/v1/keys/shop", None, 409),
    ("admin", "DELETE", "/v1/keys/shop?id=X", None, 422),
    ("read", "GET", "/v1/audit?what=UPPER", None, 422),
    ("ingest", "POST", "/v1/traces", [], 400),
    ("ingest", "POST", "/v1/logs", [], 400),
    ("ingest", "POST", "/loki/api/v1/push", [], 400),
    ("", "POST", "/v1/pagerduty/nobody", {}, 404),
    ("", "POST", "/v1/pagerduty/pagerduty", {}, 401),
    ("ingest", "POST", "/api/v2/alerts", [{"labels": {}}], 400),
    ("ingest", "POST", "/api/v2/alerts", [{}], 422),
    ("read", "GET", "/api/v2/alerts?filter=%3D~(", None, 400),
    ("read", "GET", "/api/v2/alerts/groups?receiver=(", None, 400),
    ("read", "GET", "/api/v2/receivers?receiver_matchers=%3D", None, 400),
    ("read", "GET", "/api/v2/silences?filter=%3D", None, 400),
    ("admin", "POST", "/api/v2/silences", {"matchers": []}, 422),
    ("read", "GET", "/api/v2/silence/x", None, 422),
    ("read", "GET", "/api/v2/silence/0b9f0f3e-5a1c-4d0e-9f35-7f2c3f1d2a10", None, 404),
    ("admin", "DELETE", "/api/v2/silence/0b9f0f3e-5a1c-4d0e-9f35-7f2c3f1d2a10", None, 404),
    ("ingest", "POST", "/api/v2/webhook", {"version": "3", "alerts": []}, 400),
]
"""(whose key, method, path, body, status)."""


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> FastAPI:
    return make_app(tmp_path_factory.mktemp("app"))


@pytest.fixture(scope="module")
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Pager() as pager:
        site = Site(tmp_path_factory.mktemp("site"), pager)
        with site.running:
            yield site


@pytest.fixture(scope="module")
def observed(site: Site) -> tuple[dict[Operation, Seen], Steady]:
    return observe(site), site.steady


def operations(document: dict[str, Any]) -> Iterator[tuple[Operation, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield (method, path), operation


def ask(site: Site, whose: str, method: str, path: str, body: Any = None) -> tuple[int, Any, str]:
    """Return status, body and content type of a request with a key."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {KEYS[whose]}"} if whose else {})
    status, answer, got = site.running.request(method, path, sent, headers)
    return status, answer, got.get("content-type", "").partition(";")[0]


def wrongs(document: dict[str, Any], operation: dict[str, Any], status: int, kind: str, answer: Any) -> list[str]:
    """Return what of an answer is not as the document says."""
    said = operation["responses"].get(str(status))
    if said is None:
        return [f"{status}: not documented"]
    content = said.get("content", {})
    if not content:
        return [] if answer == "" else [f"{status}: it has a body"]
    if kind not in content:
        return [f"{status}: {kind}: not documented"]
    schema = content[kind]["schema"] | {"components": document["components"]}
    return [f"{fault.json_path}: {fault.message}" for fault in Draft202012Validator(schema).iter_errors(answer)]


# ── the page and the document ─────────────────────────────────────────────────


def test_the_page_is_what_the_app_says_and_a_service_answers(
    app: FastAPI, observed: tuple[dict[Operation, Seen], Steady]
) -> None:
    assert stale(PAGE, parts(app, *observed)) == [], RENEW


def test_the_document_in_the_repository_is_the_service_s_own(site: Site, document: dict[str, Any]) -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document_text(document), RENEW
    assert site.document == document


def test_every_schema_of_the_document_is_one_and_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    names = {part.split('"')[0] for part in json.dumps(document).split('"#/components/schemas/')[1:]}

    assert names == set(document["components"]["schemas"])


def test_every_operation_has_a_name_of_its_own_a_summary_and_a_tag_of_the_page(document: dict[str, Any]) -> None:
    found = [one for _, one in operations(document)]

    assert len({one["operationId"] for one in found}) == len(found)
    assert all(one["summary"] and one["description"] for one in found)
    assert {tag for one in found for tag in one["tags"]} == set(TAGS)


def test_every_member_of_every_object_is_explained(document: dict[str, Any]) -> None:
    """By the docstring of its type, or by hand; what an event's fields mean has a table of its own."""
    schemas = {name: one for name, one in document["components"]["schemas"].items() if name not in ELSEWHERE}
    unexplained = [
        f"{name}.{member}"
        for name, one in schemas.items()
        for member, shape in one.get("properties", {}).items()
        if "description" not in shape
    ]

    assert unexplained == []


# ── what is answered ──────────────────────────────────────────────────────────


def test_every_operation_has_an_example(document: dict[str, Any]) -> None:
    assert set(EXAMPLES) == {key for key, _ in operations(document)}, "docs/api_examples.py: EXAMPLES"


@pytest.mark.parametrize("key", EXAMPLES, ids=" ".join)
def test_each_example_succeeds_and_is_answered_as_documented(
    key: Operation, observed: tuple[dict[Operation, Seen], Steady], document: dict[str, Any]
) -> None:
    seen = observed[0][key]
    operation = document["paths"][key[1]][key[0]]

    assert 200 <= seen.status < 300, seen
    assert wrongs(document, operation, seen.status, seen.kind.partition(";")[0], seen.answer) == []


@pytest.mark.parametrize("key", EXAMPLES, ids=" ".join)
def test_each_operation_lets_just_the_keys_in_that_the_page_names(key: Operation, site: Site) -> None:
    scope = scope_of(site.document["paths"][key[1]][key[0]])
    path = key[1].replace("{", "").replace("}", "")

    refused = {whose: ask(site, whose, key[0].upper(), path, b"")[0] in (401, 403) for whose in ("", *KEYS)}

    if scope:
        assert refused == {whose: whose not in MAY[scope] for whose in ("", *KEYS)}
    else:
        # One without a key of ours has a proof of its own.
        assert set(refused.values()) == {False}


def test_each_page_lets_just_the_keys_in_that_the_page_of_the_docs_names(app: FastAPI, site: Site) -> None:
    """A program is refused by a status where a browser is led to the login; forms need a token besides."""
    found = [page for page in pages(app) if "GET" in page.methods]

    assert len(found) > 15
    for page in found:
        path = page.path.replace("{", "").replace("}", "")
        refused = {whose: status_of(site, whose, path) in (401, 403) for whose in ("", *KEYS)}
        assert refused == {whose: bool(page.scope) and whose not in MAY[page.scope] for whose in ("", *KEYS)}, page


def status_of(site: Site, whose: str, path: str) -> int:
    """Return the status of a page alone: one leads elsewhere, another goes on for ever."""
    connection = http.client.HTTPConnection(site.running.url.removeprefix("http://"), timeout=15)
    connection.request("GET", path, headers={"Authorization": f"Bearer {KEYS[whose]}"} if whose else {})
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize(("whose", "method", "path", "body", "status"), REFUSALS, ids=str)
def test_what_is_refused_is_refused_as_documented(
    site: Site, document: dict[str, Any], whose: str, method: str, path: str, body: Any, status: int
) -> None:
    operation = _operation_of(document, method, path.partition("?")[0])

    found, answer, kind = ask(site, whose, method, path, body)

    assert found == status, answer
    assert wrongs(document, operation, found, kind, answer) == []


def test_every_status_that_a_module_of_routes_refuses_with_is_documented(app: FastAPI) -> None:
    """Also those that no test can easily bring about, such as a full disk."""
    documented: dict[ModuleType, set[int]] = {}
    for route in iter_route_contexts(app.routes):
        if getattr(route.original_route, "include_in_schema", False) and route.endpoint is not None:
            module = sys.modules[route.endpoint.__module__]
            responses = app.openapi()["paths"].get(route.path, {})
            statuses = {int(s) for one in responses.values() for s in one["responses"] if s.isdigit()}
            documented.setdefault(module, set()).update(statuses)
    modules = {module for module in documented if module.__name__.startswith("service.api")}

    assert len(modules) > 10
    for module in modules:
        assert _raised_in(module) - documented[module] == set(), module.__name__


def _operation_of(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    for (verb, template), operation in operations(document):
        pairs = list(zip(template.split("/"), path.split("/"), strict=False))
        same_length = template.count("/") == path.count("/")
        if verb.upper() == method and same_length and all(a == b or a.startswith("{") for a, b in pairs):
            return operation
    raise AssertionError(f"{method} {path}: no operation")


def _raised_in(module: ModuleType) -> set[int]:
    """Return the statuses that a module names where it makes a problem."""
    tree = ast.parse(Path(inspect.getfile(module)).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    firsts = [call.args[0] for call in calls if getattr(call.func, "id", "") == "Problem" and call.args]
    return {first.value for first in firsts if isinstance(first, ast.Constant) and isinstance(first.value, int)}
