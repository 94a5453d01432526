"""service/receivers/webhook.py: what arrives is what Alertmanager 0.34 would have sent."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from alerts.notification import Notification
from service.receivers import build
from service.receivers.base import DeliveryError, Reason, Receiver
from service.receivers.http import encode
from service.receivers.webhook import idempotency_key, payload
from tests.service.receivers.notifications import alert, notification, notifications, resolved
from tests.support.pager import Pager, Reply

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
        "commonLabels": {"alertname": "ClaudeErrorRate", "app": "checkout", "severity": "page"},
        "commonAnnotations": {"runbook_url": "https://wiki.example/claude"},
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


async def test_more_than_max_alerts_are_counted(pager: Pager) -> None:
    body = await sent(pager, notification(*[alert()] * 9, truncated_alerts=3), max_alerts=2)

    assert (len(body["alerts"]), body["truncatedAlerts"]) == (2, 10)


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
