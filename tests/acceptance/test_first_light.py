"""From an event to a page, with a real process, a real receiver, real SQLite, and kill -9."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.pager import Pager, Reply
from tests.support.running import Process, until

CONFIG = """
route: {{receiver: on-call}}
receivers:
  - name: on-call
    webhook_configs:
      - url: {url}/hook
"""


@pytest.fixture
def pager() -> Iterator[Pager]:
    with Pager() as receiver:
        yield receiver


def rejected_key(app: str, **more: Any) -> dict[str, Any]:
    return {
        "model": "claude-test",
        "app": app,
        "status": 401,
        "error_type": "authentication_error",
        "request_id": "req_011",
    } | more


def pages(pager: Pager, status: str, alertname: str) -> list[dict[str, Any]]:
    bodies = [received.json for received in pager.received]
    return [b for b in bodies if b["status"] == status and b["groupLabels"]["alertname"] == alertname]


def test_an_auth_error_pages_a_webhook_at_once_with_all_that_a_page_says(tmp_path: Path, pager: Pager) -> None:
    with Process(tmp_path, config=CONFIG.format(url=pager.url)) as claxon:
        claxon.post([rejected_key("shop", environment="prod")])

        assert until(lambda: pager.received, 5)
        page = pager.received[0].json
        assert (page["version"], page["status"], page["receiver"]) == ("4", "firing", "on-call")
        assert page["notification_reason"] == "first notification"
        alert = page["alerts"][0]
        assert alert["labels"] == {
            "alertname": "ClaudeAuthError",
            "app": "shop",
            "environment": "prod",
            "severity": "page",
        }
        told = alert["annotations"]
        assert told["summary"] == "shop (prod): the Claude API rejects the key"
        assert told["blame"] == "key"
        assert "Console" in told["advice"]
        assert told["request_ids"] == "req_011"
        assert told["errors"] == "authentication_error (401) × 1"
        assert told["acknowledge"].startswith(claxon.url)
        assert len(told["rule_hash"]) == 12
        assert alert["generatorURL"] == f"{claxon.url}/alerts/{alert['fingerprint']}"


def test_a_hundred_rejected_calls_of_one_app_are_one_page(tmp_path: Path, pager: Pager) -> None:
    with Process(tmp_path, config=CONFIG.format(url=pager.url)) as claxon:
        for _ in range(20):
            claxon.post([rejected_key("shop") for _ in range(5)])
        claxon.post([rejected_key("cart")])

        assert until(lambda: len(pager.received) == 2, 5)
        time.sleep(2.5)  # the error rate fires by now; its cause holds it back
        apps = [r.json["groupLabels"]["app"] for r in pager.received]
        assert apps == ["shop", "cart"]


def test_a_page_that_could_not_be_delivered_is_delivered_after_kill_9(tmp_path: Path, pager: Pager) -> None:
    pager.answer_with(*[Reply(status=503)] * 50)
    claxon = Process(tmp_path, config=CONFIG.format(url=pager.url))
    claxon.start()
    claxon.post([rejected_key("shop")])
    assert until(lambda: len(pager.received) >= 1, 5)
    claxon.kill()

    pager.answer_with(Reply(status=200))
    with claxon:
        assert until(lambda: len(pager.received) >= 2 and claxon.get("/v1/deliveries")["deliveries"][0]["ended_at"], 15)

        delivery = claxon.get("/v1/deliveries")["deliveries"]
        assert [row["state"] for row in delivery] == ["delivered"]
        keys = {r.headers["idempotency-key"] for r in pager.received}
        assert len(keys) == 1
        assert len(claxon.firing()) == 1


@pytest.mark.parametrize("delay_ms", [0, 1, 3, 10, 30, 100])
def test_an_acknowledged_event_survives_kill_9_and_its_page_is_delivered(
    tmp_path: Path, pager: Pager, delay_ms: int
) -> None:
    claxon = Process(tmp_path, config=CONFIG.format(url=pager.url))
    claxon.start()
    sent = 0
    for i in range(5):
        status, answer, _ = claxon.post([{"model": "m", "app": "bulk", "status": 200}] * 40)
        sent += answer["accepted"] if status == 202 else 0
        if i == 3:
            assert claxon.post([rejected_key("shop")])[0] == 202
    time.sleep(delay_ms / 1000)
    claxon.kill()

    with claxon:
        assert until(lambda: pages(pager, "firing", "ClaudeAuthError"), 10)
        found = claxon.request("GET", "/metrics")[1]
        assert f'claxon_attempts_total{{app="bulk",category="ok",environment="",model="m"}} {sent}.0' in found
        assert len({r.headers["idempotency-key"] for r in pager.received}) == 1


def test_a_restart_tells_nobody_twice_and_keeps_the_acknowledgement(tmp_path: Path, pager: Pager) -> None:
    claxon = Process(tmp_path, config=CONFIG.format(url=pager.url))
    claxon.start()
    claxon.post([rejected_key("shop")])
    assert until(lambda: len(pager.received) == 1, 5)
    fingerprint = pager.received[0].json["alerts"][0]["fingerprint"]
    claxon.request("POST", f"/v1/alerts/{fingerprint}/ack?by=ada")
    claxon.kill()

    with claxon:
        time.sleep(1.5)
        alert = claxon.firing()["ClaudeAuthError", "page"]["alert"]
        assert (alert["fingerprint"], alert["episode"], alert["acked_by"]) == (fingerprint, 1, "ada")
        assert len(pager.received) == 1


def test_single_429s_lone_500s_and_absorbed_errors_page_nobody(tmp_path: Path, pager: Pager) -> None:
    with Process(tmp_path, config=CONFIG.format(url=pager.url)) as claxon:
        fine = [{"model": "m", "app": "shop", "path": "/a", "status": 200}] * 100
        quiet = [
            {"model": "m", "app": "shop", "path": "/a", "status": 429, "final": True, "exhausted": False},
            {"model": "m", "app": "shop", "path": "/b", "status": 500, "final": True, "exhausted": False},
            {"model": "m", "app": "shop", "path": "/c", "status": 529, "attempt": 1, "max_attempts": 3, "call_id": "c"},
            {"model": "m", "app": "shop", "path": "/c", "status": 529, "attempt": 2, "max_attempts": 3, "call_id": "c"},
            {"model": "m", "app": "shop", "path": "/c", "status": 200, "attempt": 3, "max_attempts": 3, "call_id": "c"},
        ]
        assert claxon.post(fine + quiet)[0] == 202

        time.sleep(4)
        assert claxon.firing() == {}
        assert pager.received == []
        why = {row["what"] for row in claxon.get("/v1/ledger")["ledger"]}
        assert {"lone_429", "lone_500", "absorbed_by_retry"} <= why


def test_claxon_refuses_to_listen_beyond_this_machine_without_keys(tmp_path: Path) -> None:
    claxon = Process(tmp_path)
    claxon._command[claxon._command.index("--listen") + 1] = f"0.0.0.0:{claxon.port}"

    with pytest.raises(AssertionError, match="anybody who reaches it could read and post"):
        claxon.start()


def test_with_keys_only_their_holders_are_answered(tmp_path: Path) -> None:
    import os

    ingest, admin = "i" * 30, "a" * 30
    environment = os.environ | {"CLAXON_INGEST_KEY": ingest, "CLAXON_ADMIN_KEY": admin}
    with Process(tmp_path, environment=environment) as claxon:
        ok = {"model": "m"}

        def as_key(method: str, path: str, key: str) -> int:
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            return claxon.request(method, path, json.dumps(ok).encode() if method == "POST" else None, headers)[0]

        assert as_key("POST", "/v1/events", "") == 401
        assert as_key("POST", "/v1/events", "wrong" * 9) == 401
        assert as_key("POST", "/v1/events", ingest) == 202
        assert as_key("GET", "/v1/alerts", ingest) == 403
        assert as_key("GET", "/v1/alerts", admin) == 200
        assert as_key("GET", "/-/healthy", "") == 200
        assert ingest not in claxon.log.read_text()
