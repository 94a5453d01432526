"""service/receivers/alertmanager.py: all of a list are told, as Prometheus tells them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from alerts.notification import AlertMessage, Notification
from service.receivers import ReceiverConfigError, build
from service.receivers.alertmanager import AlertmanagerConfig, AlertmanagerReceiver
from service.receivers.alertmanager_alerts import MAX_KNOWN, Posted, Told, in_order
from service.receivers.base import DeliveryError, Rate, Reason
from service.receivers.endpoint import Endpoint
from service.receivers.http import encode
from service.receivers.secret import Secret
from tests.service.receivers.notifications import FIRED_AT, PAGE_URL, alert, notification, notifications, resolved
from tests.support.pager import HANG, RESET, Pager, Reply

NOW = FIRED_AT + 7_200  # delivery was late; what is reckoned from when it was decided would be over
_LABELS = {"type": "object", "additionalProperties": {"type": "string"}}
_TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
ALERTS = Draft202012Validator({
    "type": "array",
    "minItems": 1,
    "maxItems": 64,
    "items": {
        "properties": {
            "labels": {**_LABELS, "additionalProperties": {"type": "string", "minLength": 1}},
            "annotations": _LABELS,
            "startsAt": _TIME,
            "endsAt": _TIME,
            "generatorURL": {"type": "string", "minLength": 1},
        },
        "required": ["labels", "startsAt", "endsAt"],
        "additionalProperties": False,
    },
})  # fmt: skip


@pytest.fixture
def other() -> Iterator[Pager]:
    with Pager() as running:
        yield running


def alertmanagers(*pagers: Pager, resend_s: float = 60.0) -> AlertmanagerReceiver:
    endpoints = tuple(Endpoint(url=Secret(f"{one.url}/am/"), public=True, timeout=2.0) for one in pagers)
    return AlertmanagerReceiver(AlertmanagerConfig(endpoints=endpoints, resend_s=resend_s), now=lambda: NOW)


def posted(pager: Pager) -> list[Any]:
    """Every alert that a pager got, in order."""
    for request in pager.received:
        assert request.path == "/am/api/v2/alerts"
        ALERTS.validate(request.json)
    return [one for request in pager.received for one in request.json]


def numbered(count: int) -> list[AlertMessage]:
    return [alert(labels={"alertname": "X", "n": str(n)}, fingerprint=f"{n:016x}") for n in range(count)]


async def test_a_page_is_posted_to_all_and_ends_there_after_four_intervals(pager: Pager, other: Pager) -> None:
    receiver = alertmanagers(pager, other)

    answer = await receiver.send(notification())
    await receiver.close()

    assert answer.text == "1 alert to 2"
    assert posted(pager) == posted(other)
    (one,) = posted(pager)
    assert one["labels"] == alert().labels
    assert one["annotations"]["summary"] == "checkout: 9 of 61 Claude calls failed"
    assert one["annotations"]["runbook_url"] == "https://wiki.example/claude"
    assert (one["startsAt"], one["endsAt"]) == ("2026-11-23T03:04:05Z", "2026-11-23T05:08:05Z")
    assert one["generatorURL"] == PAGE_URL


async def test_the_end_is_that_of_the_alert(pager: Pager) -> None:
    receiver = alertmanagers(pager)

    await receiver.send(notification(resolved()))
    await receiver.close()

    (one,) = posted(pager)
    assert (one["startsAt"], one["endsAt"]) == ("2026-11-23T03:04:05Z", "2026-11-23T03:13:05Z")


async def test_ten_thousand_alerts_go_out_64_at_a_time(pager: Pager) -> None:
    receiver = alertmanagers(pager)

    answer = await receiver.send(notification(*numbered(10_000)))
    await receiver.close()

    assert answer.text == "10000 alerts to 1"
    assert [len(request.json) for request in pager.received] == [64] * 156 + [16]
    assert {one["labels"]["n"] for one in posted(pager)} == {str(n) for n in range(10_000)}


async def test_what_stands_of_many_notifications_is_told_again_in_few_requests(pager: Pager) -> None:
    receiver = alertmanagers(pager)

    await receiver.resend([notification(one) for one in numbered(100)])
    await receiver.close()

    assert [len(request.json) for request in pager.received] == [64, 36]


@pytest.mark.parametrize("fault", [503, 429, HANG, RESET])
async def test_one_that_fails_leaves_the_others_told_and_is_worth_another_try(
    pager: Pager, other: Pager, fault: Reply | int
) -> None:
    pager.answer_with(fault)
    receiver = alertmanagers(pager, other)

    with pytest.raises(DeliveryError, match=r"^alertmanager: 1 of 2 did not take it: http://127") as caught:
        await receiver.send(notification())
    pager.answer_with(200)
    await receiver.send(notification())
    await receiver.close()

    assert caught.value.retryable
    assert len(posted(other)) == 2


async def test_a_failure_that_may_pass_decides_over_one_that_will_not(pager: Pager, other: Pager) -> None:
    pager.answer_with(404)
    other.answer_with(Reply(status=503, headers={"Retry-After": "9"}))
    receiver = alertmanagers(pager, other)

    with pytest.raises(DeliveryError) as caught:
        await receiver.send(notification())
    await receiver.close()

    assert (caught.value.reason, caught.value.retry_after, caught.value.status) == (Reason.SERVER, 9.0, 503)
    assert "2 of 2" in str(caught.value)
    assert f"{pager.url}: answered 404" in str(caught.value)
    assert f"{other.url}: answered 503" in str(caught.value)


async def test_invalid_alerts_are_named_and_the_rest_is_still_posted(pager: Pager) -> None:
    """A 400 is for some alerts of a request; Alertmanager has taken its others."""
    pager.answer_with(Reply(status=400, body='"invalid label set: invalid name \\"a-b\\""'), 200)
    receiver = alertmanagers(pager)

    with pytest.raises(DeliveryError) as caught:
        await receiver.send(notification(*numbered(130)))
    await receiver.close()

    assert (caught.value.reason, caught.value.retryable) == (Reason.CLIENT, False)
    assert 'invalid name \\"a-b\\"' in str(caught.value)
    assert len(posted(pager)) == 130


async def test_an_old_end_does_not_end_an_alert_that_fires_anew(pager: Pager) -> None:
    """Over there an alert is its labels: an old episode would take the place of the new one."""
    receiver = alertmanagers(pager)
    old, new = notification(resolved()), notification(alert(starts_at=FIRED_AT + 600, episode=18), at=FIRED_AT + 601)

    await receiver.send(new)
    answer = await receiver.send(old)
    await receiver.resend([new, old])
    await receiver.close()

    assert answer.text == "nothing to tell: each alert has fired anew since, and that was told"
    assert [one["startsAt"] for one in posted(pager)] == ["2026-11-23T03:14:05Z"] * 2


async def test_two_episodes_that_are_told_at_once_are_told_in_order(pager: Pager) -> None:
    """So that the other side sees the end of the first."""
    receiver = alertmanagers(pager)
    new = alert(starts_at=FIRED_AT + 600, episode=18)

    await receiver.send(notification(new, resolved()))
    await receiver.close()

    assert [one["startsAt"] for one in posted(pager)] == ["2026-11-23T03:04:05Z", "2026-11-23T03:14:05Z"]


async def test_an_episode_that_was_not_taken_is_not_remembered(pager: Pager) -> None:
    pager.answer_with(500, 200)
    receiver = alertmanagers(pager)
    both = notification(resolved(), alert(starts_at=FIRED_AT + 600, episode=18))

    with pytest.raises(DeliveryError):
        await receiver.send(both)
    await receiver.send(both)
    await receiver.close()

    assert len(pager.received[1].json) == 2


def test_an_alert_that_was_told_twice_is_posted_as_it_was_told_last() -> None:
    first, last = notification(), notification(resolved(), at=FIRED_AT + 541)

    (one,) = in_order([last, first])

    assert one.message.ends_at == FIRED_AT + 540


def test_of_very_many_alerts_those_told_longest_ago_are_forgotten() -> None:
    told = Told()
    many = in_order([notification(*numbered(MAX_KNOWN + 1))])
    older = [Posted(alert(labels=dict(one.name), starts_at=0.0), one.notification) for one in (many[0], many[-1])]

    told.note(many)

    assert told.newer(older) == older[:1]


async def test_what_is_unusual_is_an_annotation_and_an_empty_label_is_none(pager: Pager) -> None:
    receiver = alertmanagers(pager)

    one = alert(labels={"alertname": "X", "app": ""}, url="", acked_by="ada", muted_by="silence 7f3a")
    await receiver.send(notification(one, undelivered="pager: answered 401", test=True))
    await receiver.close()

    (body,) = posted(pager)
    assert body["labels"] == {"alertname": "X"}
    assert "generatorURL" not in body
    unusual = {name: body["annotations"][name] for name in ("acked_by", "muted_by", "undelivered", "test")}
    assert unusual == {
        "acked_by": "ada",
        "muted_by": "silence 7f3a",
        "undelivered": "pager: answered 401",
        "test": "fire drill: nothing is wrong",
    }


def test_nothing_ends_before_it_began_although_the_clock_was_set_back() -> None:
    (one,) = in_order([notification()])

    assert one.body(FIRED_AT - 3600)["endsAt"] == one.body(0.0)["startsAt"]


async def test_passwords_appear_in_no_text_and_addresses_do(pager: Pager, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    pager.answer_with(Reply(status=403, body="no s3cr3t for /am/api/v2/alerts"))
    url = pager.url.replace("http://", "http://ada:s3cr3t@") + "/am"
    receiver = build("alertmanager_configs", {"urls": [url]}, where="test")

    with pytest.raises(DeliveryError) as caught:
        await receiver.send(notification())
    await receiver.close()

    assert "no <secret> for /am/api/v2/alerts" in str(caught.value)
    assert "s3cr3t" not in f"{caught.value!r} {receiver!r} {vars(receiver)!r} {caplog.text}"
    assert pager.received[0].headers["authorization"] == "Basic YWRhOnMzY3IzdA=="


@settings(deadline=None)  # checking against a schema is slow, not what is checked
@given(one=notifications())
def test_whatever_alerts_hold_what_is_posted_is_of_the_api(one: Notification) -> None:
    for each in in_order([one]):
        body = [each.body(NOW)]
        ALERTS.validate(body)
        assert encode(body)
        begins, ends = (datetime.fromisoformat(body[0][field]) for field in ("startsAt", "endsAt"))
        assert begins <= ends


# The configuration


def test_it_hears_again_of_what_fires_each_minute_unless_told_otherwise() -> None:
    least = {"urls": ["http://a.example:9093", "http://b.example:9093/prefix/"]}
    usual = build("alertmanager_configs", least, where="test")
    patient = build("alertmanager_configs", {**least, "resend_interval": "5m", "rate_limit": {"max": 9}}, where="test")

    assert (usual.resend_s, usual.pairs, usual.rate) == (60.0, True, None)
    assert (patient.resend_s, patient.rate) == (300.0, Rate(9, 1.0))


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"urls": []}, "urls: empty: write at least one address"),
        ({"urls": "http://a.example"}, "urls: write a list of texts"),
        (
            {"urls": ["http://a.example", "ftp://x"]},
            "urls[1]: neither http nor https: write an address such as https://example.org/hook",
        ),
        ({"urls": ["http://a.example", "http://a.example"]}, "urls[1]: is there twice: remove it"),
        ({"urls": ["http://a.example/api/v2/alerts"]}, "urls[0]: ends in /api/v2/alerts: leave that out"),
        (
            {"urls": ["http://a:b@a.example"], "http_config": {"authorization": {"credentials": "t0ken"}}},
            "urls: has a user, and http_config authorises too: keep one of them",
        ),
        ({"urls": ["http://a.example"], "resend_interval": "1h"}, "resend_interval: 1h: write at most 900s"),
        ({"urls": ["http://a.example"], "url": "x"}, "url: unknown: did you mean urls?"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(mapping: dict[str, Any], said: str) -> None:
    with pytest.raises(ReceiverConfigError) as caught:
        build("alertmanager_configs", mapping, where="test")

    assert f"test: {said}" in caught.value.problems
