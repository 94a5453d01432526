"""service/receivers/webhook.py: what arrives is what Alertmanager 0.34 would have sent."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from alerts.notification import Notification
from service.receivers import ReceiverConfigError, build
from service.receivers.base import DeliveryError, Reason, Receiver
from service.receivers.endpoint import Endpoint
from service.receivers.http import encode
from service.receivers.secret import Secret
from service.receivers.webhook import WebhookConfig, WebhookReceiver, idempotency_key, payload, signature
from tests.service.receivers.notifications import alert, notification, notifications, resolved, texts
from tests.support.pager import Pager, Reply
from tests.support.peers import require
from tests.support.repository import ROOT

SECRET = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"

_LABELS = {"type": "object", "additionalProperties": {"type": "string"}}
_TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$"}
_ALERT = {
    "status": {"enum": ["firing", "resolved"]},
    "labels": _LABELS,
    "annotations": _LABELS,
    "startsAt": _TIME,
    "endsAt": _TIME,
    "generatorURL": {"type": "string"},
    "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
}
_MESSAGE = {
    "version": {"const": "4"},
    "groupKey": {"type": "string"},
    "truncatedAlerts": {"type": "integer", "minimum": 0},
    "status": {"enum": ["firing", "resolved"]},
    "receiver": {"type": "string"},
    "groupLabels": _LABELS,
    "commonLabels": _LABELS,
    "commonAnnotations": _LABELS,
    "externalURL": {"type": "string"},
    "notification_reason": {"type": "string"},
    "routeLabels": _LABELS,
    "alerts": {
        "type": "array",
        "minItems": 1,
        "items": {"properties": _ALERT, "required": list(_ALERT), "additionalProperties": False},
    },
}
VERSION_4 = Draft202012Validator(
    {"type": "object", "properties": _MESSAGE, "required": list(_MESSAGE), "additionalProperties": False}
)


def webhook(pager: Pager, **settings: Any) -> Receiver:
    return build("webhook_configs", {"url": f"{pager.url}/hook", **settings}, where="test")


async def sent(pager: Pager, one: Notification, **settings: Any) -> Any:
    """What arrived when it was sent."""
    receiver = webhook(pager, **settings)
    try:
        await receiver.send(one)
    finally:
        await receiver.close()
    return pager.received[-1].json


async def test_a_page_arrives_as_version_4(pager: Pager) -> None:
    body = await sent(pager, notification())

    VERSION_4.validate(body)
    assert body == {
        "version": "4",
        "groupKey": '{}:{alertname="ClaudeErrorRate", app="checkout"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "oncall",
        "groupLabels": {"alertname": "ClaudeErrorRate", "app": "checkout"},
        "commonLabels": alert().labels,
        "commonAnnotations": body["alerts"][0]["annotations"],
        "externalURL": "https://claxon.example",
        "notification_reason": "first notification",
        "routeLabels": {},
        "alerts": [
            {
                "status": "firing",
                "labels": alert().labels,
                "annotations": {
                    "summary": "checkout: 9 of 61 Claude calls failed",
                    "measured": "9 of 61 calls failed in 5m (14.8 %)",
                    "errors": "overloaded_error (529) 7, api_error (500) 2",
                    "blame": "provider",
                    "advice": "The model is overloaded: shed load, fall back to another model, and wait.",
                    "request_ids": "req_011CSHoEeqs5C35K2UUqR7Fy req_011CSHoEeqs5C35K2UUqR7Fz",
                    "acknowledge": "https://claxon.example/alerts/3f6c0a1b2c3d4e5f/ack",
                    "rule_hash": "9d1c0b7e55aa",
                    "runbook_url": "https://wiki.example/claude",
                },
                "startsAt": "2026-11-23T03:04:05Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "https://claxon.example/alerts/3f6c0a1b2c3d4e5f",
                "fingerprint": "3f6c0a1b2c3d4e5f",
            }
        ],
    }


async def test_a_resolve_says_when_and_why(pager: Pager) -> None:
    body = await sent(pager, notification(resolved(ends_at=1_795_403_585.25)))

    VERSION_4.validate(body)
    assert (body["status"], body["alerts"][0]["status"]) == ("resolved", "resolved")
    assert body["alerts"][0]["endsAt"] == "2026-11-23T03:13:05.250Z"
    assert body["alerts"][0]["annotations"]["resolve_reason"] == "no call failed for 5 minutes"
    assert body["notification_reason"] == "all alerts resolved"


async def test_a_group_in_part_resolved_still_fires(pager: Pager) -> None:
    body = await sent(pager, notification(alert(), resolved()))

    assert body["status"] == "firing"
    assert [one["status"] for one in body["alerts"]] == ["firing", "resolved"]


async def test_the_first_max_alerts_are_kept_and_the_others_counted(pager: Pager) -> None:
    many = [alert(fingerprint=f"{n:016x}") for n in range(9)]

    body = await sent(pager, notification(*many, truncated_alerts=3), max_alerts=2)

    assert [one["fingerprint"] for one in body["alerts"]] == [f"{0:016x}", f"{1:016x}"]
    assert body["truncatedAlerts"] == 10


async def test_max_alerts_0_sends_all_ten_thousand(pager: Pager) -> None:
    body = await sent(pager, notification(*[alert()] * 10_000), max_alerts=0, timeout="60s")

    assert (len(body["alerts"]), body["truncatedAlerts"]) == (10_000, 0)


async def test_what_all_kept_alerts_share_is_common_and_nothing_else(pager: Pager) -> None:
    """As in Alertmanager, where bridges take the whole text of a message from `commonAnnotations`."""
    chat = alert(labels={**alert().labels, "app": "chat"}, summary="chat: 4 of 9 Claude calls failed")
    cut_off = alert(labels={"alertname": "Other"}, annotations={})

    body = await sent(pager, notification(alert(), chat, cut_off), max_alerts=2)

    assert body["commonLabels"] == {name: text for name, text in alert().labels.items() if name != "app"}
    assert body["commonAnnotations"]["blame"] == "provider"
    assert "summary" not in body["commonAnnotations"]


async def test_a_group_whose_burning_alert_is_left_out_still_fires(pager: Pager) -> None:
    """Alertmanager says that it is resolved, for it looks at the alerts that it kept."""
    body = await sent(pager, notification(resolved(), alert()), max_alerts=1)

    assert (body["status"], body["alerts"][0]["status"]) == ("firing", "resolved")


async def test_what_is_unusual_is_an_annotation_that_a_rule_cannot_hide(pager: Pager) -> None:
    taken = alert(acked_by="ada", muted_by="silence 7f3a by bob", annotations={"test": "no", "muted_by": "no"})

    body = await sent(pager, notification(taken, undelivered="pager: answered 401", test=True))

    VERSION_4.validate(body)
    told = {
        "acked_by": "ada",
        "muted_by": "silence 7f3a by bob",
        "undelivered": "pager: answered 401",
        "test": "fire drill: nothing is wrong",
    }
    assert told.items() <= body["alerts"][0]["annotations"].items()
    assert told.items() <= body["commonAnnotations"].items()


async def test_each_try_of_a_notification_carries_the_same_idempotency_key(pager: Pager) -> None:
    pager.answer_with(500, 200)
    one = notification()
    receiver = webhook(pager)

    with pytest.raises(DeliveryError):
        await receiver.send(one)
    await receiver.send(msgspec.json.decode(msgspec.json.encode(one), type=Notification))
    await receiver.close()

    first, second = (request.headers["idempotency-key"] for request in pager.received)
    assert first == second
    assert len(first) == 64


def test_other_notifications_of_an_episode_have_other_keys() -> None:
    one = notification()
    others = [
        notification(at=one.at + 14_400, reason="repeat interval elapsed"),
        notification(at=one.at + 28_800, reason="repeat interval elapsed"),
        notification(resolved()),
        notification(dedup_key="claxon/ClaudeErrorRate/3f6c0a1b2c3d4e5f/18"),
        notification(receiver="tickets"),
    ]

    assert len({idempotency_key(each) for each in [one, *others]}) == 6


async def test_the_beginning_and_the_end_carry_one_dedup_key(pager: Pager) -> None:
    await sent(pager, notification())
    await sent(pager, notification(resolved()))

    keys = {request.headers["x-claxon-dedup-key"] for request in pager.received}
    assert keys == {"claxon/ClaudeErrorRate/3f6c0a1b2c3d4e5f/17"}


@settings(deadline=None, max_examples=25)  # each example starts a server
@given(key=texts.map(lambda text: text[:255]))
def test_a_dedup_key_that_no_header_could_carry_comes_back_whole(key: str) -> None:
    with Pager() as pager:
        asyncio.run(sent(pager, notification(dedup_key=key)))

        carried = pager.received[0].headers["x-claxon-dedup-key"]
    assert unquote(carried) == key.encode("utf-8", "replace").decode()


# The signature


def documented(language: str) -> str:
    """The verifier in the documentation."""
    text = (ROOT / "docs/reference/receivers/webhook.md").read_text()
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)[0]


async def signed(pager: Pager, folder: Path) -> tuple[str, Path]:
    """The signature and the body of a page that was signed now."""
    await sent(pager, notification(alert(summary="größer 😀")), signing_secret=SECRET)
    (folder / "body").write_bytes(pager.received[0].body)
    return pager.received[0].headers["x-claxon-signature"], folder / "body"


async def test_nothing_is_signed_without_a_secret(pager: Pager) -> None:
    await sent(pager, notification())

    assert "x-claxon-signature" not in pager.received[0].headers


async def test_the_documented_python_verifier_takes_ours_and_nothing_else(pager: Pager, tmp_path: Path) -> None:
    header, file = await signed(pager, tmp_path)
    namespace: dict[str, Any] = {}
    exec(documented("python"), namespace)
    is_genuine, body = namespace["is_genuine"], file.read_bytes()

    assert is_genuine(header, body, SECRET)
    assert not is_genuine(header, body + b" ", SECRET)
    assert not is_genuine(header, body, SECRET.upper())
    assert not is_genuine(header.replace("t=1", "t=2"), body, SECRET)
    assert not is_genuine(signature(body, secret=SECRET, at=1_700_000_000), body, SECRET)


@pytest.mark.peer("node")
async def test_the_documented_node_verifier_takes_ours_and_nothing_else(pager: Pager, tmp_path: Path) -> None:
    header, file = await signed(pager, tmp_path)
    forged = header.replace("t=1", "t=2")
    old = signature(file.read_bytes(), secret=SECRET, at=1_700_000_000)
    script = (
        documented("js")
        + f"""
        const body = require("node:fs").readFileSync({str(file)!r});
        const other = Buffer.concat([body, Buffer.from(" ")]);
        console.log(JSON.stringify([
          isGenuine({header!r}, body, {SECRET!r}), isGenuine({header!r}, other, {SECRET!r}),
          isGenuine({header!r}, body, {SECRET.upper()!r}), isGenuine({forged!r}, body, {SECRET!r}),
          isGenuine({old!r}, body, {SECRET!r}),
        ]));"""
    )

    result = subprocess.run([require("node"), "-e", script], capture_output=True, text=True, check=True)

    assert result.stdout.strip() == "[true,false,false,false,false]"


async def test_each_try_is_signed_anew_over_the_same_body(pager: Pager) -> None:
    ticks = iter([1000.9, 2000.1])
    config = WebhookConfig(endpoint=Endpoint(url=Secret(pager.url)), signing_secret=Secret(SECRET))
    receiver = WebhookReceiver(config, now=lambda: next(ticks))

    for _ in range(2):
        await receiver.send(notification())
    await receiver.close()

    first, second = pager.received
    assert first.body == second.body
    assert first.headers["x-claxon-signature"] == signature(first.body, secret=SECRET, at=1000)
    assert second.headers["x-claxon-signature"] == signature(first.body, secret=SECRET, at=2000)


async def test_a_receiver_that_echoes_the_secret_is_not_quoted(pager: Pager, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    pager.answer_with(Reply(status=400, body=f"we expected {SECRET}"))
    mapping = {"url": pager.url, "signing_secret_file": "secret"}
    receiver = build("webhook_configs", mapping, where="test", folder=tmp_path)

    with pytest.raises(DeliveryError, match="we expected <secret>"):
        await receiver.send(notification())
    await receiver.close()


def test_a_secret_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(ReceiverConfigError, match="test: signing_secret: shorter than 16 characters: "):
        build("webhook_configs", {"url": "https://x.example", "signing_secret": "hunter2"}, where="test")


@pytest.mark.parametrize("scheme", ["Bearer", "Token", "GenieKey"])
async def test_any_scheme_of_authorization_is_sent_as_it_is(pager: Pager, scheme: str) -> None:
    authorization = {"type": scheme, "credentials": "t0ken"}

    await sent(pager, notification(), http_config={"authorization": authorization})

    assert pager.received[0].headers["authorization"] == f"{scheme} t0ken"


async def test_credentials_travel_in_the_header(pager: Pager) -> None:
    await sent(pager, notification(), http_config={"authorization": {"credentials": "t0ken"}})

    assert pager.received[0].headers["authorization"] == "Bearer t0ken"


async def test_a_refused_page_is_not_tried_again_here(pager: Pager) -> None:
    """Retries are decided in alerts/retries.py."""
    pager.answer_with(Reply(status=503, headers={"Retry-After": "9"}))
    receiver = webhook(pager)

    with pytest.raises(DeliveryError) as caught:
        await receiver.send(notification())
    await receiver.close()

    assert (caught.value.reason, caught.value.retry_after) == (Reason.SERVER, 9.0)
    assert len(pager.received) == 1


@settings(deadline=None)  # checking against a schema is slow, not what is checked
@given(one=notifications())
def test_whatever_alerts_hold_the_body_is_version_4(one: Notification) -> None:
    body = msgspec.json.decode(encode(payload(one)))

    VERSION_4.validate(body)
    assert len(idempotency_key(one)) == 64
