"""Schemas of the OpenAPI document that are written by hand: of errors, and of bodies that say more than a type does.

≠ what follows from types (answer_types.py).
"""

from __future__ import annotations

from typing import Any

from ..watch.drill import MAX_WAIT_S, WAIT_S
from .previews import MAX_MATCHERS

STATUS = {
    "type": "object",
    "description": "google.rpc.Status.",
    "required": ["code", "message"],
    "properties": {
        "code": {"type": "integer", "description": "Of gRPC"},
        "message": {"type": "string", "description": "*Where: value: remedy*"},
    },
}
EXPORT = {
    "type": "object",
    "description": "OTLP's export response; empty where all was taken.",
    "properties": {
        "partialSuccess": {"type": "object", "description": "How many were refused, and why the first were"}
    },
}

PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `type` is about:blank: `status` says what it is, `detail` is *where: value: remedy*.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"const": "about:blank", "description": "There is one kind of problem: `status` says which"},
        "title": {"type": "string", "description": "HTTP's words for the status"},
        "status": {"type": "integer", "description": "The HTTP status"},
        "detail": {"type": "string", "description": "*Where: value: remedy*"},
        "accepted": {"const": 0, "description": "Of a body of which nothing was taken"},
        "rejected": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Refusal"},
            "description": "Of such a body: each event, and why",
        },
        "problems": {
            "type": "array",
            "items": {"type": "string"},
            "description": "Of a reload that was refused: all that is wrong",
        },
    },
}
V2_ERROR = {
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
REFUSAL = {
    "type": "object",
    "description": "Why one event was not taken.",
    "required": ["index", "error"],
    "properties": {
        "index": {"type": "integer", "description": "The place of the event in the body, from 0"},
        "error": {"type": "string", "description": "*Field: value: remedy*"},
    },
}
ACCEPTED = {
    "type": "object",
    "description": "What became of a body of events.",
    "required": ["accepted", "rejected"],
    "properties": {
        "accepted": {"type": "integer", "description": "How many events are durable"},
        "rejected": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Refusal"},
            "description": "The others, by their places",
        },
    },
}

FOUND = {
    "allOf": [{"$ref": "#/components/schemas/Event"}],
    "type": "object",
    "required": ["time", "category"],
    "properties": {"category": {"type": "string"}, "provisional": {"const": True}},
}
"""An event that was found."""

TEXT = {"type": "string"}
_INSTANT = {"type": "string", "format": "date-time"}
_LABELS = {"type": "object", "additionalProperties": TEXT}
_POSTED_ALERT = {
    "type": "object",
    "required": ["labels"],
    "properties": {
        "labels": _LABELS | {"minProperties": 1, "description": "At least one that is not empty"},
        "annotations": _LABELS | {"description": "For people"},
        "startsAt": _INSTANT | {"description": "Left out: now"},
        "endsAt": _INSTANT | {"description": "Left out: `resolve_timeout` after it was last posted"},
        "generatorURL": TEXT | {"description": "An http or https URL, or a path: where its cause is seen"},
    },
}
_MATCHER = {
    "type": "object",
    "required": ["name", "value"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "value": TEXT,
        "isRegex": {"type": "boolean"},
        "isEqual": {"type": "boolean"},
    },
}
BY_OPERATION: dict[tuple[str, str], dict[str, Any]] = {
    ("post", "/v1/fire-drill"): {
        "type": "object",
        "required": ["receiver"],
        "properties": {
            "receiver": TEXT | {"description": "Its name"},
            "wait_s": {
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": MAX_WAIT_S,
                "default": WAIT_S,
                "description": "How long each of the two messages may take",
            },
        },
    },
    ("post", "/v1/silences/preview"): {
        "type": "object",
        "required": ["matchers"],
        "properties": {
            "matchers": {
                "type": "array",
                "minItems": 1,
                "maxItems": MAX_MATCHERS,
                "items": {"anyOf": [TEXT, _MATCHER]},
                "description": 'Texts such as `app="chat"`, or as Alertmanager\'s API has them; all must match',
            }
        },
    },
    ("post", "/v1/pagerduty/{receiver}"): {"type": "object", "description": "A message of PagerDuty's webhooks v3."},
    ("post", "/api/v2/alerts"): {"type": "array", "items": _POSTED_ALERT},
    ("post", "/api/v2/silences"): {
        "type": "object",
        "required": ["matchers", "startsAt", "endsAt", "createdBy", "comment"],
        "properties": {
            "id": TEXT | {"description": "Of the one to change"},
            "matchers": {
                "type": "array",
                "minItems": 1,
                "maxItems": 100,
                "items": _MATCHER | {"required": ["name", "value", "isRegex"]},
                "description": "All must match",
            },
            "startsAt": _INSTANT | {"description": "The past is now"},
            "endsAt": _INSTANT | {"description": "At most `silences.max_duration` later"},
            "createdBy": TEXT | {"description": "Who makes it; not empty"},
            "comment": TEXT | {"description": "Why; not empty"},
        },
    },
    ("post", "/api/v2/webhook"): {
        "type": "object",
        "required": ["version", "alerts"],
        "properties": {
            "version": {"const": "4", "description": "Alertmanager's since 0.14"},
            "alerts": {
                "type": "array",
                "items": _POSTED_ALERT,
                "description": "Each also with a `status`, firing or resolved",
            },
        },
    },
}
"""What is posted, by operation."""
