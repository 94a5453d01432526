"""`claxon fire-drill` and POST /v1/fire-drill: a marked page and its end, through real receivers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from alerts.config import KeyConfig
from service.settings import hash_key
from tests.support.pager import HANG, Pager, Reply
from tests.support.running import Answer, Running, until
from tests.support.watching import two_receivers

ADMIN = "claxon_admin_0123456789abcdef"
READ = "claxon_read_0123456789abcdef"
KEYS = (
    KeyConfig(name="boss", scope="admin", sha256=hash_key(ADMIN)),
    KeyConfig(name="eye", scope="read", sha256=hash_key(READ)),
)


def ask(claxon: Running, receiver: str, *, key: str = "", wait_s: float = 5.0) -> Answer:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
    return claxon.request(
        "POST", "/v1/fire-drill", json.dumps({"receiver": receiver, "wait_s": wait_s}).encode(), headers
    )


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service", "fire-drill", *arguments], capture_output=True, text=True, check=False
    )


def statuses(pager: Pager) -> list[str]:
    return [one.json["status"] for one in pager.received]


def deliveries(claxon: Running) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = claxon.get("/v1/deliveries")["deliveries"]
    return found


def test_the_page_and_its_end_come_marked_and_with_one_key(tmp_path: Path) -> None:
    with Pager() as pager, Pager() as backup, Running(tmp_path, config=two_receivers(pager.url, backup.url)) as claxon:
        status, drill, _ = ask(claxon, "pager")

        assert (status, drill["receiver"], drill["direct"]) == (200, "pager", False)
        [one] = drill["integrations"]
        for leg in (one["trigger"], one["resolve"]):
            assert (leg["state"], leg["status"], leg["answer"]) == ("delivered", 200, "ok")
            assert 0 < leg["seconds"] < 2
        assert statuses(pager) == ["firing", "resolved"]
        for told in (one.json for one in pager.received):
            assert told["commonLabels"]["alertname"] == "ClaxonFireDrill"
            assert told["alerts"][0]["annotations"]["summary"].startswith("[FIRE DRILL]")
            assert "fire drill" in told["alerts"][0]["annotations"]["test"]
        assert drill["dedup_key"].startswith("claxon/fire-drill/pager/")
        assert backup.received == []


def test_two_drills_are_two_pages(tmp_path: Path) -> None:
    with Pager() as pager, Pager() as backup, Running(tmp_path, config=two_receivers(pager.url, backup.url)) as claxon:
        keys = {ask(claxon, "pager")[1]["dedup_key"] for _ in range(2)}

        assert len(keys) == 2


def test_nothing_else_is_told_of_a_drill_and_no_alert_fires(tmp_path: Path) -> None:
    with Pager() as pager, Pager() as backup, Running(tmp_path, config=two_receivers(pager.url, backup.url)) as claxon:
        ask(claxon, "pager")

        assert claxon.firing() == {}
        assert claxon.core(lambda: dict(claxon.service.core.notifier.state.firing)) == {}


def test_a_receiver_that_refuses_is_said_to_and_the_fallback_sees_a_drill_too(tmp_path: Path) -> None:
    with (
        Pager(Reply(status=401, body="no such key")) as pager,
        Pager() as backup,
        Running(tmp_path, config=two_receivers(pager.url, backup.url)) as claxon,
    ):
        _, drill, _ = ask(claxon, "pager")

        [one] = drill["integrations"]
        assert (one["trigger"]["state"], one["trigger"]["status"]) == ("failed", 401)
        assert "no such key" in one["trigger"]["answer"]
        assert one["resolve"]["state"] == "cancelled"
        assert statuses(pager) == ["firing"]
        told = backup.wait_for(2)
        assert [t.json["status"] for t in told] == ["firing", "resolved"]
        assert all("[FIRE DRILL]" in t.json["alerts"][0]["annotations"]["summary"] for t in told)


def test_one_that_does_not_answer_in_time_is_said_to_wait(tmp_path: Path) -> None:
    with (
        Pager(HANG) as pager,
        Pager() as backup,
        Running(tmp_path, config=two_receivers(pager.url, backup.url)) as claxon,
    ):
        status, drill, _ = ask(claxon, "pager", wait_s=1.0)

        assert status == 200
        [one] = drill["integrations"]
        assert (one["trigger"]["state"], one["resolve"]["state"]) == ("pending", "pending")
        assert all(row["state"] == "pending" for row in deliveries(claxon))


def test_an_integration_that_wants_no_ends_gets_none(tmp_path: Path) -> None:
    with Pager() as pager:
        text = (
            "route: {receiver: pager}\n"
            "receivers:\n"
            "  - name: pager\n"
            "    webhook_configs:\n"
            f"      - {{url: '{pager.url}/both'}}\n"
            f"      - {{url: '{pager.url}/no-ends', send_resolved: false}}\n"
        )
        with Running(tmp_path, config=text) as claxon:
            _, drill, _ = ask(claxon, "pager")

            states = {one["target"]: one["resolve"]["state"] for one in drill["integrations"]}
            assert states == {"pager/webhook/0": "delivered", "pager/webhook/1": "unwanted"}
            assert sorted(one.path for one in pager.received) == ["/both", "/both", "/no-ends"]


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b'{"receiver": "nobody"}', 404, "nobody: none with an integration has this name: backup, pager"),
        (b"{", 422, "body:"),
        (b'{"receiver": "pager", "wait_s": 1000}', 422, "wait_s: 1000: more than 0 and at most 120"),
        (b'{"receiver": "pager", "to": "x"}', 422, "body:"),
    ],
)
def test_what_cannot_be_drilled_is_said(tmp_path: Path, body: bytes, status: int, said: str) -> None:
    with Running(tmp_path, config=two_receivers("http://127.0.0.1:1", "http://127.0.0.1:1")) as claxon:
        got, answer, _ = claxon.request("POST", "/v1/fire-drill", body)

        assert got == status
        assert said in answer["detail"]
        assert deliveries(claxon) == []


def test_only_a_key_of_scope_admin_may_drill(tmp_path: Path) -> None:
    with (
        Pager() as pager,
        Pager() as backup,
        Running(tmp_path, config=two_receivers(pager.url, backup.url), keys=KEYS) as claxon,
    ):
        assert ask(claxon, "pager")[0] == 401
        assert ask(claxon, "pager", key=READ)[0] == 403
        assert pager.received == []
        assert ask(claxon, "pager", key=ADMIN)[0] == 200


# ── the command ───────────────────────────────────────────────────────────────


def test_the_command_asks_the_service_and_says_what_each_integration_said(tmp_path: Path) -> None:
    with (
        Pager(Reply(body="queued as 42")) as pager,
        Pager() as backup,
        Running(tmp_path, config=two_receivers(pager.url, backup.url), keys=KEYS) as claxon,
    ):
        done = command("pager", "--url", claxon.url, "--key", ADMIN)

    assert done.returncode == 0, done.stderr
    page, end, verdict = done.stdout.splitlines()
    assert page.split()[:3] == ["pager/webhook/0", "page", "taken"]
    assert page.endswith("200 queued as 42")
    assert end.split()[:3] == ["pager/webhook/0", "end", "taken"]
    assert verdict.startswith("ok: pager: claxon/fire-drill/pager/")


def test_the_command_ends_with_1_if_one_did_not_take_it(tmp_path: Path) -> None:
    with (
        Pager(403) as pager,
        Pager() as backup,
        Running(tmp_path, config=two_receivers(pager.url, backup.url)) as claxon,
    ):
        done = command("pager", "--url", claxon.url)

    assert done.returncode == 1
    assert "NOT TAKEN" in done.stdout
    assert "answered 403" in done.stdout
    assert "not sent: it began at backup/webhook/0, and ends there" in done.stdout
    assert "FAILED: pager" in done.stdout


def test_a_key_that_is_refused_is_said_and_nothing_is_bypassed(tmp_path: Path) -> None:
    with (
        Pager() as pager,
        Pager() as backup,
        Running(tmp_path, config=two_receivers(pager.url, backup.url), keys=KEYS) as claxon,
    ):
        done = command("pager", "--url", claxon.url, "--key", READ, "--config", str(tmp_path / "claxon.yml"))

        assert done.returncode == 2
        assert "403: key 'eye': its scope is read: this needs admin" in done.stderr
        assert pager.received == []


def test_without_a_service_it_is_sent_directly_and_that_is_said(tmp_path: Path) -> None:
    with Pager() as pager, Pager() as backup:
        (tmp_path / "claxon.yml").write_text(two_receivers(pager.url, backup.url))
        done = command("pager", "--url", "http://127.0.0.1:1", "--config", str(tmp_path / "claxon.yml"))

        assert done.returncode == 0, done.stderr
        assert "no service answers" in done.stdout
        assert "past the outbox" in done.stdout
        assert statuses(pager) == ["firing", "resolved"]
        assert until(lambda: len(pager.received) == 2, 1)


def test_without_a_service_an_end_goes_to_no_pair_that_refused_the_page(tmp_path: Path) -> None:
    key = "0123456789abcdef0123456789abcdef"
    with Pager(400) as pagerduty, Pager(500, 200) as webhook:
        (tmp_path / "claxon.yml").write_text(
            "route: {receiver: all}\n"
            "receivers:\n"
            "  - name: all\n"
            f"    pagerduty_configs: [{{routing_key: {key}, url: '{pagerduty.url}'}}]\n"
            f"    webhook_configs: [{{url: '{webhook.url}'}}]\n"
        )
        done = command("all", "--url", "http://127.0.0.1:1", "--config", str(tmp_path / "claxon.yml"))

        assert done.returncode == 1
        assert {one.json["event_action"] for one in pagerduty.received} == {"trigger"}
        assert statuses(webhook) == ["firing", "resolved"]
        assert key not in done.stdout + done.stderr


def test_without_a_service_and_a_file_there_is_nothing_to_send_with() -> None:
    done = command("pager", "--url", "http://127.0.0.1:1")

    assert done.returncode == 2
    assert "name its configuration by --config" in done.stderr


# ── every layout ──────────────────────────────────────────────────────────────


def test_every_kind_of_receiver_over_http_shows_the_mark(tmp_path: Path) -> None:
    key = "0123456789abcdef0123456789abcdef"
    with Pager(202) as pager, Pager(Reply(body="ok")) as chat, Pager(202) as opsgenie:
        text = (
            "route: {receiver: all}\n"
            "receivers:\n"
            "  - name: all\n"
            f"    pagerduty_configs: [{{routing_key: {key}, url: '{pager.url}'}}]\n"
            f"    slack_configs: [{{api_url: '{chat.url}/slack'}}]\n"
            f"    msteamsv2_configs: [{{webhook_url: '{chat.url}/teams'}}]\n"
            f"    webhook_configs: [{{url: '{chat.url}/webhook'}}]\n"
            f"    opsgenie_configs: [{{api_key: {key}, api_url: '{opsgenie.url}/'}}]\n"
        )
        with Running(tmp_path, config=text) as claxon:
            ask(claxon, "all", wait_s=10.0)

            for one in (pager, chat, opsgenie):
                assert until(lambda one=one: one.received, 5)  # type: ignore[misc]
            marked = [one for one in (*pager.received, *chat.received) if b"FIRE DRILL" in one.body]
            assert [one.path for one in (*pager.received, *chat.received)] == [one.path for one in marked]
            assert b"[FIRE DRILL]" in opsgenie.received[0].body
