"""service/receivers/slack.py: what arrives is within Slack's limits, and obeys nobody."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given

from alerts.notification import Notification
from service.receivers import ReceiverConfigError, build
from service.receivers.base import DeliveryError, Reason, Receiver
from service.receivers.http import encode
from service.receivers.slack import BOT_URL
from service.receivers.slack_message import message, plain_message
from service.receivers.slack_text import mrkdwn
from service.receivers.text import width
from tests.service.receivers.notifications import (
    ACK_URL,
    FIRED_AT,
    PAGE_URL,
    alert,
    notification,
    notifications,
    resolved,
    texts,
)
from tests.support.pager import Pager, Reply

WHERE = "app=checkout environment=prod model=claude-sonnet-4-5"
SECRET_PATH = "/services/T0AAAAAAA/B0BBBBBBB/s3cr3tS3cr3tS3cr3tS3cr3t"


def slack(pager: Pager, **settings: Any) -> Receiver:
    return build("slack_configs", {"api_url": pager.url + SECRET_PATH, **settings}, where="test")


async def sent(pager: Pager, one: Notification, **settings: Any) -> Any:
    """What arrived when it was sent."""
    receiver = slack(pager, **settings)
    try:
        await receiver.send(one)
    finally:
        await receiver.close()
    return pager.received[-1].json


def blocks_of(body: Any) -> list[Any]:
    return [*body["blocks"], *body["attachments"][0]["blocks"]]


def buttons_of(block: Any) -> list[Any]:
    accessory = [block["accessory"]] if "accessory" in block else []
    return [*accessory, *(block["elements"] if block["type"] == "actions" else [])]


def pressed(body: Any) -> dict[str, str]:
    """The buttons of a message: text and address; of those with the same text the first."""
    found = [each for block in blocks_of(body) for each in buttons_of(block)]
    return {each["text"]["text"]: each["url"] for each in reversed(found)}


def texts_of(body: Any) -> Iterator[tuple[str, int]]:
    """Each text of a message with the limit that holds for it."""
    for block in blocks_of(body):
        if block["type"] == "header":
            yield block["text"]["text"], 150
        if block["type"] == "section" and "text" in block:
            yield block["text"]["text"], 3000
        for each in block.get("fields", []):
            yield each["text"], 2000
        if block["type"] == "context":
            yield from ((each["text"], 3000) for each in block["elements"])
        for each in buttons_of(block):
            yield each["text"]["text"], 75
            yield each["url"], 3000


def check_limits(body: Any) -> None:
    """Raise if Slack would refuse the message.

    Source: Slack's reference of Block Kit; the total is from bolt-js issue 2509.
    """
    assert len(blocks_of(body)) <= 50
    for block in blocks_of(body):
        assert len(block.get("fields", [])) <= 10
        assert len(block.get("elements", [])) <= 10
        assert block["type"] != "section" or "text" in block or block["fields"]
    for text, limit in texts_of(body):
        assert 1 <= width(text) <= limit
    assert 1 <= width(body["text"]) <= 4000
    assert width(encode(body).decode()) <= 12_000


async def test_a_page_arrives_as_a_header_and_a_red_block(pager: Pager) -> None:
    body = await sent(pager, notification())

    check_limits(body)
    assert body["text"] == "PAGE: checkout: 9 of 61 Claude calls failed"
    assert body["blocks"][0]["text"]["text"] == "PAGE: checkout: 9 of 61 Claude calls failed"
    assert body["attachments"][0]["color"] == "#e01e5a"
    shown = "\n".join(text for text, _ in texts_of(body))
    assert "*Measured*\n9 of 61 calls failed in 5m (14.8 %)" in shown
    assert "*Errors*\noverloaded_error (529) 7, api_error (500) 2" in shown
    assert "*Blame*\nprovider" in shown
    assert "<!date^1795402913^{date_short_pretty} {time_secs}|2026-11-23 03:01:53 UTC>" in shown
    assert "The model is overloaded: shed load" in shown
    assert "`req_011CSHoEeqs5C35K2UUqR7Fy` `req_011CSHoEeqs5C35K2UUqR7Fz`" in shown
    assert "*Labels*\napp=checkout environment=prod model=claude-sonnet-4-5" in shown
    assert pressed(body) == {"Acknowledge": ACK_URL, "Open": PAGE_URL, "Runbook": "https://wiki.example/claude"}
    assert "ClaudeErrorRate · rule 9d1c0b7e55aa · first notification" in shown


async def test_a_resolve_is_green_and_says_after_how_long_and_why(pager: Pager) -> None:
    body = await sent(pager, notification(resolved()))

    check_limits(body)
    assert body["text"].startswith("RESOLVED: ")
    assert body["attachments"][0]["color"] == "#2eb67d"
    shown = "\n".join(text for text, _ in texts_of(body))
    assert "after 11m" in shown
    assert "*Why*\nno call failed for 5 minutes" in shown
    assert pressed(body) == {"Open": PAGE_URL, "Runbook": "https://wiki.example/claude"}


async def test_a_ticket_is_yellow(pager: Pager) -> None:
    body = await sent(pager, notification(alert(labels={"severity": "ticket"})))

    assert body["text"].startswith("TICKET: ")
    assert body["attachments"][0]["color"] == "#ecb22e"


async def test_a_group_is_a_list_of_the_gravest_and_counts_the_others(pager: Pager) -> None:
    tickets = [alert(labels={"severity": "ticket"}, summary=f"ticket {n}") for n in range(9_000)]
    pages = [alert(summary=f"page {n}", ack_url=f"{ACK_URL}/{n}") for n in range(1_000)]

    body = await sent(pager, notification(*tickets, *pages))

    check_limits(body)
    shown = [text for text, _ in texts_of(body)]
    assert shown[0] == "PAGE: page 0 (and 9,999 more)"
    assert shown[1] == "1,000 PAGE, 9,000 TICKET"
    listed = [text for text in shown if text.startswith("*PAGE*")]
    assert len(listed) >= 10
    assert listed[0].startswith(f"*PAGE* <{PAGE_URL}|page 0>\n9 of 61 calls failed in 5m (14.8 %) · overloaded_error")
    assert f"and {10_000 - len(listed):,} more <https://claxon.example|in Claxon>" in shown
    assert pressed(body) == {"Acknowledge": f"{ACK_URL}/0", "Open Claxon": "https://claxon.example"}


async def test_a_group_tells_what_ended_apart_from_what_fires(pager: Pager) -> None:
    body = await sent(pager, notification(resolved(summary="search: over"), alert(), reason="some alerts resolved"))

    shown = [text for text, _ in texts_of(body)]
    assert "1 PAGE, 1 RESOLVED" in shown
    assert f"*RESOLVED* <{PAGE_URL}|search: over>\nafter 11m · no call failed for 5 minutes · {WHERE}" in shown


async def test_an_alert_that_others_posted_shows_what_its_author_wrote(pager: Pager) -> None:
    one = alert(measured="", errors="", annotations={"description": "The queue is full.", "runbook_url": "ftp://x"})

    alone = await sent(pager, notification(one))
    group = await sent(pager, notification(one, one))

    assert "The queue is full." in [text for text, _ in texts_of(alone)]
    assert f"\nThe queue is full. · {WHERE}" in "".join(text for text, _ in texts_of(group))
    assert "Runbook" not in pressed(alone)


async def test_what_another_receiver_did_not_take_says_so_first(pager: Pager) -> None:
    body = await sent(pager, notification(undelivered="pager: answered 401 <!channel>"))

    assert body["text"] == "PAGE, not delivered to pager: checkout: 9 of 61 Claude calls failed"
    assert body["blocks"][1]["text"]["text"] == (
        "*Not delivered where it should have been: pager: answered 401 &lt;!channel&gt;*"
    )


async def test_a_fire_drill_says_first_that_nothing_is_wrong_and_is_not_red(pager: Pager) -> None:
    body = await sent(pager, notification(test=True))

    assert body["text"] == "FIRE DRILL, nothing is wrong: checkout: 9 of 61 Claude calls failed"
    assert body["attachments"][0]["color"] == "#36a2eb"


async def test_a_repeat_says_for_how_long_and_who_has_it(pager: Pager) -> None:
    one = alert(acked_by="pat", muted_by="silence 7")

    body = await sent(pager, notification(one, reason="repeat interval elapsed", at=FIRED_AT + 14_533))

    assert body["text"] == "PAGE, still firing after 4h2m: checkout: 9 of 61 Claude calls failed"
    assert "*State*\nacknowledged by pat, held back by silence 7" in [text for text, _ in texts_of(body)]
    assert pressed(body) == {"Open": PAGE_URL, "Runbook": "https://wiki.example/claude"}


async def test_what_ended_before_it_could_be_told_says_so(pager: Pager) -> None:
    body = await sent(pager, notification(resolved(), reason="first notification"))

    assert body["text"] == "RESOLVED before it could be told: checkout: 9 of 61 Claude calls failed"


@pytest.mark.parametrize("url", ["", "/alerts/1", "https://claxon.example/" + "a" * 3000])
async def test_an_address_that_slack_would_refuse_is_no_button(pager: Pager, url: str) -> None:
    body = await sent(pager, notification(alert(url=url, ack_url=url)))

    assert pressed(body) == {"Runbook": "https://wiki.example/claude"}
    check_limits(body)


async def test_channel_and_username_are_sent_only_where_configured(pager: Pager) -> None:
    bare = await sent(pager, notification())
    named = await sent(pager, notification(), channel="#oncall", username="Claxon")

    assert {"channel", "username"}.isdisjoint(bare)
    assert (named["channel"], named["username"]) == ("#oncall", "Claxon")


@pytest.mark.parametrize(
    ("evil", "disarmed"),
    [
        ("<!channel> down", "&lt;!channel&gt; down"),
        ("<!here|x>", "&lt;!here|x&gt;"),
        ("<@U0AAAAAAA>", "&lt;@\u200bU0AAAAAAA&gt;"),
        ("<https://evil.example|Acknowledge>", "&lt;https://evil.example|Acknowledge&gt;"),
        ("@here and @channel", "@\u200bhere and @\u200bchannel"),
        ("a & b", "a &amp; b"),
        ("&lt;!channel&gt;", "&amp;lt;!channel&amp;gt;"),
        ("a\x00\x1b[31m\nb", "a [31m b"),
    ],
)
async def test_what_an_event_says_cannot_command_slack(pager: Pager, evil: str, disarmed: str) -> None:
    one = alert(summary=evil, measured=evil, errors=evil, blame=evil, advice=evil, request_ids=[evil])

    body = await sent(pager, notification(one))

    assert body["blocks"][0]["text"]["text"] == f"PAGE: {disarmed}"
    raw = json.dumps(body, ensure_ascii=False)
    assert re.findall(r"<[!@#](?!date\^)", raw) == []
    assert re.findall(r"@(here|channel|everyone)", raw) == []
    assert "<https://evil" not in raw


def test_no_text_is_parsed_for_names_and_links() -> None:
    sections = [block for block in blocks_of(message(notification())) if block["type"] != "header"]
    texts = [b for b in sections if b["type"] in ("section", "context")]
    inner = [each for b in texts for each in (*b.get("fields", []), *b.get("elements", []), b.get("text"))]

    assert all(each["verbatim"] for each in inner if each)


async def test_ok_is_a_yes_and_another_200_is_not(pager: Pager) -> None:
    """A proxy's login page is a 200 too."""
    pager.answer_with(200, Reply(body="<html>Please log in"))
    receiver = slack(pager)

    assert (await receiver.send(notification())).text == "ok"
    with pytest.raises(DeliveryError, match="a webhook answers ok"):
        await receiver.send(notification())
    await receiver.close()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"ok":false,"error":"invalid_auth"}', Reason.AUTH),
        ('{"ok":false,"error":"channel_not_found"}', Reason.GONE),
        ('{"ok":false,"error":"ratelimited"}', Reason.RATE_LIMITED),
        ('{"ok":false,"error":"internal_error"}', Reason.SERVER),
        ('{"ok":false,"error":"msg_too_long"}', Reason.CLIENT),
    ],
)
async def test_a_bots_refusal_behind_a_200_is_a_failure(pager: Pager, body: str, reason: Reason) -> None:
    pager.answer_with(Reply(body=body))
    receiver = slack(pager, channel="C1", http_config={"authorization": {"credentials": "xoxb-1"}})

    with pytest.raises(DeliveryError) as caught:
        await receiver.send(notification())
    await receiver.close()

    assert caught.value.reason is reason


@pytest.mark.parametrize("tail", ["", ',"message":{"text":"' + "x" * 5000 + '"}'])
async def test_a_bots_yes_is_a_yes_however_long(pager: Pager, tail: str) -> None:
    pager.answer_with(Reply(body=f'{{"ok":true,"channel":"C1"{tail}}}'))

    await sent(pager, notification(), channel="C1", http_config={"authorization": {"credentials": "xoxb-1"}})

    assert pager.received[0].headers["authorization"] == "Bearer xoxb-1"


async def test_a_bot_posts_with_its_token_to_its_channel(pager: Pager) -> None:
    pager.answer_with(Reply(body='{"ok":true}'))
    receiver = build("slack_configs", {"app_url": pager.url, "app_token": "xoxb-1234", "channel": "C1"}, where="test")

    await receiver.send(notification())
    await receiver.close()

    assert pager.received[0].headers["authorization"] == "Bearer xoxb-1234"
    assert pager.received[0].json["channel"] == "C1"


def test_without_another_address_a_bot_posts_to_slack() -> None:
    receiver = build("slack_configs", {"app_token": "xoxb-1234", "channel": "C1"}, where="test")

    assert receiver._http._endpoint.url.reveal() == BOT_URL  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({}, "channel: missing: write where the bot posts, such as #oncall or C0AAAAAAA"),
        ({"channel": "C1", "api_url": "https://x.example"}, "app_token: api_url is set too: keep one of them"),
        (
            {"channel": "C1", "http_config": {"authorization": {"credentials": "x"}}},
            "app_token: http_config authorises too: keep one of them",
        ),
    ],
)
def test_a_bot_that_cannot_post_is_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(ReceiverConfigError) as caught:
        build("slack_configs", {"app_token": "xoxb-s3cr3t", **settings}, where="test")

    assert str(caught.value) == f"test: {problem}"


async def test_a_message_refused_as_invalid_goes_out_again_as_plain_text(pager: Pager) -> None:
    pager.answer_with(Reply(status=400, body="invalid_blocks"), 200)

    body = await sent(pager, notification(), channel="#oncall")

    assert set(body) == {"text", "channel"}
    assert "PAGE: checkout: 9 of 61 Claude calls failed" in body["text"]
    assert "req_011CSHoEeqs5C35K2UUqR7Fy" in body["text"]
    assert PAGE_URL in body["text"]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (403, "invalid_token", Reason.AUTH),
        (404, "no_service", Reason.GONE),
        (410, "channel_is_archived", Reason.GONE),
        (429, "rate_limited", Reason.RATE_LIMITED),
        (500, "rollup_error", Reason.SERVER),
    ],
)
async def test_slacks_words_are_in_the_error_and_its_address_is_not(
    pager: Pager, caplog: pytest.LogCaptureFixture, status: int, body: str, reason: Reason
) -> None:
    caplog.set_level(logging.DEBUG)
    pager.answer_with(Reply(status=status, body=f"{body} {pager.url}{SECRET_PATH} {SECRET_PATH[-24:]}"))
    receiver = slack(pager)

    with pytest.raises(DeliveryError) as caught:
        await receiver.send(notification())
    await receiver.close()

    assert caught.value.reason is reason
    assert body in str(caught.value)
    shown = f"{caught.value!r} {caught.value} {receiver!r} {vars(receiver)!r} {caplog.text}"
    assert "s3cr3t" not in shown
    assert "B0BBBBBBB" not in shown


def test_a_long_address_leaves_room_for_what_comes_first() -> None:
    labels = {"alertname": "A", "severity": "page", "app": "l" * 900}
    long = {"measured": "m" * 900, "errors": "e" * 900, "summary": "s" * 900}
    one = alert(url="https://claxon.example/" + "a" * 1420, request_ids=["r" * 400], labels=labels, **long)

    body = message(notification(one, truncated_alerts=1))

    check_limits(json.loads(encode(body)))
    assert "mmm" in encode(body).decode()


@given(one=notifications())
def test_whatever_alerts_hold_the_message_keeps_the_limits(one: Notification) -> None:
    body = message(one)

    check_limits(json.loads(encode(body)))
    raw = encode(body).decode()
    assert re.findall(r"<[!@#](?!date\^)", raw) == []
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202e]|\\u00[01]", raw)


@given(one=notifications())
def test_whatever_alerts_hold_the_plain_message_keeps_the_limits(one: Notification) -> None:
    text = plain_message(one)["text"]

    assert 1 <= width(text) <= 6000
    assert not re.findall(r"<[!@#]", text)


@given(text=texts)
def test_text_is_never_cut_inside_an_entity(text: str) -> None:
    for limit in (1, 2, 7, 60):
        shown = mrkdwn(text, limit)

        assert width(shown) <= limit
        assert re.sub(r"&(amp|lt|gt);", "", shown).count("&") == 0
