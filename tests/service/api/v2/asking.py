"""Short ways to ask API v2."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.running import Answer, Client


def at(seconds: float = 0.0) -> str:
    """Return the instant so many seconds from now."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


def alert(name: str, **more: Any) -> dict[str, Any]:
    """Return an alert with labels, and with the members of an alert that begin with a capital in `more`: EndsAt."""
    labels = {key: value for key, value in more.items() if not key[0].isupper()}
    members = {key[0].lower() + key[1:]: value for key, value in more.items() if key[0].isupper()}
    return {"labels": {"alertname": name} | labels} | members


def send(claxon: Client, path: str, body: Any, method: str = "POST", **headers: str) -> Answer:
    """Send whatever JSON can say, or bytes as they are."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return claxon.request(method, f"/api/v2/{path}", sent, {"Content-Type": "application/json"} | named)


def listed(claxon: Client, query: str = "") -> dict[str, Any]:
    """Return the alerts by alertname."""
    return {one["labels"]["alertname"]: one for one in claxon.get(f"/api/v2/alerts{query}")}


def silence(*matchers: str, **more: Any) -> dict[str, Any]:
    """Return a silence of an hour that matches name=value each."""
    pairs = [one.split("=") for one in matchers]
    return {
        "matchers": [{"name": name, "value": value, "isRegex": False} for name, value in pairs],
        "startsAt": at(),
        "endsAt": at(3600),
        "createdBy": "ada",
        "comment": "known",
    } | more
