"""service/receivers/pagerduty.py: what arrives is an event of API v2 within its limits."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from alerts.notification import Notification
from service.receivers import ReceiverConfigError, build
from service.receivers.base import DeliveryError, Reason, Receiver
from service.receivers.headline import ordered
from service.receivers.http import encode
from service.receivers.pagerduty import VENDOR_URL, PagerDutyReceiver
from service.receivers.pagerduty_event import bare, event
from service.receivers.text import brief, width
from tests.service.receivers.notifications import (
    ACK_URL,
    PAGE_URL,
    alert,
    notification,
    notifications,
    resolved,
)
from tests.support.pager import Pager, Reply

KEY = "R0123456789ABCDEFGHIJKLMNOPQRSTU"
TAKEN = Reply(status=202, body='{"status":"success","message":"Event processed","dedup_key":"k"}')
INVALID = Reply(status=400, body='{"status":"invalid event","message":"…","errors":["\'links\' is bad"]}')

_NAME = {"type": "string", "minLength": 1, "maxLength": 255}
_PAYLOAD = {
    "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
    "source": _NAME,
    "severity": {"enum": ["critical", "error", "warning", "info"]},
    "timestamp": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"},
    "component": _NAME,
    "group": _NAME,
    "class": _NAME,
    "custom_details": {"type": "object"},
}
_EVENT = {
    "routing_key": _NAME,
    "event_action": {"enum": ["trigger", "resolve"]},
    "dedup_key": _NAME,
    "client": {"type": "string"},
    "client_url": {"type": "string"},
    "links": {
        "type": "array",
        "items": {
            "properties": {"href": {"type": "string", "minLength": 1}, "text": {"type": "string"}},
            "required": ["href", "text"],
            "additionalProperties": False,
        },
    },
    "payload": {
        "type": "object",
        "properties": _PAYLOAD,
        "required": ["summary", "source", "severity"],
        "additionalProperties": False,
    },
}
EVENTS_V2 = Draft202012Validator(
    {
        "type": "object",
        "properties": _EVENT,
        "required": ["routing_key", "event_action", "dedup_key", "payload"],
        "additionalProperties": False,
    }
)


def pagerduty(pager: Pager, **settings: Any) -> Receiver:
    mapping = {"url": f"{pager.url}/v2/enqueue", "routing_key": KEY, **settings}
    return build("pagerduty_configs", mapping, where="test")


async def sent(pager: Pager, one: Notification, **settings: Any) -> Any:
    """What arrived when it was sent."""
    receiver = pagerduty(pager, **settings)
    try:
        await receiver.send(one)
    finally:
        await receiver.close()
    return pager.received[-1].json


@pytest.fixture(autouse=True)
def _accepting(pager: Pager) -> None:
    pager.answer_with(TAKEN)


async def test_a_page_arrives_as_one_trigger(pager: Pager) -> None:
    body = await sent(pager, notification())

    EVENTS_V2.validate(body)
    details = body["payload"].pop("custom_details")
    assert body == {
        "routing_key": KEY,
        "event_action": "trigger",
        "dedup_key": "claxon/ClaudeErrorRate/3f6c0a1b2c3d4e5f/17",
        "client": "Claxon",
        "client_url": PAGE_URL,
        "links": [
            {"href": PAGE_URL, "text": "Alert and evidence"},
            {"href": ACK_URL, "text": "Acknowledge in Claxon"},
            {"href": "https://wiki.example/claude", "text": "Runbook"},
        ],
        "payload": {
            "summary": "checkout: 9 of 61 Claude calls failed",
            "source": "checkout/prod",
            "severity": "critical",
            "timestamp": "2026-11-23T03:04:05Z",
            "component": "claude-sonnet-4-5",
            "group": "checkout",
            "class": "overloaded_error",
        },
    }
    assert details["measured"] == "9 of 61 calls failed in 5m (14.8 %)"
    assert details["errors"] == "overloaded_error (529) 7, api_error (500) 2"
    assert details["blame"] == "provider"
    assert details["advice"].startswith("The model is overloaded")
    assert details["request_ids"] == ["req_011CSHoEeqs5C35K2UUqR7Fy", "req_011CSHoEeqs5C35K2UUqR7Fz"]
    assert details["since"] == "2026-11-23T03:01:53Z"
    assert details["rule_hash"] == "9d1c0b7e55aa"
    assert details["reason"] == "first notification"


async def test_a_resolve_closes_the_same_dedup_key_and_says_why(pager: Pager) -> None:
    trigger = await sent(pager, notification())
    resolve = await sent(pager, notification(resolved()))

    EVENTS_V2.validate(resolve)
    assert resolve["event_action"] == "resolve"
    assert resolve["dedup_key"] == trigger["dedup_key"]
    assert resolve["payload"]["custom_details"]["resolve_reason"] == "no call failed for 5 minutes"


async def test_a_group_is_one_event_named_after_its_gravest_alert(pager: Pager) -> None:
    ticket = alert(labels={"severity": "ticket", "app": "chat"}, summary="chat: slow")
    ended = resolved(summary="search: over")

    body = await sent(pager, notification(ended, ticket, alert(), truncated_alerts=4))

    EVENTS_V2.validate(body)
    assert len(pager.received) == 1
    assert body["event_action"] == "trigger"
    assert body["payload"]["summary"] == "checkout: 9 of 61 Claude calls failed (and 6 more)"
    details = body["payload"]["custom_details"]
    assert [other["summary"] for other in details["other_alerts"]] == ["chat: slow", "search: over"]
    assert details["alerts_left_out"] == "4: see https://claxon.example"


async def test_a_group_of_ten_thousand_is_one_event_that_says_where_the_others_are(pager: Pager) -> None:
    body = await sent(pager, notification(*[alert()] * 10_000))

    EVENTS_V2.validate(body)
    assert body["payload"]["summary"] == "checkout: 9 of 61 Claude calls failed (and 9,999 more)"
    details = body["payload"]["custom_details"]
    assert body["links"][-1] == {"href": "https://claxon.example", "text": "All alerts in Claxon"}
    left = 9_999 - len(details["other_alerts"])
    assert details["alerts_left_out"] == f"{left:,}: see https://claxon.example"


async def test_what_is_unusual_stands_first(pager: Pager) -> None:
    one = alert(acked_by="pat")
    drill = await sent(pager, notification(test=True))
    missed = await sent(pager, notification(one, undelivered="mail: timed out", reason="repeat interval elapsed"))
    plain = await sent(pager, notification())

    assert drill["payload"]["summary"] == "FIRE DRILL, nothing is wrong: checkout: 9 of 61 Claude calls failed"
    assert missed["payload"]["summary"].startswith("PAGE, still firing after 0s, not delivered to mail: checkout")
    details = missed["payload"]["custom_details"]
    assert next(iter(details)) == "read_first"
    assert details["read_first"] == [
        "Not delivered where it should have been: mail: timed out",
        "Still firing, after 0s.",
    ]
    assert details["state"] == "acknowledged by pat"
    assert [link["text"] for link in missed["links"]] == ["Alert and evidence", "Runbook"]
    assert "read_first" not in plain["payload"]["custom_details"]


@pytest.mark.parametrize(
    ("label", "severity"),
    [
        ("page", "critical"),
        ("error", "error"),
        ("ticket", "warning"),
        ("critical", "critical"),
        ("warning", "warning"),
        ("info", "info"),
        ("", "error"),
        ("sev1", "error"),
    ],
)
async def test_the_label_decides_the_severity(pager: Pager, label: str, severity: str) -> None:
    body = await sent(pager, notification(alert(labels={"severity": label})))

    assert body["payload"]["severity"] == severity


async def test_the_configuration_may_decide_severity_and_client(pager: Pager) -> None:
    body = await sent(pager, notification(), severity="info", client="Pat", client_url="https://pat.example")

    assert body["payload"]["severity"] == "info"
    assert (body["client"], body["client_url"]) == ("Pat", "https://pat.example")


async def test_a_202_is_a_yes_and_a_200_from_something_else_is_not(pager: Pager) -> None:
    """A proxy's login page is a 200 too."""
    pager.answer_with(TAKEN, Reply(status=200, body="<html>Please log in"))
    receiver = pagerduty(pager)

    assert (await receiver.send(notification())).status == 202
    with pytest.raises(DeliveryError, match="PagerDuty answers 202"):
        await receiver.send(notification())
    await receiver.close()


async def test_an_event_refused_as_invalid_goes_out_again_with_the_bare_minimum(pager: Pager) -> None:
    """A page that is ugly is better than none."""
    pager.answer_with(INVALID, TAKEN)

    body = await sent(pager, notification())

    EVENTS_V2.validate(body)
    assert len(pager.received) == 2
    assert set(body) == {"routing_key", "event_action", "dedup_key", "payload"}
    assert body["payload"]["summary"] == "checkout: 9 of 61 Claude calls failed"
    assert body["payload"]["custom_details"] == {
        "alert": PAGE_URL,
        "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy",
    }


async def test_an_event_refused_twice_is_a_permanent_failure(pager: Pager) -> None:
    pager.answer_with(INVALID)
    receiver = pagerduty(pager)

    with pytest.raises(DeliveryError) as caught:
        await receiver.send(notification())
    await receiver.close()

    assert (caught.value.reason, caught.value.status) == (Reason.CLIENT, 400)
    assert "'links' is bad" in str(caught.value)
    assert len(pager.received) == 2


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
async def test_other_refusals_are_not_repeated(pager: Pager, status: int) -> None:
    pager.answer_with(status)
    receiver = pagerduty(pager)

    with pytest.raises(DeliveryError):
        await receiver.send(notification())
    await receiver.close()

    assert len(pager.received) == 1


async def test_the_routing_key_appears_in_no_text(pager: Pager, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    pager.answer_with(Reply(status=400, body=f"Invalid routing key {KEY}"))
    receiver = pagerduty(pager)

    with pytest.raises(DeliveryError) as caught:
        await receiver.send(notification())
    await receiver.close()

    assert "Invalid routing key <secret>" in str(caught.value)
    shown = f"{caught.value!r} {caught.value} {receiver!r} {vars(receiver)!r} {caplog.text}"
    assert KEY not in shown


def test_without_a_url_it_goes_to_the_vendor() -> None:
    receiver = build("pagerduty_configs", {"routing_key": KEY}, where="test")

    assert receiver._config.endpoint.url.reveal() == VENDOR_URL  # type: ignore[attr-defined]


@settings(deadline=None)  # checking against a schema is slow, not what is checked
@given(one=notifications())
def test_whatever_alerts_hold_the_event_keeps_the_limits_a_request_id_and_the_link(one: Notification) -> None:
    whole = event(one, severity="", client="Claxon", client_url="")

    for each in (whole, bare(whole)):
        body = msgspec.json.decode(encode({"routing_key": KEY, **each}))
        EVENTS_V2.validate(body)
        assert len(encode(body)) <= 512_000
        assert width(body["dedup_key"]) <= 255
        assert width(body["payload"]["summary"]) <= 1024
    first = ordered(one)[0]
    if first.url:
        assert body["payload"]["custom_details"]["alert"] == first.url
        assert whole["links"][0]["href"] == first.url
    if any(brief(text, 200) for text in first.request_ids):
        assert whole["payload"]["custom_details"]["request_ids"]


def test_the_largest_alerts_still_leave_the_id_and_the_links() -> None:
    huge = {f"label{n}": "😀" * 20_000 for n in range(100)}
    one = notification(*[alert(labels=huge, annotations=huge, errors="x" * 10**6, advice="ä" * 10**6)] * 500)

    body = event(one, severity="", client="Claxon", client_url="")

    assert len(encode(body)) <= 511_000
    assert body["payload"]["custom_details"]["request_ids"][0] == "req_011CSHoEeqs5C35K2UUqR7Fy"
    assert body["links"][0]["href"] == PAGE_URL
    assert int(body["payload"]["custom_details"]["alerts_left_out"].partition(":")[0]) >= 400


def test_long_dedup_keys_that_differ_at_the_end_stay_different() -> None:
    keys = {
        event(notification(dedup_key="k" * 300 + end), severity="", client="", client_url="")["dedup_key"]
        for end in "abc"
    }

    assert len(keys) == 3
    assert all(len(key) <= 255 for key in keys)


@pytest.mark.parametrize("old", ["service_key", "service_key_file"])
def test_the_old_key_is_refused_with_what_to_do(old: str) -> None:
    with pytest.raises(ReceiverConfigError) as caught:
        build("pagerduty_configs", {"routing_key": KEY, old: "s3cr3t"}, where="test")

    assert "Events API v2" in str(caught.value)
    assert "s3cr3t" not in str(caught.value)


def test_the_secret_of_its_webhooks_is_kept_for_whoever_takes_them(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hook-s3cr3t\n")
    mapping = {"routing_key": KEY, "webhook_secret_file": "secret"}

    receiver = build("pagerduty_configs", mapping, where="test", folder=tmp_path)

    assert isinstance(receiver, PagerDutyReceiver)
    assert receiver.webhook_secret is not None
    assert receiver.webhook_secret.reveal() == "hook-s3cr3t"
    assert "hook-s3cr3t" not in repr(vars(receiver))
