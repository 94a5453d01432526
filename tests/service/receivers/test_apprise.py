"""service/receivers/apprise.py through the real library, to a real server."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given

from alerts.notification import Notification
from service.receivers import ReceiverConfigError, build
from service.receivers.apprise_text import MAX_BODY, MAX_SUBJECT, body, mood, subject
from service.receivers.base import DeliveryError, Reason
from tests.service.receivers.notifications import (
    ACK_URL,
    PAGE_URL,
    alert,
    notification,
    notifications,
    resolved,
)
from tests.support.pager import HANG, RESET, Pager, Reply

TOKEN = "tok-5C35K2UUqR7Fy"


def url_of(pager: Pager) -> str:
    """Apprise's address for a server that takes JSON."""
    return f"{pager.url.replace('http://', 'json://')}/{TOKEN}"


async def sent(pager: Pager, one: Notification | None = None, **settings: Any) -> Any:
    """What arrived when it was sent."""
    receiver = build("apprise_configs", {"url": url_of(pager), **settings}, where="test")
    await receiver.send(one or notification())
    await receiver.close()
    return pager.received[-1].json


async def refusal(pager: Pager, **settings: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await sent(pager, **settings)
    return caught.value


async def test_a_page_arrives_as_title_and_text(pager: Pager) -> None:
    arrived = await sent(pager)

    assert arrived["title"] == "PAGE: checkout: 9 of 61 Claude calls failed"
    assert arrived["type"] == "failure"
    assert arrived["message"].splitlines() == [
        "9 of 61 calls failed in 5m (14.8 %)",
        "overloaded_error (529) 7, api_error (500) 2",
        "app=checkout environment=prod model=claude-sonnet-4-5",
        PAGE_URL,
        f"acknowledge: {ACK_URL}",
        "runbook: https://wiki.example/claude",
        "The model is overloaded: shed load, fall back to another model, and wait.",
        "req_011CSHoEeqs5C35K2UUqR7Fy req_011CSHoEeqs5C35K2UUqR7Fz",
    ]
    assert pager.received[0].path == f"/{TOKEN}"


async def test_the_end_says_after_how_long_and_why(pager: Pager) -> None:
    arrived = await sent(pager, notification(resolved()))

    assert arrived["title"] == "RESOLVED: checkout: 9 of 61 Claude calls failed"
    assert arrived["type"] == "success"
    assert arrived["message"].splitlines()[0] == "after 11m: no call failed for 5 minutes"
    assert ACK_URL not in arrived["message"]


async def test_a_group_says_first_how_many_there_are_and_where(pager: Pager) -> None:
    arrived = await sent(pager, notification(*[alert()] * 10_000))

    lines = arrived["message"].splitlines()
    assert lines[0] == "9,992 more than these: https://claxon.example"
    assert lines[1:] == ["PAGE checkout: 9 of 61 Claude calls failed"] * 8


@pytest.mark.parametrize(
    ("severity", "changes", "expected"),
    [
        ("page", {}, "failure"),
        ("critical", {}, "failure"),
        ("error", {}, "failure"),
        ("", {}, "failure"),
        ("ticket", {}, "warning"),
        ("warning", {}, "warning"),
        ("info", {}, "info"),
        ("page", {"test": True}, "info"),
    ],
)
def test_the_severity_decides_how_it_looks(severity: str, changes: dict[str, Any], expected: str) -> None:
    assert mood(notification(alert(labels={"severity": severity}), **changes)) == expected


def test_what_is_unusual_stands_first() -> None:
    one = notification(alert(acked_by="pat"), undelivered="pager: answered 401")

    assert subject(one) == "PAGE, not delivered to pager: checkout: 9 of 61 Claude calls failed"
    assert body(one).startswith("Not delivered where it should have been: pager: answered 401\n9 of 61")
    assert "acknowledged by pat" in body(one)
    assert ACK_URL not in body(one)


@pytest.mark.parametrize("evil", ["@everyone", "<!channel>", "<@U0AAAAAAA>", "@here"])
def test_what_an_event_says_calls_nobody(evil: str) -> None:
    one = notification(alert(summary=evil, measured=evil, errors=evil, advice=evil, request_ids=[evil]))

    assert evil not in subject(one) + body(one)


@given(one=notifications())
def test_whatever_alerts_hold_the_text_is_short_and_never_empty(one: Notification) -> None:
    assert 1 <= len(subject(one)) <= 2 * MAX_SUBJECT
    assert 1 <= len(body(one)) <= MAX_BODY
    (subject(one) + body(one)).encode()


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
async def test_a_refusal_may_be_tried_again_and_shows_no_secret(
    pager: Pager, status: int, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    pager.answer_with(Reply(status=status, body=f"bad {TOKEN}"))

    error = await refusal(pager)

    assert (error.reason, error.retryable) == (Reason.NETWORK, True)
    assert str(status) in str(error)
    out, err = capfd.readouterr()
    assert TOKEN not in f"{error} {error!r} {out} {err} {caplog.text}"


async def test_a_connection_that_is_reset_may_be_tried_again(pager: Pager) -> None:
    pager.answer_with(RESET)

    assert (await refusal(pager)).reason is Reason.NETWORK


async def test_a_service_that_says_nothing_times_out(pager: Pager) -> None:
    pager.answer_with(HANG)

    error = await refusal(pager, timeout="1s")

    assert (error.reason, str(error)) == (Reason.TIMEOUT, "apprise: no answer within 1 s")


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "no address that Apprise knows"),
        ("s3cr3t", "no address that Apprise knows"),
        ("nosuchthing://s3cr3t", "no address that Apprise knows"),
        ("json://", "no address that Apprise knows"),
        ("jsons://pager.example/s3cr3t?verify=no", "has verify=no; pages are secrets"),
    ],
)
def test_an_address_that_apprise_does_not_know_is_refused_and_not_quoted(
    url: str, problem: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ReceiverConfigError) as caught:
        build("apprise_configs", {"url": url}, where="test")

    assert str(caught.value).startswith(f"test: url: {problem}")
    assert "s3cr3t" not in f"{caught.value} {capfd.readouterr()}"


def run(code: str) -> str:
    """What a new Python prints that runs the code."""
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_nobody_pays_for_apprise_who_does_not_use_it() -> None:
    code = "import service.receivers, sys; print('apprise' in sys.modules, 'requests' in sys.modules)"

    assert run(code) == "False False\n"


def test_where_it_is_not_installed_the_entry_says_what_to_install() -> None:
    code = """
import sys
sys.modules["apprise"] = None
from service.receivers import ReceiverConfigError, build
try:
    build("apprise_configs", {"url": "ntfy://ntfy.example.org/topic"}, where="test")
except ReceiverConfigError as error:
    print(error)
"""

    assert run(code) == "test: url: needs the package apprise: install claxon-server[apprise]\n"
