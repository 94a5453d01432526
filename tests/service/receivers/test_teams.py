"""service/receivers/teams.py: what arrives is a message with one Adaptive Card, within 28 KB."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt

from alerts.notification import Notification
from service.receivers import build
from service.receivers.base import DeliveryError, Rate, Reason, Receiver
from service.receivers.headline import ordered
from service.receivers.http import encode
from service.receivers.teams_card import markdown, message
from service.receivers.text import brief
from tests.service.receivers.notifications import (
    ACK_URL,
    PAGE_URL,
    alert,
    notification,
    notifications,
    resolved,
    texts,
)
from tests.support.pager import Pager, Reply

PATH = "/workflows/0a1b2c3d4e/triggers/manual/paths/invoke?api-version=2016-06-01&sig=s3cr3tS3cr3tS3cr3t"
TAKEN = Reply(status=202, body="")

# What we use of the published schema of version 1.4, closed: what is not in here is not in that.
_STRING = {"type": "string", "minLength": 1}
_TEXT = {
    "properties": {
        "type": {"const": "TextBlock"},
        "text": _STRING,
        "wrap": {"const": True},
        "weight": {"const": "Bolder"},
        "size": {"enum": ["Small", "Medium"]},
        "style": {"const": "heading"},
        "isSubtle": {"type": "boolean"},
    },
    "required": ["type", "text"],
    "additionalProperties": False,
}
_FACTS = {
    "properties": {
        "type": {"const": "FactSet"},
        "facts": {
            "type": "array",
            "minItems": 1,
            "items": {
                "properties": {"title": _STRING, "value": _STRING},
                "required": ["title", "value"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["type", "facts"],
    "additionalProperties": False,
}
_RICH = {
    "properties": {
        "type": {"const": "RichTextBlock"},
        "inlines": {
            "type": "array",
            "items": {
                "properties": {"type": {"const": "TextRun"}, "text": _STRING, "fontType": {"const": "Monospace"}},
                "required": ["type", "text"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["type", "inlines"],
    "additionalProperties": False,
}
_CONTAINER = {
    "properties": {
        "type": {"const": "Container"},
        "style": {"enum": ["attention", "warning", "good", "accent"]},
        "bleed": {"type": "boolean"},
        "items": {"type": "array", "items": _TEXT},
    },
    "required": ["type", "items"],
    "additionalProperties": False,
}
_OPEN = {
    "properties": {"type": {"const": "Action.OpenUrl"}, "title": _STRING, "url": _STRING},
    "required": ["type", "title", "url"],
    "additionalProperties": False,
}
_CARD = {
    "$schema": {"const": "http://adaptivecards.io/schemas/adaptive-card.json"},
    "type": {"const": "AdaptiveCard"},
    "version": {"const": "1.4"},
    "fallbackText": _STRING,
    "msteams": {"const": {"width": "Full"}},
    "body": {"type": "array", "items": {"oneOf": [_TEXT, _FACTS, _RICH, _CONTAINER]}},
    "actions": {"type": "array", "maxItems": 6, "items": _OPEN},
}
_ATTACHMENT = {
    "contentType": {"const": "application/vnd.microsoft.card.adaptive"},
    "contentUrl": {"type": "null"},
    "content": {
        "type": "object",
        "properties": _CARD,
        "required": ["type", "version", "body"],
        "additionalProperties": False,
    },
}
MESSAGE = Draft202012Validator({
    "type": "object",
    "properties": {
        "type": {"const": "message"},
        "attachments": {
            "type": "array",
            "minItems": 1,
            "maxItems": 1,
            "items": {"properties": _ATTACHMENT, "required": list(_ATTACHMENT), "additionalProperties": False},
        },
    },
    "required": ["type", "attachments"],
    "additionalProperties": False,
})  # fmt: skip


def check(body: Any) -> Any:
    """Hold a message to the schema and the limit, and return its card."""
    MESSAGE.validate(body)
    assert len(encode(body)) <= 28_000
    return body["attachments"][0]["content"]


def texts_of(card: Any) -> Iterator[str]:
    """Every text of a card in which Teams looks for markup."""
    for element in card["body"]:
        for item in element.get("items", [element]):
            if item["type"] == "TextBlock":
                yield item["text"]
            for fact in item.get("facts", []):
                yield f"{fact['title']}: {fact['value']}"


def actions_of(card: Any) -> dict[str, str]:
    return {action["title"]: action["url"] for action in card["actions"]}


def teams(pager: Pager, **settings: Any) -> Receiver:
    return build("msteamsv2_configs", {"webhook_url": f"{pager.url}{PATH}", **settings}, where="test")


async def sent(pager: Pager, one: Notification) -> Any:
    """The card that arrived when it was sent."""
    receiver = teams(pager)
    try:
        await receiver.send(one)
    finally:
        await receiver.close()
    return check(pager.received[-1].json)


@pytest.fixture(autouse=True)
def _accepting(pager: Pager) -> None:
    pager.answer_with(TAKEN)


async def test_a_page_arrives_as_a_card_with_facts_and_two_buttons(pager: Pager) -> None:
    card = await sent(pager, notification())

    assert list(texts_of(card)) == [
        "PAGE: checkout: 9 of 61 Claude calls failed",
        "Measured: 9 of 61 calls failed in 5m (14.8 %)",
        "Errors: overloaded_error (529) 7, api_error (500) 2",
        "Blame: provider",
        "Since: 2026-11-23 03:01:53 UTC",
        "Where: checkout prod claude-sonnet-4-5",
        "runbook_url: https://wiki.example/claude",
        "The model is overloaded: shed load, fall back to another model, and wait.",
        "ClaudeErrorRate · rule 9d1c0b7e55aa · first notification",
    ]
    assert card["body"][0]["style"] == "attention"
    assert card["body"][3]["inlines"][0]["text"] == "req_011CSHoEeqs5C35K2UUqR7Fy req_011CSHoEeqs5C35K2UUqR7Fz"
    assert actions_of(card) == {"Open the alert": PAGE_URL, "Acknowledge": ACK_URL}
    assert card["fallbackText"] == "PAGE: checkout: 9 of 61 Claude calls failed"


async def test_a_resolve_is_green_and_says_after_how_long_and_why(pager: Pager) -> None:
    card = await sent(pager, notification(resolved(acked_by="ada")))

    assert card["body"][0]["style"] == "good"
    assert list(texts_of(card))[:4] == [
        "RESOLVED: checkout: 9 of 61 Claude calls failed",
        "State: acknowledged by ada",
        "Resolved: 2026-11-23 03:13:05 UTC, after 11m",
        "Why: no call failed for 5 minutes",
    ]
    assert actions_of(card) == {"Open the alert": PAGE_URL}


@pytest.mark.parametrize(("severity", "style"), [("page", "attention"), ("ticket", "warning"), ("info", "accent")])
def test_the_severity_decides_the_colour(severity: str, style: str) -> None:
    card = check(message(notification(alert(labels={"severity": severity}))))

    assert card["body"][0]["style"] == style


def test_what_is_unusual_is_seen_at_once() -> None:
    drill = check(message(notification(test=True)))
    passed_on = check(message(notification(undelivered="pager: answered 401")))

    assert list(texts_of(drill))[:2] == [
        "FIRE DRILL, nothing is wrong: checkout: 9 of 61 Claude calls failed",
        "This is a fire drill: nothing is wrong.",
    ]
    assert list(texts_of(passed_on))[:2] == [
        "PAGE, not delivered to pager: checkout: 9 of 61 Claude calls failed",
        "Not delivered where it should have been: pager: answered 401",
    ]


def test_ten_thousand_alerts_are_told_in_part_and_counted() -> None:
    chat = [alert(labels={"severity": "ticket"}, summary=f"app {n}: slow") for n in range(9_999)]

    card = check(message(notification(*chat, alert(), truncated_alerts=5)))

    shown = list(texts_of(card))
    assert shown[0] == "PAGE: checkout: 9 of 61 Claude calls failed (and 10,004 more)"
    assert f"**TICKET** app 0: slow · 9 of 61 calls failed in 5m (14.8 %) · [open]({PAGE_URL})" in shown
    assert "and 9,989 more" in shown
    assert actions_of(card)["All alerts"] == "https://claxon.example"


def test_the_largest_alerts_keep_the_limit_the_links_and_the_ids() -> None:
    huge = {f"label{n}": "😀" * 20_000 for n in range(100)}
    one = alert(
        labels=huge, annotations=huge, summary="*" * 10**5, measured="ä" * 10**5, errors="_ " * 10**5,
        blame="日" * 10**5, advice="😀" * 10**5, muted_by="[" * 10**5, rule_hash="日" * 10**5,
    )  # fmt: skip

    card = check(message(notification(*[one] * 500, undelivered="日" * 10**5)))

    assert actions_of(card)["Open the alert"] == PAGE_URL
    assert actions_of(card)["Acknowledge"] == ACK_URL
    assert "req_011CSHoEeqs5C35K2UUqR7Fy" in card["body"][3]["inlines"][0]["text"]
    assert any(text.startswith("and 4") and text.endswith(" more") for text in texts_of(card))


def test_long_addresses_of_other_alerts_give_way_to_those_of_the_first() -> None:
    link = "https://claxon.example/" + "a" * 4_900
    one = alert(url=f"{link}1", ack_url=f"{link}2")

    card = check(message(notification(*[one] * 9, external_url=f"{link}3")))

    assert list(actions_of(card).values()) == [f"{link}1", f"{link}2", f"{link}3"]
    assert "and 8 more" in list(texts_of(card))


def test_an_address_that_is_too_long_is_left_out_whole() -> None:
    """Cut, it would lead nowhere; whole, Teams would refuse the card."""
    card = check(message(notification(alert(url="https://claxon.example/" + "a" * 30_000))))

    assert actions_of(card) == {"Acknowledge": ACK_URL}


@pytest.mark.parametrize(
    ("evil", "disarmed"),
    [
        ("[Acknowledge](https://evil.example)", r"\[Acknowledge\](https://evil.example)"),
        ("**RESOLVED**", r"\*\*RESOLVED\*\*"),
        ("_x_ snake_case req_011", r"\_x\_ snake_case req_011"),
        ("# big", r"\# big"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("> quote", r"\> quote"),
        ("<at>everyone</at>", r"\<at>everyone\</at>"),
        ("&lt;b&gt; Q&A", r"\&lt;b\&gt; Q&A"),
        ("{{DATE(2026-11-23T03:04:05Z)}}", r"{\{DATE(2026-11-23T03:04:05Z)}}"),
        ("9 of 61, -5 %", "9 of 61, -5 %"),
    ],
)
def test_what_an_event_says_cannot_command_teams(evil: str, disarmed: str) -> None:
    assert markdown(evil, 100) == disarmed


@given(text=texts)
def test_a_real_reader_of_markdown_shows_foreign_text_as_it_is(text: str) -> None:
    tokens = MarkdownIt("commonmark").parse(markdown(text, 200))

    pieces = [child for token in tokens for child in token.children or []]
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    assert {piece.type for piece in pieces} <= {"text"}
    assert "".join(piece.content for piece in pieces) == brief(text, 200).strip()


def test_an_address_cannot_break_out_of_our_link() -> None:
    odd = alert(url="https://claxon.example/a) [evil](https://evil.example)")

    shown = "\n".join(texts_of(check(message(notification(alert(), odd)))))

    assert "[open](https://claxon.example/a%29%20[evil]%28https://evil.example%29)" in shown


async def test_a_login_page_behind_a_200_is_no_yes(pager: Pager) -> None:
    pager.answer_with(Reply(body="<html>Please log in"), Reply(body=""))
    receiver = teams(pager)

    with pytest.raises(DeliveryError, match="a workflow answers 202; check webhook_url"):
        await receiver.send(notification())
    assert (await receiver.send(notification())).status == 200
    await receiver.close()


@pytest.mark.parametrize(("status", "reason"), [(429, Reason.RATE_LIMITED), (413, Reason.CLIENT), (503, Reason.SERVER)])
async def test_a_refusal_that_is_passed_on_behind_a_200_is_a_failure(pager: Pager, status: int, reason: Reason) -> None:
    said = f"Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {status}"
    pager.answer_with(Reply(body=said))
    receiver = teams(pager)

    with pytest.raises(DeliveryError) as caught:
        await receiver.send(notification())
    await receiver.close()

    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [
        (400, Reason.CLIENT, False),
        (401, Reason.AUTH, False),
        (404, Reason.GONE, False),
        (413, Reason.CLIENT, False),
        (429, Reason.RATE_LIMITED, True),
        (502, Reason.SERVER, True),
    ],
)
async def test_the_workflows_words_are_in_the_error_and_its_signature_is_not(
    pager: Pager, caplog: pytest.LogCaptureFixture, status: int, reason: Reason, retryable: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    pager.answer_with(Reply(status=status, body=f'{{"error":{{"code":"NoSuchFlow","at":"{pager.url}{PATH}"}}}}'))
    receiver = teams(pager)

    with pytest.raises(DeliveryError) as caught:
        await receiver.send(notification())
    await receiver.close()

    assert (caught.value.reason, caught.value.retryable) == (reason, retryable)
    assert "NoSuchFlow" in str(caught.value)
    assert "s3cr3t" not in f"{caught.value!r} {receiver!r} {vars(receiver)!r} {caplog.text}"


def test_a_message_a_second_unless_the_configuration_says_otherwise(pager: Pager) -> None:
    assert teams(pager).rate == Rate(1, 1.0)
    assert teams(pager, rate_limit={"max": 4, "per": "1s"}).rate == Rate(4, 1.0)


def test_a_connectors_address_is_warned_of() -> None:
    with structlog.testing.capture_logs() as logs:
        for host in ("contoso.webhook.office.com", "prod-1.westeurope.logic.azure.com"):
            build("msteamsv2_configs", {"webhook_url": f"https://{host}/s3cr3tS3cr3t"}, where="test")

    (warning,) = logs
    assert (warning["event"], warning["host"]) == ("receiver.ends", "contoso.webhook.office.com")
    assert "s3cr3t" not in json.dumps(warning)


@settings(deadline=None)  # checking against a schema is slow, not what is checked
@given(one=notifications())
def test_whatever_alerts_hold_the_card_keeps_the_limit_and_the_link(one: Notification) -> None:
    card = check(json.loads(encode(message(one))))

    if link := ordered(one)[0].url:
        assert actions_of(card)["Open the alert"] == link
