"""Requests of every kind to every operation of /openapi.json, briefly; `make fuzz` sends many more, by Schemathesis."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from jsonschema import Draft202012Validator

from tests.support.running import Running

ODD = [
    "",
    "0",
    "-1",
    "1e9",
    "x" * 30,
    "x" * 3000,
    "\0",
    "é\u2028",
    "null",
    "true",
    '{"',
    "a=b",
    "../..",
    "%00",
    "9" * 400,
    "[",
    "=~(",
    "😀",
]
BODIES = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"0",
    b'"x"',
    b"[{}]",
    b"[[[[",
    b"\xff\xfe",
    b'{"a":' * 2000,
    b'{"matchers":[{"name":"","value":""}]}',
    b"9" * 5000,
]


@pytest.fixture(scope="module")
def claxon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("requests")) as running:
        failing = {"model": "m", "app": "a", "error_type": "authentication_error"}
        assert running.post([failing | {"call_id": str(i)} for i in range(5)])[0] == 202
        yield running


@pytest.fixture(scope="module")
def described(claxon: Running) -> dict[str, Any]:
    return claxon.get("/openapi.json")


def operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def asked(path: str, operation: dict[str, Any], chance: random.Random) -> str:
    """Return a path and query with odd values."""
    query = []
    for parameter in operation.get("parameters", []):
        value = chance.choice(ODD)
        if parameter["in"] == "path":
            path = path.replace("{" + parameter["name"] + "}", quote(value or "-", safe=""))
        elif chance.random() < 0.5:
            query.append((parameter["name"], value))
    return path + ("?" + urlencode(query) if query else "")


def test_no_request_is_a_fault_of_ours_and_each_answer_is_documented(
    claxon: Running, described: dict[str, Any]
) -> None:
    chance = random.Random(7)
    wrong = []
    for method, path, operation in operations(described):
        for _ in range(15):
            body = chance.choice(BODIES) if method in ("POST", "PUT", "PATCH") else None
            target = asked(path, operation, chance)
            status, answer, headers = claxon.request(method, target, body, {"Content-Type": "application/json"})
            if not is_documented(described, operation, status, headers.get("content-type", ""), answer):
                wrong.append((method, target[:100], body, status, headers.get("content-type"), answer))

    assert wrong == []


def is_documented(described: dict[str, Any], operation: dict[str, Any], status: int, kind: str, answer: Any) -> bool:
    """Whether an answer is what the document says; a 5xx is never. An odd path may be no path of ours."""
    found = operation["responses"].get(str(status)) or operation["responses"].get(f"{status // 100}XX")
    if status >= 500 or found is None:
        return False
    kind = kind.partition(";")[0]
    content = found.get("content", {})
    if not content or not kind:
        return not content and not kind
    if kind not in content:
        return False
    schema = content[kind].get("schema", {}) | {"components": described["components"]}
    return Draft202012Validator(schema).is_valid(answer)


def test_the_document_says_what_an_event_is(described: dict[str, Any]) -> None:
    schema = described["components"]["schemas"]["Event"] | {"components": described["components"]}
    event = Draft202012Validator(schema)

    assert event.is_valid({"model": "m", "time": 1795600000.5, "ratelimit": {"tokens_limit": 5}, "unknown": 1})
    assert not event.is_valid({"app": "m"})
    assert not event.is_valid({"model": "m", "attempt": 0})
    assert not event.is_valid({"model": "m", "status": 42})
    assert not event.is_valid({"model": "m", "attributes": {"a": 1}})


def test_every_operation_that_takes_a_body_says_which(described: dict[str, Any]) -> None:
    without = [
        path for method, path, operation in operations(described) if method == "POST" and "requestBody" not in operation
    ]

    assert sorted(without) == ["/-/reload", "/v1/alerts/{fingerprint}/ack"]


def test_the_answer_of_posted_events_is_as_documented(claxon: Running, described: dict[str, Any]) -> None:
    accepted = described["components"]["schemas"]["Accepted"] | {"components": described["components"]}

    for body in ([{"model": "m"}], [{"model": "m"}, {}], []):
        Draft202012Validator(accepted).validate(claxon.post(json.dumps(body).encode())[1])
