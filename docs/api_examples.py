"""One request to each operation of the API, as docs/reference/api.md shows it, sent to a real service."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alerts.config import KeyConfig
from docs.steady import Steady
from service.settings import hash_key
from service.storage.places import Place
from tests.support.pager import Pager
from tests.support.running import Running, until

KEYS = {scope: f"{scope}-key-{'0' * 32}" for scope in ("ingest", "read", "admin")}
NAMES = {"ingest": "shop", "read": "grafana", "admin": "ops"}
SECRET = "the-secret-of-the-subscription"

CONFIG = """\
route: {{receiver: on-call}}
receivers:
  - {{name: on-call, webhook_configs: [{{url: "{url}"}}]}}
  - name: pagerduty
    pagerduty_configs: [{{routing_key: 0123456789abcdef0123456789abcdef, webhook_secret: {secret}}}]
"""

DENIED = {"model": "claude-sonnet-5", "app": "shop", "status": 401, "error_type": "authentication_error", "request_id": "req_011CT"}
LINE = json.dumps({"model": "claude-sonnet-5", "app": "shop", "status": 200})
SPAN = {
    "name": "chat claude-sonnet-5",
    "kind": 3,
    "traceId": "5b8efff798038103d269b633813fc60c",
    "spanId": "eee19b7ec3c1b174",
    "attributes": [
        {"key": "gen_ai.provider.name", "value": {"stringValue": "anthropic"}},
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.request.model", "value": {"stringValue": "claude-sonnet-5"}},
    ],
}
SHOP = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
MATCHER = {"name": "app", "value": "shop", "isRegex": False}

State = dict[str, str]
Operation = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Example:
    """One request.

    Attributes:
        path: With its parameters, and with the names of what was learned before.
        body: As JSON; a function of the present instant where it has one.
        headers: Beside those that say who asks and what is sent.
        learn: What later requests need of the answer.
        depth: How deep the answer is shown.
    """

    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    learn: Callable[[Any], State] = lambda _: {}
    depth: int = 4


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What became of it; `path` and `body` as they were sent."""

    path: str
    body: Any
    headers: dict[str, str]
    status: int
    answer: Any
    kind: str


EXAMPLES: dict[Operation, Example] = {
    ("post", "/v1/events"): Example(path="/v1/events", body=[DENIED, {"app": "shop", "status": 200}], headers={"Idempotency-Key": "7d1c"}),
    ("post", "/v1/traces"): Example(
        path="/v1/traces", body={"resourceSpans": [{"resource": SHOP, "scopeSpans": [{"spans": [SPAN]}]}]}
    ),
    ("post", "/v1/logs"): Example(
        path="/v1/logs",
        body={"resourceLogs": [{"resource": SHOP, "scopeLogs": [{"logRecords": [{"body": {"stringValue": LINE}}]}]}]},
    ),
    ("post", "/loki/api/v1/push"): Example(
        path="/loki/api/v1/push",
        body=lambda now: {"streams": [{"stream": {"service_name": "shop"}, "values": [[str(int(now * 1e9)), LINE]]}]},
    ),
    ("post", "/api/v2/alerts"): Example(
        path="/api/v2/alerts",
        body=[{"labels": {"alertname": "DiskFull", "instance": "db-1"}, "annotations": {"summary": "db-1: 97 % full"}}],
    ),
    ("post", "/api/v2/webhook"): Example(
        path="/api/v2/webhook",
        body={"version": "4", "alerts": [{"status": "firing", "labels": {"alertname": "DiskFull", "instance": "db-2"}}]},
    ),
    ("get", "/v1/alerts"): Example(
        path="/v1/alerts", learn=lambda answer: {"fingerprint": _auth_error(answer)["alert"]["fingerprint"]}
    ),
    ("get", "/v1/alerts/{fingerprint}"): Example(path="/v1/alerts/{fingerprint}", depth=2),
    ("get", "/v1/events"): Example(path="/v1/events?app=shop&category=authentication&since=1h&limit=1"),
    ("get", "/v1/rejects"): Example(path="/v1/rejects?app=shop&limit=1"),
    ("get", "/v1/ledger"): Example(path="/v1/ledger?what=fired&limit=1"),
    ("get", "/v1/rules"): Example(path="/v1/rules"),
    ("get", "/v1/budgets"): Example(path="/v1/budgets"),
    ("get", "/v1/top"): Example(path="/v1/top?sort=rate&alerts=1&models=1"),
    ("get", "/v1/deliveries"): Example(path="/v1/deliveries?limit=1"),
    ("post", "/v1/alerts/{fingerprint}/ack"): Example(path="/v1/alerts/{fingerprint}/ack?by=Ada"),
    ("delete", "/v1/alerts/{fingerprint}/ack"): Example(path="/v1/alerts/{fingerprint}/ack?by=Ada"),
    ("post", "/v1/fire-drill"): Example(path="/v1/fire-drill", body={"receiver": "on-call", "wait_s": 20}),
    ("post", "/v1/pagerduty/{receiver}"): Example(
        path="/v1/pagerduty/pagerduty", body=lambda now: _acknowledged(now), headers={"X-PagerDuty-Signature": ""}
    ),
    ("post", "/v1/silences/preview"): Example(path="/v1/silences/preview", body={"matchers": ['app="shop"']}),
    ("post", "/api/v2/silences"): Example(
        path="/api/v2/silences",
        body=lambda now: {
            "matchers": [MATCHER],
            "startsAt": _rfc3339(now),
            "endsAt": _rfc3339(now + 7200),
            "createdBy": "Ada",
            "comment": "the key is being replaced",
        },
        learn=lambda answer: {"silence_id": answer["silenceID"]},
    ),
    ("get", "/api/v2/silences"): Example(path="/api/v2/silences?filter=app%3D%22shop%22"),
    ("get", "/api/v2/silence/{silence_id}"): Example(path="/api/v2/silence/{silence_id}"),
    ("delete", "/api/v2/silence/{silence_id}"): Example(path="/api/v2/silence/{silence_id}"),
    ("get", "/api/v2/alerts"): Example(path="/api/v2/alerts?filter=alertname%3D%22DiskFull%22"),
    ("get", "/api/v2/alerts/groups"): Example(path="/api/v2/alerts/groups?filter=alertname%3D%22DiskFull%22"),
    ("get", "/api/v2/receivers"): Example(path="/api/v2/receivers"),
    ("get", "/api/v2/status"): Example(path="/api/v2/status"),
    ("post", "/v1/keys"): Example(path="/v1/keys", body={"name": "cart", "app": "cart", "events_per_second": 100, "expires_in": "90d"}),
    ("post", "/v1/keys/{name}/rotate"): Example(path="/v1/keys/cart/rotate", body={"overlap": "1h"}),
    ("delete", "/v1/keys/{name}"): Example(path="/v1/keys/cart"),
    ("get", "/v1/keys"): Example(path="/v1/keys"),
    ("get", "/v1/audit"): Example(path="/v1/audit?what=key&limit=1"),
    ("post", "/-/reload"): Example(path="/-/reload"),
    ("get", "/-/healthy"): Example(path="/-/healthy"),
    ("get", "/-/ready"): Example(path="/-/ready"),
    ("get", "/-/elected"): Example(path="/-/elected"),
    ("get", "/metrics"): Example(path="/metrics"),
}
"""In the order in which they are sent: some need what was learned before."""


class Site:
    """A service with a key of each scope, a pager, and one alert that fires."""

    def __init__(self, folder: Path, pager: Pager, *, data: Place | None = None) -> None:
        keys = tuple(KeyConfig(name=NAMES[scope], scope=scope, sha256=hash_key(key)) for scope, key in KEYS.items())
        self.running = Running(folder, config=CONFIG.format(url=pager.url, secret=SECRET), keys=keys, data=data)
        self._pager = pager
        self.steady = Steady(time.time(), {self.running.url: "http://127.0.0.1:5290", pager.url: "https://pager.example.org"})

    @property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document."""
        found: dict[str, Any] = self.running.get("/openapi.json")
        return found

    def send(self, operation: Operation, example: Example, state: State) -> Seen:
        """Send one request with the key that it needs, and return what became of it."""
        method, template = operation
        path = example.path
        for name, value in state.items():
            path = path.replace("{" + name + "}", value)
        body = example.body(time.time()) if callable(example.body) else example.body
        sent = json.dumps(body).encode() if body is not None else None
        headers = dict(example.headers)
        if "X-PagerDuty-Signature" in headers:
            headers["X-PagerDuty-Signature"] = "v1=" + hmac.new(SECRET.encode(), sent or b"", hashlib.sha256).hexdigest()
        scope = self.scope_of(operation)
        said = {"Content-Type": "application/json"} if sent is not None else {}
        keyed = {"Authorization": f"Bearer {KEYS[scope]}"} if scope else {}
        status, answer, got = self.running.request(method.upper(), path, sent, headers | said | keyed)
        return Seen(path=path, body=body, headers=headers, status=status, answer=answer, kind=got.get("content-type", ""))

    def scope_of(self, operation: Operation) -> str:
        """Return the scope that an operation needs; "" is none."""
        method, template = operation
        needed = self.document["paths"][template][method].get("security", [])
        return next(iter(needed[0])) if needed else ""

    def settle(self) -> None:
        """Wait until the alert was told, its condition is over, for it was one event, and nothing is on its way."""
        self._pager.wait_for(1)
        read = {"Authorization": f"Bearer {KEYS['read']}"}

        def settled() -> bool:
            alerts = self.running.request("GET", "/v1/alerts", None, read)[1]
            rows = self.running.request("GET", "/v1/deliveries", None, read)[1]["deliveries"]
            kept = _auth_error(alerts)["alert"]["kept_at"]
            return kept is not None and all(row["state"] == "delivered" for row in rows)

        if not until(settled, 20):
            raise TimeoutError("the alert is not settled after 20 s")


def observe(site: Site) -> dict[Operation, Seen]:
    """Send every example, and return what became of each."""
    seen: dict[Operation, Seen] = {}
    state: State = {}
    for operation, example in EXAMPLES.items():
        if operation == ("get", "/v1/alerts"):
            site.settle()
        seen[operation] = site.send(operation, example, state)
        state |= example.learn(seen[operation].answer)
    return seen


def _auth_error(answer: Any) -> Any:
    return next(one for one in answer["alerts"] if one["alert"]["labels"]["alertname"] == "ClaudeAuthError")


def _acknowledged(now: float) -> dict[str, Any]:
    event = {"id": "01CH754SM17TWPE2V2H4VPBRO7", "event_type": "incident.acknowledged", "occurred_at": _rfc3339(now)}
    page = {"id": "PGR0VU2", "incident_key": "claxon/ClaudeAuthError/0123456789abcdef/1"}
    return {"event": event | {"agent": {"summary": "Ada"}, "data": page}}


def _rfc3339(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
