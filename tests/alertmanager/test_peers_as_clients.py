"""Prometheus in front of Claxon, and an Alertmanager in front of it and behind it: the real ones, end to end."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.pager import Pager
from tests.support.peers import start_prometheus
from tests.support.running import Client, until

from .subjects import KINDS, Alertmanager, Claxon

pytestmark = [pytest.mark.peer("alertmanager"), pytest.mark.peer("prometheus")]

PAGING = """\
route: {{receiver: page, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: page
    webhook_configs: [{{url: "{url}"}}]
"""

PROMETHEUS = """\
global: {{evaluation_interval: 1s, external_labels: {{replica: one}}}}
rule_files: ["{folder}/*.rules.yml"]
alerting:
  alertmanagers: [{{static_configs: [{{targets: {hosts}}}]}}]
"""

RULES = """\
groups:
  - name: all
    rules:
      - alert: Always
        expr: vector(1)
        labels: {severity: page}
        annotations: {what: "the value is {{ $value }}"}
      - alert: Until
        expr: vector(time()) < %d
"""


def alerts_told(pager: Pager, status: str) -> dict[str, dict[str, Any]]:
    """Return the newest message's alert of that status, by alertname."""
    told = [alert for one in pager.received for alert in one.json["alerts"] if alert["status"] == status]
    return {alert["labels"]["alertname"]: alert for alert in told}


def test_prometheus_sends_its_alerts(tmp_path: Path) -> None:
    """One ends by itself, and Prometheus says so; the other's rule is taken out, and Prometheus falls silent.

    It sends to Claxon and to an Alertmanager at once, so the test itself is tried.
    """
    rules = tmp_path / "one.rules.yml"
    with ExitStack() as stack:
        pagers = {kind: stack.enter_context(Pager()) for kind in KINDS}
        hosts = []
        for (kind, new), folder in zip(KINDS.items(), _folders(tmp_path, *KINDS), strict=True):
            subject = stack.enter_context(new(folder, config=PAGING.format(url=pagers[kind].url)))
            hosts.append(subject.url.removeprefix("http://"))
        rules.write_text(RULES % (time.time() + 12))  # Prometheus takes 5 s to find whom to send to
        config = PROMETHEUS.format(folder=tmp_path, hosts=json.dumps(hosts))
        prometheus = stack.enter_context(start_prometheus(config, tmp_path, "--rules.alert.resend-delay=1s"))

        for pager in pagers.values():
            assert until(lambda p=pager: {"Always", "Until"} <= alerts_told(p, "firing").keys(), 20), pager.received
            page = alerts_told(pager, "firing")["Always"]
            assert page["labels"] == {"alertname": "Always", "severity": "page", "replica": "one"}
            assert page["annotations"]["what"] == "the value is 1"
            assert "/graph?g0.expr=vector" in page["generatorURL"]

        for pager in pagers.values():
            assert until(lambda p=pager: "Until" in alerts_told(p, "resolved"), 20), pager.received
            assert "Always" not in alerts_told(pager, "resolved"), "it still fires, and is posted again and again"

        rules.write_text("groups: []")
        os.kill(prometheus.pid, signal.SIGHUP)
        for pager in pagers.values():
            assert until(lambda p=pager: "Always" in alerts_told(p, "resolved"), 20), pager.received


def test_an_alertmanager_in_front_hands_its_notifications_on(tmp_path: Path) -> None:
    """Its webhook is posted to Claxon, which groups and routes the alerts as if it had been sent them."""
    front, here = _folders(tmp_path, "front", "here")
    with (
        Pager() as pager,
        Claxon(here, config=PAGING.format(url=pager.url)) as claxon,
        Alertmanager(front, config=PAGING.format(url=f"{claxon.url}/api/v2/webhook")) as alertmanager,
    ):
        post(alertmanager, ends_in=300, annotations={"what": "full"})
        assert until(lambda: "disk" in alerts_told(pager, "firing"), 15), claxon.log.read_text()
        assert alerts_told(pager, "firing")["disk"]["annotations"]["what"] == "full"
        assert [one["labels"] for one in claxon.get("/api/v2/alerts")] == [{"alertname": "disk", "app": "x"}]

        post(alertmanager, ends_in=0)
        assert until(lambda: "disk" in alerts_told(pager, "resolved"), 15), claxon.log.read_text()


def test_an_alertmanager_behind_lists_what_claxon_sends_and_resolves_it(tmp_path: Path) -> None:
    behind, here = _folders(tmp_path, "behind", "here")
    with Pager() as pager, Alertmanager(behind, config=PAGING.format(url=pager.url)) as alertmanager:
        config = PAGING.format(url=pager.url).replace(
            f'webhook_configs: [{{url: "{pager.url}"}}]', f'alertmanager_configs: [{{urls: ["{alertmanager.url}"]}}]'
        )
        with Claxon(here, config=config) as claxon:
            post(claxon, ends_in=300, annotations={"what": "full"})
            assert until(lambda: "disk" in alerts_told(pager, "firing"), 15), claxon.log.read_text()
            (listed,) = alertmanager.get("/api/v2/alerts")
            assert listed["labels"] == {"alertname": "disk", "app": "x"}
            assert listed["annotations"]["what"] == "full"

            post(claxon, ends_in=0)
            assert until(lambda: "disk" in alerts_told(pager, "resolved"), 15), claxon.log.read_text()
            assert alertmanager.get("/api/v2/alerts") == []


def post(subject: Client, *, ends_in: float, annotations: dict[str, str] | None = None) -> None:
    """Post one alert, which ends in so many seconds."""
    now = datetime.now(UTC)
    alert: dict[str, Any] = {
        "labels": {"alertname": "disk", "app": "x"},
        "annotations": annotations or {},
        "endsAt": (now + timedelta(seconds=ends_in)).isoformat(),
    }
    if ends_in:
        alert["startsAt"] = now.isoformat()
    answer = subject.request(
        "POST", "/api/v2/alerts", json.dumps([alert]).encode(), {"Content-Type": "application/json"}
    )
    assert answer[0] == 200, answer


def _folders(top: Path, *names: str) -> list[Path]:
    for name in names:
        (top / name).mkdir()
    return [top / name for name in names]
