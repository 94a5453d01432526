"""service/receivers/opsgenie.py: what arrives is an alert of the vendor's API v2 within its limits."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from alerts.notification import Notification
from service.receivers import ReceiverConfigError, build
from service.receivers.base import DeliveryError, Rate, Reason
from service.receivers.endpoint import Endpoint
from service.receivers.headline import ordered
from service.receivers.http import encode
from service.receivers.opsgenie import VENDOR_URL, OpsgenieConfig, OpsgenieReceiver
from service.receivers.opsgenie_alert import Words, alias, closing, creation
from service.receivers.secret import Secret
from service.receivers.text import width
from tests.service.receivers.notifications import (
    ACK_URL,
    PAGE_URL,
    alert,
    notification,
    notifications,
    resolved,
)
from tests.support.pager import HANG, Pager, Reply

KEY = "eb243592-faa2-4ba2-a551-1afdf565c889"
ALIAS = "claxon:ClaudeErrorRate:3f6c0a1b2c3d4e5f:17"
TAKEN = Reply(status=202, body='{"result":"Request will be processed","took":0.1,"requestId":"43a29c5c-3dbf"}')


def done(*, success: bool = True, status: str = "Created alert") -> Reply:
    """What the vendor says when it is asked what became of a request."""
    outcome = {
        "success": success,
        "action": "Create",
        "processedAt": "2026-11-23T03:04:06.844Z",
        "integrationId": "c9cec2cb-e782-4ebb-bc1d-1b2fa703cf03",
        "isSuccess": success,
        "status": status,
        "alertId": "8743a1b2-11da-480e-8493-744660987bef",
        "alias": ALIAS,
    }
    return Reply(body=json.dumps({"data": outcome, "took": 0.022, "requestId": "ec7e1d8e-1c75"}))


def _text(most: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": most}


_CREATION = {
    "message": _text(130),
    "alias": {**_text(512), "pattern": "^[A-Za-z0-9._~:-]+$"},
    "description": _text(15_000),
    "priority": {"enum": ["P1", "P2", "P3", "P4", "P5"]},
    "source": _text(100),
    "user": _text(100),
    "entity": _text(512),
    "note": _text(25_000),
    "tags": {"type": "array", "maxItems": 20, "items": _text(50)},
    "actions": {"type": "array", "maxItems": 10, "items": _text(50)},
    "details": {"type": "object", "additionalProperties": {"type": "string"}},
    "responders": {
        "type": "array",
        "maxItems": 50,
        "items": {
            "properties": {
                "id": _text(512),
                "name": _text(512),
                "username": _text(512),
                "type": {"enum": ["team", "user", "escalation", "schedule"]},
            },
            "required": ["type"],
            "additionalProperties": False,
        },
    },
}
CREATION = Draft202012Validator(
    {"type": "object", "properties": _CREATION, "required": ["message"], "additionalProperties": False}
)


def check(body: Any) -> None:
    """Hold a creation to the vendor's limits, counted as strictly as anybody could."""
    CREATION.validate(body)
    assert width(body["message"]) <= 130
    assert width(body["description"]) <= 15_000
    assert width(body["source"]) <= 100
    assert sum(width(key) + width(text) for key, text in body["details"].items()) <= 8_000


def opsgenie(pager: Pager, *, update_alerts: bool = True, words: Words | None = None) -> OpsgenieReceiver:
    """A receiver that asks at once what became of a request."""
    config = OpsgenieConfig(
        endpoint=Endpoint(url=Secret(f"{pager.url}/jsm/ops/integration/"), public=True, timeout=2.0),
        api_key=Secret(KEY),
        words=words or Words(),
        update_alerts=update_alerts,
    )
    return OpsgenieReceiver(config, confirm_after_s=0.0)


async def sent(pager: Pager, one: Notification, **arguments: Any) -> str:
    """What the receiver answered when it was sent."""
    receiver = opsgenie(pager, **arguments)
    try:
        return (await receiver.send(one)).text
    finally:
        await receiver.close()


async def refusal(pager: Pager, one: Notification) -> DeliveryError:
    """The error that sending it raises."""
    with pytest.raises(DeliveryError) as caught:
        await sent(pager, one)
    return caught.value


@pytest.fixture(autouse=True)
def _accepting(pager: Pager) -> None:
    pager.answer_with(TAKEN, done())


async def test_a_page_creates_an_alert_and_asks_once_what_became_of_it(pager: Pager) -> None:
    answer = await sent(pager, notification())

    create, question = pager.received
    check(create.json)
    assert create.path == "/jsm/ops/integration/v2/alerts"
    assert question.path == "/jsm/ops/integration/v2/alerts/requests/43a29c5c-3dbf"
    assert {request.headers["authorization"] for request in pager.received} == {f"GenieKey {KEY}"}
    assert answer == "Created alert 8743a1b2-11da-480e-8493-744660987bef"
    body = create.json
    assert (body["message"], body["alias"], body["priority"], body["entity"]) == (
        "checkout: 9 of 61 Claude calls failed", ALIAS, "P1", "checkout",
    )  # fmt: skip
    assert body["description"].splitlines() == [
        "Measured: 9 of 61 calls failed in 5m (14.8 %)",
        "Errors: overloaded_error (529) 7, api_error (500) 2",
        "Blame: provider",
        "Advice: The model is overloaded: shed load, fall back to another model, and wait.",
        "Since: 2026-11-23 03:01:53 UTC",
        "Requests: req_011CSHoEeqs5C35K2UUqR7Fy req_011CSHoEeqs5C35K2UUqR7Fz",
        f"Alert: {PAGE_URL}",
        f"Acknowledge: {ACK_URL}",
        "runbook_url: https://wiki.example/claude",
        "Labels: alertname=ClaudeErrorRate, severity=page, app=checkout, environment=prod, model=claude-sonnet-4-5",
        "Rule: ClaudeErrorRate 9d1c0b7e55aa, first notification",
    ]
    assert body["details"]["severity"] == "page"
    assert body["details"]["dedup_key"] == "claxon/ClaudeErrorRate/3f6c0a1b2c3d4e5f/17"


async def test_the_end_closes_the_alert_of_the_same_alias_and_says_why(pager: Pager) -> None:
    await sent(pager, notification(resolved()))

    close = pager.received[0]
    assert close.path == f"/jsm/ops/integration/v2/alerts/{ALIAS}/close?identifierType=alias"
    assert close.json["user"] == "Claxon"
    assert close.json["note"].startswith("Resolved: 2026-11-23 03:13:05 UTC, after 11m: no call failed for 5 minutes\n")


async def test_a_group_of_which_some_ended_stays_open(pager: Pager) -> None:
    await sent(pager, notification(alert(), resolved()))

    assert pager.received[0].path.endswith("/v2/alerts")


@pytest.mark.parametrize(
    ("severity", "priority"),
    [
        ("page", "P1"), ("critical", "P1"), ("error", "P2"), ("warning", "P3"), ("ticket", "P3"), ("info", "P5"),
        ("", "P3"), ("sev1", "P3"),
    ],
)  # fmt: skip
def test_the_label_decides_the_priority(severity: str, priority: str) -> None:
    body = creation(notification(alert(labels={"severity": severity})), Words())

    assert body["priority"] == priority


def test_the_configuration_may_decide_the_priority() -> None:
    assert creation(notification(), Words(priority="P4"))["priority"] == "P4"


async def test_a_group_that_changed_renews_the_texts_of_its_open_alert(pager: Pager) -> None:
    """A second creation with the alias of an open alert leaves its texts as they were."""
    chat = alert(labels={"severity": "ticket", "app": "chat"}, summary="chat: slow")
    pager.answer_with(TAKEN, done(), TAKEN)

    await sent(pager, notification(alert(), chat, reason="new alerts added"))

    _, _, message, description = pager.received
    assert message.path.endswith(f"/{ALIAS}/message?identifierType=alias")
    assert message.json == {"message": "checkout: 9 of 61 Claude calls failed (and 1 more)"}
    assert description.path.endswith(f"/{ALIAS}/description?identifierType=alias")
    assert "also TICKET: chat: slow" in description.json["description"]


async def test_update_alerts_false_leaves_the_texts(pager: Pager) -> None:
    await sent(pager, notification(reason="repeat interval elapsed"), update_alerts=False)

    assert len(pager.received) == 2


@pytest.mark.parametrize("again", [404, 429, 500, HANG])
async def test_a_taken_page_is_a_yes_where_its_outcome_cannot_be_told(pager: Pager, again: Reply | int) -> None:
    """To send it again would only count one more on the same alert."""
    pager.answer_with(TAKEN, again)

    answer = await sent(pager, notification())

    assert "Request will be processed" in answer
    assert len(pager.received) == 2


async def test_a_page_that_was_taken_and_then_refused_is_a_permanent_failure(pager: Pager) -> None:
    """Else the 202 would swallow it."""
    pager.answer_with(TAKEN, done(success=False, status="Could not find responder [ops]"))

    error = await refusal(pager, notification())

    assert (error.reason, error.retryable) == (Reason.CLIENT, False)
    assert "took it, then: Could not find responder [ops]" in str(error)


@pytest.mark.parametrize("said", ["Alert does not exist", "Alert is already closed"])
async def test_an_alert_that_somebody_closed_already_needs_no_close(pager: Pager, said: str) -> None:
    pager.answer_with(TAKEN, done(success=False, status=said))

    assert await sent(pager, notification(resolved())) == "there was nothing open to close"


async def test_a_close_that_comes_before_its_creation_is_done_is_tried_again(pager: Pager) -> None:
    """Else the alert would appear afterwards and stay open."""
    absent = done(success=False, status="Alert does not exist")
    pager.answer_with(TAKEN, 404, TAKEN, absent, TAKEN, done(status="Closed alert"))
    receiver = opsgenie(pager)

    await receiver.send(notification())
    with pytest.raises(DeliveryError, match="its creation may not be done yet") as caught:
        await receiver.send(notification(resolved()))
    answer = await receiver.send(notification(resolved()))
    await receiver.close()

    assert caught.value.retryable
    assert answer.text.startswith("Closed alert")


async def test_a_close_that_was_taken_and_then_refused_is_a_failure(pager: Pager) -> None:
    pager.answer_with(TAKEN, done(success=False, status="Integration is disabled"))

    assert "Integration is disabled" in str(await refusal(pager, notification(resolved())))


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [
        (401, Reason.AUTH, False),
        (403, Reason.AUTH, False),
        (404, Reason.GONE, False),
        (422, Reason.CLIENT, False),
        (429, Reason.RATE_LIMITED, True),
        (500, Reason.SERVER, True),
        (503, Reason.SERVER, True),
    ],
)
async def test_a_refusal_says_why_and_whether_to_try_again(
    pager: Pager, status: int, reason: Reason, retryable: bool
) -> None:
    pager.answer_with(Reply(status=status, body='{"message":"no integration"}', headers={"Retry-After": "7"}))

    error = await refusal(pager, notification())

    assert (error.reason, error.retryable, error.retry_after) == (reason, retryable, 7.0)
    assert "no integration" in str(error)
    assert len(pager.received) == 1


async def test_a_200_from_something_else_is_no_yes(pager: Pager) -> None:
    """A proxy's login page is a 200 too."""
    pager.answer_with(Reply(body="<html>Please log in"))

    assert "it answers 202; check api_url" in str(await refusal(pager, notification()))


async def test_the_api_key_appears_in_no_text_and_the_address_does(
    pager: Pager, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    pager.answer_with(Reply(status=422, body=f"key {KEY} is not of /jsm/ops/integration"))
    receiver = opsgenie(pager)

    with pytest.raises(DeliveryError) as caught:
        await receiver.send(notification())
    await receiver.close()

    assert "key <secret> is not of /jsm/ops/integration" in str(caught.value)
    assert KEY not in f"{caught.value!r} {receiver!r} {vars(receiver)!r} {caplog.text}"


def test_what_is_unusual_is_seen_at_once() -> None:
    drill = creation(notification(test=True), Words())
    passed_on = creation(notification(alert(acked_by="ada"), undelivered="pager: answered 401"), Words(tags=("eu",)))

    assert drill["message"] == "FIRE DRILL, nothing is wrong: checkout: 9 of 61 Claude calls failed"
    assert drill["description"].startswith("This is a fire drill: nothing is wrong.\n")
    assert passed_on["message"] == "PAGE, not delivered to pager: checkout: 9 of 61 Claude calls failed"
    assert passed_on["description"].splitlines()[:2] == [
        "Not delivered where it should have been: pager: answered 401",
        "acknowledged by ada",
    ]
    assert passed_on["tags"] == ["undelivered", "eu"]
    assert passed_on["details"]["undelivered"] == "pager: answered 401"


def test_keys_that_differ_have_aliases_that_differ_and_stand_in_an_address() -> None:
    keys = ["a/b", "a:b", "a b", "a-b", "a\ud800b", "é", "k" * 600 + "1", "k" * 600 + "2", "a/b/c", "a?b", "a%2Fb"]

    assert len({alias(key) for key in keys}) == len(keys)
    assert all(len(alias(key)) <= 512 for key in keys)


def test_ten_thousand_alerts_are_told_in_part_and_counted() -> None:
    many = [alert(labels={"severity": "ticket"}, summary=f"app {n}: slow") for n in range(9_999)]

    body = creation(notification(*many, alert(), truncated_alerts=5), Words())

    check(body)
    assert body["message"] == "checkout: 9 of 61 Claude calls failed (and 10,004 more)"
    assert body["description"].splitlines()[-1] == "and 9,984 more: https://claxon.example"
    assert body["description"].count("also TICKET") == 20


def test_the_largest_alerts_keep_the_limits_the_links_and_the_ids() -> None:
    huge = {f"label{n}": "😀" * 20_000 for n in range(100)}
    one = alert(labels=huge, annotations=huge, summary="ä" * 10**6, errors="x" * 10**6, advice="😀" * 10**6)
    words = Words(note="n" * 25_000, details=(("team", "t" * 4_000),), entity="e" * 512)

    body = creation(notification(*[one] * 500, undelivered="😀" * 10**5), words)

    check(body)
    assert PAGE_URL in body["description"]
    assert ACK_URL in body["description"]
    assert body["description"].endswith(" more: https://claxon.example")
    assert body["details"]["alert"] == PAGE_URL
    assert body["details"]["request_ids"].startswith("req_011CSHoEeqs5C35K2UUqR7Fy")
    assert body["message"].endswith("… (and 499 more)")


@pytest.mark.parametrize("length", range(700, 1500, 50))
def test_however_full_the_description_is_the_last_line_counts_the_rest(length: int) -> None:
    text = "x" * length
    full = alert(measured=text, errors=text, blame=text, advice=text, annotations=dict.fromkeys("abcde", text))
    link = "https://claxon.example/" + "a" * 2_900

    description = creation(notification(full, alert(), external_url=link, truncated_alerts=9), Words())["description"]

    assert width(description) <= 15_000
    assert description.endswith(f" more: {link}")


@settings(deadline=None)  # checking against a schema is slow, not what is checked
@given(one=notifications())
def test_whatever_alerts_hold_the_limits_and_the_link_are_kept(one: Notification) -> None:
    body = msgspec.json.decode(encode(creation(one, Words())))

    check(body)
    assert 1 <= width(closing(one, Words())["note"]) <= 25_000
    link = ordered(one)[0].url
    if len(link) <= 3000:
        assert link in body["description"]


# The configuration


def read(**mapping: Any) -> OpsgenieConfig:
    """The configuration that an entry means."""
    receiver = build("opsgenie_configs", {"api_key": KEY, **mapping}, where="test")
    assert isinstance(receiver, OpsgenieReceiver)
    return receiver._config


def problem(**mapping: Any) -> str:
    """The one thing that is wrong with an entry."""
    with pytest.raises(ReceiverConfigError) as caught:
        build("opsgenie_configs", {"api_key": KEY, **mapping}, where="test")
    (only,) = caught.value.problems
    assert KEY not in only
    return only.removeprefix("test: ")


def test_without_an_address_it_goes_to_jira_service_management() -> None:
    assert read().endpoint.url.reveal() == VENDOR_URL == "https://api.atlassian.com/jsm/ops/integration"
    assert read().endpoint.public
    assert read().rate == Rate(5, 1.0)


def test_alertmanagers_settings_are_taken_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{KEY}\n")
    mapping = {
        "api_key_file": "key",
        "source": "claxon-eu",
        "entity": "claude",
        "note": "see the wiki",
        "priority": "P2",
        "tags": "claude, eu,",
        "actions": "restart,",
        "details": {"team": "ml"},
        "responders": [
            {"type": "teams", "name": "ml, ops"},
            {"type": "User", "username": "ada@example.org"},
            {"type": "schedule", "id": "4513b7ea"},
        ],
    }
    receiver = build("opsgenie_configs", mapping, where="test", folder=tmp_path)
    assert isinstance(receiver, OpsgenieReceiver)

    body = creation(notification(), receiver._config.words)

    check(body)
    assert (body["source"], body["entity"], body["note"], body["priority"]) == (
        "claxon-eu", "claude", "see the wiki", "P2",
    )  # fmt: skip
    assert (body["tags"], body["actions"], body["details"]["team"]) == (["claude", "eu"], ["restart"], "ml")
    assert body["responders"] == [
        {"name": "ml", "type": "team"},
        {"name": "ops", "type": "team"},
        {"username": "ada@example.org", "type": "user"},
        {"id": "4513b7ea", "type": "schedule"},
    ]


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"priority": "P6"}, "priority: P6: write one of P1, P2, P3, P4, P5"),
        ({"priority": "{{ x }}"}, "priority: {{ x }}: write one of P1, P2, P3, P4, P5"),
        ({"source": "{{ x }}"}, "source: {{ x }}: templates are not supported: write the text itself"),
        ({"source": "x" * 101}, f"source: {'x' * 59}…: write at most 100 characters"),
        ({"tags": ",".join("abcdefghijklmnopqrstu")}, "tags: 21: write at most 20, separated by commas"),
        ({"tags": "x" * 51}, f"tags: {'x' * 51}: write at most 50 characters"),
        ({"tags": "{{ .CommonLabels.app }}"}, "tags: templates are not supported: write the text itself"),
        ({"actions": ",".join("abcdefghijk")}, "actions: 11: write at most 10, separated by commas"),
        ({"details": {"a": "x" * 4_001}}, "details: write at most 4000 characters in all"),
        ({"responders": {"type": "team"}}, "responders: write a list of mappings"),
        ({"responders": [{"type": "team"}]}, "responders[0]: name: missing: write id, name or username"),
        (
            {"responders": [{"name": "x", "type": "group"}]},
            "responders[0]: type: group: write one of team, user, escalation, schedule, teams",
        ),
        ({"responders": [{"name": "x", "type": "user"}] * 51}, "responders: 51: write at most 50"),
        ({"message": "x"}, "message: not supported yet: remove it"),
        ({"description": "x"}, "description: not supported yet: remove it"),
    ],
)
def test_what_the_vendor_would_refuse_is_refused_at_load(mapping: dict[str, Any], said: str) -> None:
    assert problem(**mapping) == said


@pytest.mark.parametrize("host", ["api.opsgenie.com", "api.eu.opsgenie.com"])
def test_the_old_host_works_and_is_warned_of(host: str) -> None:
    with structlog.testing.capture_logs() as logs:
        read(api_url=f"https://{host}/")
        read()

    (warning,) = logs
    assert (warning["event"], warning["log_level"], warning["host"]) == ("receiver.ends", "warning", host)
    assert "2027-04-05" in warning["remedy"]
