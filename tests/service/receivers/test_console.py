"""service/receivers/console.py: the first page that a newcomer sees."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given

from alerts.notification import Notification
from service.receivers import build
from service.receivers.base import DeliveryError, Reason
from service.receivers.console import ConsoleConfig, ConsoleReceiver
from service.receivers.console_page import page
from tests.service.receivers.notifications import PAGE_URL, alert, notification, notifications, resolved


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


async def printed(one: Notification, stream: io.StringIO) -> str:
    await ConsoleReceiver(ConsoleConfig(), stream=stream).send(one)
    return stream.getvalue()


async def test_a_page_as_printed() -> None:
    text = await printed(notification(), io.StringIO())

    assert (
        text
        == """
━━ PAGE ━ ClaudeErrorRate ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
┃ checkout: 9 of 61 Claude calls failed
┃
┃ since        2026-11-23 03:01:53 UTC
┃ measured     9 of 61 calls failed in 5m (14.8 %)
┃ errors       overloaded_error (529) 7, api_error (500) 2
┃ blame        provider
┃ labels       app=checkout environment=prod model=claude-sonnet-4-5
┃ advice       The model is overloaded: shed load, fall back to another model,
┃              and wait.
┃ request ids  req_011CSHoEeqs5C35K2UUqR7Fy req_011CSHoEeqs5C35K2UUqR7Fz
┃ open         https://claxon.example/alerts/3f6c0a1b2c3d4e5f
┃ runbook      https://wiki.example/claude
┃ acknowledge  https://claxon.example/alerts/3f6c0a1b2c3d4e5f/ack
┃ rule         9d1c0b7e55aa
┃ sent for     first notification

"""
    )


async def test_the_end_as_printed() -> None:
    text = await printed(notification(resolved()), io.StringIO())

    assert text.startswith("\n━━ RESOLVED ━ ClaudeErrorRate ━━")
    assert "┃ resolved     2026-11-23 03:13:05 UTC, after 11m\n" in text
    assert "┃ reason       no call failed for 5 minutes\n" in text
    assert "acknowledge" not in text
    assert "advice" not in text


async def test_a_large_group_is_told_in_part_and_counted() -> None:
    text = await printed(notification(*[alert()] * 20, truncated_alerts=2), io.StringIO())

    assert text.count("━━ PAGE ━") == 3
    assert text.count("  also PAGE: checkout: 9 of 61 Claude calls failed\n") == 10
    assert "  and 9 more: https://claxon.example\n" in text


async def test_what_is_unusual_stands_above_the_page() -> None:
    one = alert(acked_by="pat", muted_by="silence 7")
    text = await printed(
        notification(one, undelivered="pager: answered 401 invalid key", test=True, reason="repeat interval elapsed"),
        io.StringIO(),
    )

    assert text.startswith("""
  This is a fire drill: nothing is wrong.
  Not delivered where it should have been: pager: answered 401 invalid key
  Still firing, after 0s.

━━ PAGE ━ ClaudeErrorRate ━""")
    assert "┃ state        acknowledged by pat, held back by silence 7\n" in text
    assert "┃ acknowledge" not in text


async def test_what_ended_before_it_could_be_told_says_so() -> None:
    text = await printed(notification(resolved(), reason="first notification"), io.StringIO())

    assert text.startswith("\n  It began and ended before this could be told.\n\n━━ RESOLVED ━ ")


async def test_a_terminal_gets_colour_and_the_same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")

    coloured = await printed(notification(), Terminal())

    assert "\x1b[1;97;41m PAGE \x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == page(notification(), colour=False)


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
async def test_a_terminal_that_wants_no_colour_gets_none(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    assert "\x1b" not in await printed(notification(), Terminal())


async def test_a_stream_without_unicode_gets_what_it_can_show() -> None:
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding="ascii") as stream:
        await ConsoleReceiver(ConsoleConfig(), stream=stream).send(notification(alert(summary="café 😀")))

        shown = raw.getvalue().decode("ascii")

    assert "-- PAGE - ClaudeErrorRate ---" in shown
    assert "| caf? ?" in shown


async def test_it_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    receiver = build("console_configs", {}, where="test")

    await receiver.send(notification())
    await receiver.close()

    assert "━━ PAGE ━" in capsys.readouterr().out


async def test_a_stream_that_is_gone_is_a_failed_delivery() -> None:
    stream = io.StringIO()
    stream.close()

    with pytest.raises(DeliveryError) as caught:
        await ConsoleReceiver(ConsoleConfig(), stream=stream).send(notification())

    assert caught.value.reason is Reason.NETWORK


def test_addresses_and_ids_are_never_broken() -> None:
    url = PAGE_URL + "/" + "long-" * 60
    text = page(notification(alert(url=url, request_ids=["req_" + "x" * 120])), colour=False)

    assert url in text
    assert "req_" + "x" * 120 in text


@given(one=notifications())
def test_whatever_alerts_hold_no_control_character_reaches_the_terminal(one: Notification) -> None:
    text = page(one, colour=False)

    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", text)
    assert "\n━━ " in text
    assert text.endswith("\n\n") or "  and " in text or "  also " in text
    text.encode()
