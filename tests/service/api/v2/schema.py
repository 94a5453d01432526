"""What Alertmanager's definition of API v2 promises of answers, as JSON Schemas of our own."""

from __future__ import annotations

from typing import Any

import jsonschema

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_LABELS = {"type": "object", "additionalProperties": _TEXT}
_INSTANT = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"}


def _object(*, optional: tuple[str, ...] = (), **members: Any) -> dict[str, Any]:
    """All members are needed but the optional ones; there are no others."""
    return {
        "type": "object",
        "properties": members,
        "required": sorted(set(members) - set(optional)),
        "additionalProperties": False,
    }


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


def _one_of(*words: str) -> dict[str, Any]:
    return {"enum": list(words)}


RECEIVER = _object(name=_TEXT)

ALERT = _object(
    optional=("generatorURL",),
    annotations=_LABELS,
    endsAt=_INSTANT,
    fingerprint={"type": "string", "pattern": "^[0-9a-f]{16}$"},
    receivers=_list(RECEIVER),
    startsAt=_INSTANT,
    status=_object(
        state=_one_of("unprocessed", "active", "suppressed"), silencedBy=_TEXTS, inhibitedBy=_TEXTS, mutedBy=_TEXTS
    ),
    updatedAt=_INSTANT,
    generatorURL={"type": "string", "format": "uri"},
    labels=_LABELS,
)

SILENCE = _object(
    optional=("annotations",),
    id=_TEXT,
    status=_object(state=_one_of("expired", "active", "pending")),
    updatedAt=_INSTANT,
    annotations=_LABELS,
    comment=_TEXT,
    createdBy=_TEXT,
    endsAt=_INSTANT,
    startsAt=_INSTANT,
    matchers=_list(_object(name=_TEXT, value=_TEXT, isRegex={"type": "boolean"}, isEqual={"type": "boolean"}))
    | {"minItems": 1},
)

ALERTS = _list(ALERT)
GROUPS = _list(_object(alerts=_list(ALERT) | {"minItems": 1}, labels=_LABELS, receiver=RECEIVER, routeLabels=_LABELS))
RECEIVERS = _list(RECEIVER)
SILENCES = _list(SILENCE)
MADE = _object(silenceID=_TEXT)

STATUS = _object(
    cluster=_object(status=_one_of("ready", "settling", "disabled"), peers=_list(_object(name=_TEXT, address=_TEXT))),
    versionInfo=_object(version=_TEXT, revision=_TEXT, branch=_TEXT, buildUser=_TEXT, buildDate=_TEXT, goVersion=_TEXT),
    config=_object(original=_TEXT),
    uptime=_INSTANT,
)

REFUSED = _object(code={"type": "integer"}, message=_TEXT)
"""What the schema itself refuses; every other error is a string."""


def check(answer: Any, schema: dict[str, Any]) -> None:
    """Fail if an answer is not what the definition promises."""
    jsonschema.validate(answer, schema, format_checker=jsonschema.FormatChecker())
