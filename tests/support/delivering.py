"""A configuration with receivers, a failure to tell them of, and what they and the outbox then say."""

from __future__ import annotations

from typing import Any

from alerts.default_rules import AUTH_ERROR
from alerts.rules import Rule
from tests.support.pager import Pager
from tests.support.running import Running

REJECTED = {"model": "m", "app": "shop", "status": 401, "request_id": "req_1"}
FINE = {"model": "m", "app": "shop", "status": 200}

# As the default rule, but it closes 1 s after recovery.
QUICK = Rule(
    alert=AUTH_ERROR.alert,
    condition=AUTH_ERROR.condition,
    match=AUTH_ERROR.match,
    keep_firing_for_s=1,
    labels=AUTH_ERROR.labels,
)

TWO = """
route: {{receiver: pager}}
receivers:
  - {{name: pager, webhook_configs: [{{url: '{first}'}}]}}
  - {{name: backup, webhook_configs: [{{url: '{second}'}}]}}
"""


def apps_told(pager: Pager) -> set[str]:
    """Return the apps that a receiver was told of, alone or in a storm's message; Claxon's own alerts have none."""
    alerts = [alert for received in pager.received for alert in received.json["alerts"]]
    return {alert["labels"]["app"] for alert in alerts if "app" in alert["labels"]}


def config(*urls: str, more: str = "") -> str:
    """Return a configuration that tells each of these webhooks, r0, r1, ..., of everything."""
    routes = "".join(f"\n    - {{receiver: r{i}, continue: true}}" for i in range(len(urls)))
    receivers = "".join(
        f"\n  - {{name: r{i}, webhook_configs: [{{url: '{url}'{more}}}]}}" for i, url in enumerate(urls)
    )
    return f"route:\n  receiver: r0\n  routes:{routes}\nreceivers:{receivers}\n"


def deliveries(claxon: Running) -> list[dict[str, Any]]:
    """Return the rows of the outbox, the newest first."""
    found: list[dict[str, Any]] = claxon.get("/v1/deliveries")["deliveries"]
    return found


def statuses(pager: Pager) -> list[str]:
    """Return what a receiver was told, in order: firing, resolved."""
    return [received.json["status"] for received in pager.received]
