"""What the OpenAPI document says beyond what FastAPI finds out: bodies, errors, kinds of text.

≠ what a route does.
"""

from __future__ import annotations

import copy
from typing import Any

import msgspec
from claxon.event import FIELDS, Event
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from .events import OPERATION
from .events import PATH as EVENTS

_V2 = "/api/v2/"
_DERIVED = ("_at", "_category", "_provisional")
_TEXTS = ("/-/healthy", "/-/ready", "/metrics")
_NOTHING = (
    ("post", "/api/v2/alerts"),
    ("post", "/api/v2/webhook"),
    ("delete", "/api/v2/silence/{silence_id}"),
    ("post", "/v1/pagerduty/{receiver}"),
)
"""Answered without a body."""

_OTLP = ("/v1/traces", "/v1/logs")
_STATUS = {
    "type": "object",
    "description": "google.rpc.Status.",
    "required": ["code", "message"],
    "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
}
_EXPORT = {"type": "object", "properties": {"partialSuccess": {"type": "object"}}}

_PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `detail` is *where: value: remedy*.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "rejected": {"type": "array", "items": {"$ref": "#/components/schemas/Refusal"}},
    },
}
_V2_ERROR = {
    "description": "A text, as Alertmanager answers; of 422 an object.",
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "required": ["code", "message"],
            "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
        },
    ],
}
_REFUSAL = {
    "type": "object",
    "required": ["index", "error"],
    "properties": {"index": {"type": "integer"}, "error": {"type": "string"}},
}
_ACCEPTED = {
    "type": "object",
    "required": ["accepted", "rejected"],
    "properties": {
        "accepted": {"type": "integer"},
        "rejected": {"type": "array", "items": {"$ref": "#/components/schemas/Refusal"}},
    },
}

_TEXT = {"type": "string"}
_INSTANT = {"type": "string", "format": "date-time"}
_LABELS = {"type": "object", "additionalProperties": _TEXT}
_POSTED_ALERT = {
    "type": "object",
    "required": ["labels"],
    "properties": {
        "labels": _LABELS | {"minProperties": 1},
        "annotations": _LABELS,
        "startsAt": _INSTANT,
        "endsAt": _INSTANT,
        "generatorURL": _TEXT,
    },
}
_MATCHER = {
    "type": "object",
    "required": ["name", "value"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "value": _TEXT,
        "isRegex": {"type": "boolean"},
        "isEqual": {"type": "boolean"},
    },
}
_BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("post", "/v1/fire-drill"): {
        "type": "object",
        "required": ["receiver"],
        "properties": {"receiver": _TEXT, "wait_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 60}},
    },
    ("post", "/v1/silences/preview"): {
        "type": "object",
        "required": ["matchers"],
        "properties": {
            "matchers": {"type": "array", "minItems": 1, "maxItems": 32, "items": {"anyOf": [_TEXT, _MATCHER]}}
        },
    },
    ("post", "/v1/pagerduty/{receiver}"): {"type": "object"},
    ("post", "/api/v2/alerts"): {"type": "array", "items": _POSTED_ALERT},
    ("post", "/api/v2/silences"): {
        "type": "object",
        "required": ["matchers", "startsAt", "endsAt", "createdBy", "comment"],
        "properties": {
            "id": _TEXT,
            "matchers": {
                "type": "array",
                "minItems": 1,
                "maxItems": 100,
                "items": _MATCHER | {"required": ["name", "value", "isRegex"]},
            },
            "startsAt": _INSTANT,
            "endsAt": _INSTANT,
            "createdBy": _TEXT,
            "comment": _TEXT,
        },
    },
    ("post", "/api/v2/webhook"): {
        "type": "object",
        "required": ["version", "alerts"],
        "properties": {"version": {"const": "4"}, "alerts": {"type": "array", "items": _POSTED_ALERT}},
    },
}


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
    schemas |= {
        "Problem": _PROBLEM,
        "V2Error": _V2_ERROR,
        "Refusal": _REFUSAL,
        "Accepted": _ACCEPTED,
        "Status": _STATUS,
        "Export": _EXPORT,
        **_event(),
    }
    schema["paths"].setdefault(EVENTS, {})["post"] = copy.deepcopy(OPERATION)
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            _describe(operation, method, path)
    return schema


def _describe(operation: dict[str, Any], method: str, path: str) -> None:
    responses = operation["responses"]
    responses.pop("422", None)
    error = {"application/problem+json": {"schema": _ref("Problem")}}
    if path.startswith(_V2):
        # The same-origin check stands before the routes.
        error["application/json"] = {"schema": _ref("V2Error")}
    if path in _OTLP:
        error |= _otlp("Status")
        responses["200"]["content"] = _otlp("Export")
    responses["4XX"] = {"description": "What was sent cannot be taken; `detail` says why", "content": error}
    responses["5XX"] = {"description": "Claxon cannot take it now: send it again later", "content": error}
    if path in _TEXTS:
        responses["200"]["content"] = {"text/plain": {"schema": _TEXT}}
    if (method, path) in _NOTHING:
        for status in ("200", "202"):
            responses.get(status, {}).pop("content", None)
    if path == EVENTS and method == "post":
        responses["202"]["content"] = {"application/json": {"schema": _ref("Accepted")}}
        events = {"anyOf": [_ref("Event"), {"type": "array", "items": _ref("Event"), "maxItems": 50_000}]}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": events}, "application/x-ndjson": {"schema": _TEXT}},
        }
    elif (body := _BODIES.get((method, path))) is not None:
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}


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
        name: dict(shape) | {"description": FIELDS[name]}
        for name, shape in event["properties"].items()
        if name not in _DERIVED
    }
    # Fields that are not listed are dropped and counted.
    event["additionalProperties"] = True
    event["description"] = "One attempt of one call: docs/reference/events.md."
    return {**found, "Event": event}
