"""What the OpenAPI document says beyond what FastAPI finds out: bodies, answers, errors, kinds of text.

≠ what a route does, what the types are that it answers (answer_types.py).
"""

from __future__ import annotations

import copy
import re
from typing import Any

import msgspec
from claxon.event import FIELDS, Event
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from ..event_fields import MEANINGS
from ..splitting import MAX_EVENTS
from . import written_schemas as written
from .answer_types import ANSWERS, BODIES
from .events import OPERATION
from .events import PATH as EVENTS
from .schemas import schemas_of

_V2 = "/api/v2/"
_DERIVED = ("_at", "_category", "_provisional")
_LINK = re.compile(r"\[([^]]*)\]\([^)]*\)")
_TEXTS = ("/-/healthy", "/-/ready", "/-/elected", "/metrics")
_NOTHING = (
    ("post", "/api/v2/alerts"),
    ("post", "/api/v2/webhook"),
    ("delete", "/api/v2/silence/{silence_id}"),
    ("post", "/v1/pagerduty/{receiver}"),
)
"""Answered without a body."""

_PARAMETERS = {
    "fingerprint": "Of the alert, as `GET /v1/alerts` says it",
    "name": "Of the key",
    "silence_id": "Of the silence: a UUID",
    "receiver": "Name of the receiver",
    "id": "The first digits of the key's SHA-256: of its name only this one",
    "by": "Who does it, for the page and the ledger; left out, the name of the key",
    "limit": "How many at most",
    "app": "Only of this app",
    "environment": "Only of this environment; empty: of none",
    "rule": "Only of this rule, by its id",
    "subject": "Only of this alert, key, silence or whatever was decided or changed",
    "what": "Only such rows",
    "who": "Only by this key, or person",
    "category": "Only of this category",
    "path": "Only of this path",
    "model": "Only of this model",
    "error_type": "Only of this type, as it was posted",
    "status": "Only with this HTTP status",
    "request_id": "Only of this request",
    "call_id": "Only of this call",
    "outcome": "Which events; left out, the failures, or with `category=ok` the others",
    "since": "Not before this instant; left out, all there is",
    "until": "Not after this instant; left out, up to now",
    "sort": "Which models come first",
    "alerts": "How many alerts at most",
    "models": "How many models at most",
}
"""What parameters mean where their route does not say it."""

KEYED = {
    401: "without a key, or with one that does not count (any more)",
    403: "a key of another scope",
    429: "the key asks too often, or somebody there guesses keys: wait for `Retry-After`",
}
"""What is refused wherever a key is needed."""

ASKED = {422: "a parameter is not as it should be"}

_OTLP = ("/v1/traces", "/v1/logs")


def operation_id(route: APIRoute) -> str:
    """Return how clients name a route: as its function, those of Alertmanager's API with `v2_` before."""
    name = route.endpoint.__name__
    return f"v2_{name}" if route.path_format.startswith(_V2) else name


def describe(app: FastAPI) -> None:
    """Have an app's `/openapi.json` say all that its routes take and answer."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(
                get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            )
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _described(schema: dict[str, Any]) -> dict[str, Any]:
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    answers, components = schemas_of(ANSWERS, answered=True)
    bodies, parts = schemas_of(BODIES)
    schemas |= {
        **components,
        **parts,
        "Problem": written.PROBLEM,
        "V2Error": written.V2_ERROR,
        "Refusal": written.REFUSAL,
        "Accepted": written.ACCEPTED,
        "RpcStatus": written.STATUS,
        "Export": written.EXPORT,
        **_event(),
    }
    schemas["Events"]["properties"]["events"]["items"] = written.FOUND
    schema["paths"].setdefault(EVENTS, {})["post"] = copy.deepcopy(OPERATION)
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            _describe(operation, method, path, answer=answers.get((method, path)))
            if (method, path) in bodies:
                operation["requestBody"]["content"]["application/json"] = {"schema": bodies[method, path]}
    return schema


def _describe(operation: dict[str, Any], method: str, path: str, *, answer: dict[str, Any] | None) -> None:
    responses = operation["responses"]
    error = {"application/problem+json": {"schema": _ref("Problem")}}
    if path.startswith(_V2):
        # The same-origin check stands before the routes.
        error["application/json"] = {"schema": _ref("V2Error")}
    if path in _OTLP:
        error |= _otlp("RpcStatus")
        responses["200"]["content"] = _otlp("Export")
    _describe_refusals(operation, error)
    if path in _TEXTS:
        responses["200"]["content"] = {"text/plain": {"schema": written.TEXT}}
    if answer is not None:
        responses[min(responses)]["content"] = {"application/json": {"schema": answer}}
    if (method, path) in _NOTHING:
        for status in ("200", "202"):
            responses.get(status, {}).pop("content", None)
    if path == EVENTS and method == "post":
        responses["202"]["content"] = {"application/json": {"schema": _ref("Accepted")}}
        events = {"anyOf": [_ref("Event"), {"type": "array", "items": _ref("Event"), "maxItems": MAX_EVENTS}]}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": events}, "application/x-ndjson": {"schema": written.TEXT}},
        }
    elif (body := written.BY_OPERATION.get((method, path))) is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}


def _describe_refusals(operation: dict[str, Any], content: dict[str, Any]) -> None:
    """Add what is refused wherever a key, or a parameter, is asked for; and what may be answered to anything."""
    responses = operation["responses"]
    if responses.get("422", {}).get("description") == "Validation Error":
        del responses["422"]
    parameters = operation.get("parameters", [])
    for parameter in parameters:
        if "description" not in parameter:
            parameter["description"] = _PARAMETERS[parameter["name"]]
    bounded = any(parameter["in"] == "query" for parameter in parameters)
    general = (KEYED if "security" in operation else {}) | (ASKED if bounded else {})
    for status, when in general.items():
        responses.setdefault(str(status), {"description": when})
    responses["4XX"] = {"description": "what was sent cannot be taken"}
    responses["5XX"] = {"description": "Claxon cannot take it now: send it again later"}
    for status, said in responses.items():
        if status[0] in "45":
            said["content"] = content
    operation["responses"] = dict(sorted(responses.items()))


def _otlp(name: str) -> dict[str, Any]:
    """Return the two forms of an answer to a sender of OTLP; protobuf is bytes."""
    return {
        "application/json": {"schema": _ref(name)},
        "application/x-protobuf": {"schema": {"type": "string", "format": "binary"}},
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _event() -> dict[str, Any]:
    """Return the schema of an event and of its parts, from the type that decodes it."""
    _, found = msgspec.json.schema_components([Event], ref_template="#/components/schemas/{name}")
    event = dict(found["Event"])
    event["properties"] = {
        name: dict(shape) | {"description": f"{_unlinked(MEANINGS[name].what)}: {FIELDS[name]}"}
        for name, shape in event["properties"].items()
        if name not in _DERIVED
    }
    # Fields that are not listed are dropped and counted.
    event["additionalProperties"] = True
    event["description"] = "One attempt of one call: docs/reference/events.md."
    return {**found, "Event": event}


def _unlinked(text: str) -> str:
    return _LINK.sub(r"\1", text)
