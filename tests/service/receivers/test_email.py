"""service/receivers/email.py against a real mail server: what arrives, and what a refusal means."""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from email import policy
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from alerts.notification import Notification
from service.receivers import ReceiverConfigError, build
from service.receivers.base import Answer, DeliveryError, Reason
from service.receivers.email_html import MAX_HTML
from service.receivers.email_message import message, subject
from service.receivers.text import width
from tests.service.receivers.notifications import (
    ACK_URL,
    FIRED_AT,
    PAGE_URL,
    alert,
    notification,
    notifications,
    resolved,
)
from tests.support.certificates import Authority, authority
from tests.support.mail_server import Mail, MailServer, Rules
from tests.support.trickling import trickling

LEAST = {"from": "Claxon <claxon@example.org>", "to": "oncall@example.org"}
PASSWORD = "pa55w0rd-é"


@pytest.fixture
def root(tmp_path: Path) -> Authority:
    return authority(tmp_path)


async def sent(server: MailServer, one: Notification | None = None, **settings: Any) -> Answer:
    """The answer to one page that goes to the server, in the clear unless the settings say otherwise."""
    mapping = {**LEAST, "smarthost": server.address, "require_tls": False, **settings}
    receiver = build("email_configs", mapping, where="test")
    try:
        return await receiver.send(one or notification())
    finally:
        await receiver.close()


async def refusal(server: MailServer, **settings: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await sent(server, **settings)
    return caught.value


def problems(**settings: Any) -> list[str]:
    with pytest.raises(ReceiverConfigError) as caught:
        build("email_configs", {**LEAST, "smarthost": "mail.example:587", **settings}, where="test")
    return [problem.removeprefix("test: ") for problem in caught.value.problems]


def bodies(mail: Mail) -> tuple[str, str]:
    """The text and the HTML."""
    text, html = mail.message.get_body(("plain",)), mail.message.get_body(("html",))
    assert text is not None
    assert html is not None
    return text.get_content(), html.get_content()


# What arrives


async def test_a_page_arrives_as_text_and_html() -> None:
    with MailServer() as server:
        answer = await sent(server)

    (mail,) = server.received
    assert answer.text == "250 2.0.0 Ok: queued as 4cXk"
    assert (mail.sender, mail.recipients, mail.hello) == ("claxon@example.org", ("oncall@example.org",), "localhost")
    assert mail.message["From"] == "Claxon <claxon@example.org>"
    assert mail.message["To"] == "oncall@example.org"
    assert mail.message["Subject"] == "[FIRING] checkout: 9 of 61 Claude calls failed (prod)"
    assert mail.message["Date"] == "Mon, 23 Nov 2026 03:04:05 +0000"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["Importance"] == "high"
    for body in bodies(mail):
        assert "checkout: 9 of 61 Claude calls failed" in body
        assert "overloaded_error (529) 7, api_error (500) 2" in body
        assert "2026-11-23 03:01:53 UTC" in body
        assert "req_011CSHoEeqs5C35K2UUqR7Fy" in body
        assert "app=checkout environment=prod model=claude-sonnet-4-5" in body
        assert "https://wiki.example/claude" in body
        assert PAGE_URL in body
        assert ACK_URL in body
    assert "src=" not in bodies(mail)[1]


async def test_the_end_says_after_how_long_and_why_and_is_not_urgent() -> None:
    with MailServer() as server:
        await sent(server, notification(resolved()))

    (mail,) = server.received
    assert mail.message["Subject"] == "[RESOLVED] checkout: 9 of 61 Claude calls failed (prod)"
    assert mail.message["Importance"] is None
    for body in bodies(mail):
        assert "after 11m" in body
        assert "no call failed for 5 minutes" in body
        assert ACK_URL not in body


async def test_beginning_repeat_and_end_are_one_thread_and_another_episode_is_another() -> None:
    repeat = notification(reason="repeat interval elapsed", at=FIRED_AT + 14_400)
    with MailServer() as server:
        for one in (notification(), notification(), repeat, notification(resolved())):
            await sent(server, one)
        await sent(server, notification(dedup_key="claxon/ClaudeErrorRate/3f6c0a1b2c3d4e5f/18"))

    first, again, later, end, other = (mail.message for mail in server.received)
    assert first["References"] == first["In-Reply-To"] == later["References"] == end["References"]
    assert other["References"] != first["References"]
    assert first["Message-ID"] == again["Message-ID"], "a second try of the same notification"
    assert len({each["Message-ID"] for each in (first, later, end, other)}) == 4
    assert re.fullmatch(r"<claxon\.[0-9a-f]{32}@example\.org>", first["Message-ID"])


async def test_several_recipients_get_one_message() -> None:
    with MailServer() as server:
        await sent(server, to="Pat <pat@example.org>, sam@example.org")

    assert server.received[0].recipients == ("pat@example.org", "sam@example.org")
    assert server.received[0].message["To"] == "Pat <pat@example.org>, sam@example.org"


async def test_names_may_have_any_letters() -> None:
    with MailServer() as server:
        await sent(server, to='"Größe, Zoë" <pat@example.org>', **{"from": "Wächter <claxon@example.org>"})

    assert server.received[0].recipients == ("pat@example.org",)
    assert server.received[0].message["From"] == "Wächter <claxon@example.org>"
    assert server.received[0].raw.isascii()


async def test_a_large_group_is_told_in_part_and_counted() -> None:
    with MailServer() as server:
        await sent(server, notification(*[alert()] * 3, *[resolved()] * 9_997))

    (mail,) = server.received
    assert mail.message["Subject"].startswith("[FIRING:10,000] checkout: ")
    assert len(mail.raw) < 200_000
    text, html = bodies(mail)
    assert "3 PAGE, 9,997 RESOLVED" in text
    assert "3 PAGE, 9,997 RESOLVED" in html
    assert html.count(">acknowledge</a>") == 3
    assert "and 9,950 more <a href=" in html


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"test": True}, "[FIRE DRILL, nothing is wrong] checkout: 9 of 61 Claude calls failed (prod)"),
        ({"undelivered": "pager: answered 401"}, "[FIRING, not delivered to pager] checkout: 9 of 61 Claude calls"),
        ({"reason": "repeat interval elapsed"}, "[FIRING, still] checkout: 9 of 61 Claude calls failed (prod)"),
    ],
)
def test_the_subject_says_what_is_unusual(changes: dict[str, Any], shown: str) -> None:
    assert subject(notification(**changes)).startswith(shown)


@pytest.mark.parametrize("length", range(30, 160, 5))
def test_a_subject_stands_on_its_line_whatever_its_length(length: int) -> None:
    raw = message(notification(alert(summary="x " * (length // 2))), sender="a@example.org", to="b@example.org")

    assert b"\r\nSubject: [FIRING] x x" in raw


def test_a_subject_says_where_only_once() -> None:
    assert subject(notification(alert(summary="checkout in prod: down"))) == "[FIRING] checkout in prod: down"
    late = notification(resolved(), reason="first notification")
    assert subject(late).startswith("[RESOLVED before it could be told] checkout")


async def test_what_another_receiver_did_not_take_says_so_first() -> None:
    one = alert(acked_by="pat", muted_by="silence <7>")
    with MailServer() as server:
        await sent(server, notification(one, undelivered="pager: answered 401 <no>"))

    text, html = bodies(server.received[0])
    assert text.strip().startswith("Not delivered where it should have been: pager: answered 401 <no>")
    assert "<p><strong>Not delivered where it should have been: pager: answered 401 &lt;no&gt;</strong></p>" in html
    assert "acknowledged by pat, held back by silence &lt;7&gt;" in html
    assert ACK_URL not in html


async def test_more_headers_may_be_added() -> None:
    with MailServer() as server:
        await sent(server, headers={"Reply-To": "team@example.org", "X-Team": "search"})

    assert server.received[0].message["Reply-To"] == "team@example.org"
    assert server.received[0].message["X-Team"] == "search"


async def test_what_an_event_says_adds_no_header_and_no_recipient() -> None:
    evil = "x\r\nBcc: evil@example.org\r\n\r\n.\r\nMAIL FROM:<a@b>\r\n<script>alert(1)</script>"
    one = alert(summary=evil, measured=evil, advice=evil, labels={"alertname": evil, "environment": evil, "app": evil})

    with MailServer() as server:
        await sent(server, notification(one, reason=evil, dedup_key=evil))

    (mail,) = server.received
    assert mail.message["Bcc"] is None
    assert mail.recipients == ("oncall@example.org",)
    assert "<script>" not in bodies(mail)[1]
    assert "&lt;script&gt;" in bodies(mail)[1]


@given(one=notifications())
def test_whatever_alerts_hold_it_is_a_message_with_our_headers_alone(one: Notification) -> None:
    raw = message(one, sender="Claxon <claxon@example.org>", to="a@example.org, b@example.org")

    mail = BytesParser(policy=policy.SMTP).parsebytes(raw)
    assert [*mail.keys()][:9] == [
        "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted",
        "X-Auto-Response-Suppress",
    ]  # fmt: skip
    assert set(mail.keys()[9:]) <= {"Importance", "MIME-Version", "Content-Type"}
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert raw.isascii()
    assert 1 <= width(subject(one)) <= 200
    html = mail.get_body(("html",))
    assert html is not None
    assert "<script" not in html.get_content()
    assert len(html.get_content().encode()) <= MAX_HTML + 12_000


# The conversation


@pytest.mark.peer("openssl")
async def test_tls_is_spoken_before_anything_is_said(root: Authority) -> None:
    with MailServer(tls=root.server()) as server:
        await sent(server, require_tls=True, tls_config={"ca_file": str(root.own.cert)}, hello="claxon.example")

    assert server.received[0].encrypted
    assert server.received[0].hello == "claxon.example"


@pytest.mark.peer("openssl")
async def test_a_mail_server_that_nobody_vouches_for_gets_nothing(root: Authority) -> None:
    with MailServer(Rules(user=f"pat:{PASSWORD}"), tls=root.server()) as server:
        error = await refusal(server, require_tls=True, auth_username="pat", auth_password=PASSWORD)
        wrong = await refusal(
            server, require_tls=True, tls_config={"ca_file": str(root.own.cert), "server_name": "other.example"}
        )

    assert (error.reason, wrong.reason) == (Reason.NETWORK, Reason.NETWORK)
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert server.attempts == 0


@pytest.mark.peer("openssl")
async def test_tls_from_the_first_byte(root: Authority) -> None:
    with MailServer(implicit=root.server()) as server:
        await sent(server, force_implicit_tls=True, tls_config={"ca_file": str(root.own.cert)})

    assert server.received[0].encrypted


def test_port_465_means_tls_from_the_first_byte_and_others_starttls() -> None:
    def server(smarthost: str) -> Any:
        receiver = build("email_configs", {**LEAST, "smarthost": smarthost}, where="test")
        return receiver._config.server  # type: ignore[attr-defined]

    assert (server("mail.example:465").implicit, server("mail.example:465").starttls) == (True, False)
    assert (server("mail.example:587").implicit, server("mail.example:587").starttls) == (False, True)
    assert (server("[::1]:25").host, server("[::1]:25").port) == ("::1", 25)


async def test_without_starttls_nothing_is_said_and_the_remedy_is_named() -> None:
    with MailServer() as server:
        error = await refusal(server, require_tls=True)

    assert (error.reason, error.retryable) == (Reason.CLIENT, False)
    assert "offers no STARTTLS" in str(error)
    assert server.attempts == 0


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
async def test_it_authenticates_in_every_way_that_is_common(mechanism: str) -> None:
    login = {"auth_secret" if mechanism == "CRAM-MD5" else "auth_password": PASSWORD}

    with MailServer(Rules(user=f"pat:{PASSWORD}", mechanisms=(mechanism,))) as server:
        await sent(server, auth_username="pat", **login)

    assert server.received[0].user == "pat"


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "CRAM-MD5"])
async def test_a_wrong_password_is_given_up_and_not_shown(mechanism: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="service")
    login = {"auth_secret" if mechanism == "CRAM-MD5" else "auth_password": "wr0ng-s3cr3t"}

    with MailServer(Rules(user=f"pat:{PASSWORD}", mechanisms=(mechanism,))) as server:
        error = await refusal(server, auth_username="pat", **login)

    assert (error.reason, error.retryable) == (Reason.AUTH, False)
    assert "answered 535 " in str(error)
    assert "check auth_username and its password" in str(error)
    assert "wr0ng" not in f"{error} {error!r} {caplog.text}"


async def test_a_server_that_offers_no_way_we_know_is_given_up() -> None:
    with MailServer(Rules(user="pat:x", mechanisms=("LOGIN",))) as server:
        error = await refusal(server, auth_username="pat", auth_secret="x")

    assert error.reason is Reason.AUTH
    assert "offers no way to authenticate" in str(error)


async def test_a_server_that_wants_a_login_we_do_not_have_is_given_up() -> None:
    with MailServer(Rules(user="pat:x")) as server:
        error = await refusal(server)

    assert (error.reason, error.retryable) == (Reason.AUTH, False)


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("reply", "reason", "retryable"),
    [
        ("421 4.3.2 shutting down", Reason.SERVER, True),
        ("450 4.2.1 mailbox busy", Reason.SERVER, True),
        ("451 4.7.1 greylisted", Reason.SERVER, True),
        ("452 4.3.1 disk full", Reason.SERVER, True),
        ("550 5.1.1 no such user", Reason.CLIENT, False),
        ("552 5.3.4 too large", Reason.CLIENT, False),
        ("554 5.7.1 rejected", Reason.CLIENT, False),
    ],
)
async def test_4xx_is_tried_again_and_5xx_is_not(command: str, reply: str, reason: Reason, retryable: bool) -> None:
    with MailServer(Rules(replies={command: reply})) as server:
        error = await refusal(server)

    assert (error.reason, error.retryable) == (reason, retryable)
    assert f"{server.address}: answered {reply}: " in str(error)
    assert not server.received


async def test_a_page_that_some_may_have_goes_to_them_and_the_answer_names_the_others() -> None:
    """A page for one person is better than none."""
    with MailServer(Rules(replies={"gone@example.org": "550 5.1.1 no such user"})) as server:
        answer = await sent(server, to="gone@example.org, oncall@example.org")

    assert server.received[0].recipients == ("oncall@example.org",)
    assert answer.text.endswith("; not to gone@example.org: 550 5.1.1 no such user")


async def test_where_nobody_may_have_it_and_one_may_later_it_is_tried_again() -> None:
    replies = {"gone@example.org": "550 no such user", "busy@example.org": "450 busy"}
    with MailServer(Rules(replies=replies)) as server:
        error = await refusal(server, to="gone@example.org, busy@example.org")

    assert error.reason is Reason.SERVER


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_a_server_that_says_nothing_times_out(command: str) -> None:
    with MailServer(Rules(hang=command)) as server:
        error = await refusal(server, timeout="1s")

    assert error.reason is Reason.TIMEOUT
    assert "no answer within 1 s" in str(error) or "timed out" in str(error)


async def test_a_server_that_trickles_times_out_in_total() -> None:
    """Each byte in time is no excuse."""

    async with trickling(b"2") as port:
        mapping = {**LEAST, "smarthost": f"127.0.0.1:{port}", "require_tls": False, "timeout": "1s"}
        with pytest.raises(DeliveryError) as caught:
            await build("email_configs", mapping, where="test").send(notification())

    assert caught.value.reason is Reason.TIMEOUT


@pytest.mark.parametrize("said", [b"", b"no mail here\r\n", b"\xff\xfe\r\n", b"554 go away\r\n", b"2" * 20_000])
async def test_what_is_no_mail_server_is_a_failure(said: bytes) -> None:
    async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()

    async with await asyncio.start_server(say, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        mapping = {**LEAST, "smarthost": f"127.0.0.1:{port}", "require_tls": False, "timeout": "2s"}
        with pytest.raises(DeliveryError) as caught:
            await build("email_configs", mapping, where="test").send(notification())

    assert caught.value.reason in (Reason.NETWORK, Reason.CLIENT, Reason.SERVER)


async def test_nobody_listening_is_a_network_error() -> None:
    with MailServer() as server:
        address = server.address
    receiver = build("email_configs", {**LEAST, "smarthost": address, "require_tls": False}, where="test")

    with pytest.raises(DeliveryError) as caught:
        await receiver.send(notification())

    assert (caught.value.reason, caught.value.retryable) == (Reason.NETWORK, True)


async def test_a_page_that_is_called_off_leaves_no_conversation_behind() -> None:
    with MailServer(Rules(hang="MAIL")) as server:
        sending = asyncio.create_task(sent(server, timeout="1m"))
        while not server.attempts:
            await asyncio.sleep(0.01)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)

        for thread in threading.enumerate():
            if thread.name == "claxon-email":
                thread.join(10)
                assert not thread.is_alive()


# Settings


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"from": None}, "from: missing: write an address, such as oncall@example.org"),
        ({"to": None}, "to: missing: write an address, such as oncall@example.org"),
        ({"to": "oncall"}, "to: oncall: write addresses such as oncall@example.org, with commas between"),
        ({"to": "a@b\r\nBcc: c@d"}, "to: a@b Bcc: c@d: write addresses such as oncall@example.org"),
        ({"to": "é@example.org"}, "to: é@example.org: write addresses such as"),
        ({"from": "a@example.org, b@example.org"}, "from: several addresses: write one"),
        ({"to": ", ".join(["a@example.org"] * 101)}, "to: more than 100 addresses: write one of a list"),
        ({"smarthost": None}, "smarthost: missing: write the mail server, such as smtp.example.org:587"),
        ({"smarthost": "mail.example"}, "smarthost: mail.example: write host:port, such as smtp.example.org:587"),
        ({"smarthost": "mail.example:0"}, "smarthost: mail.example:0: write host:port"),
        ({"hello": "a b"}, "hello: a b: write this machine's name"),
        ({"auth_password": "s3cr3t"}, "auth_username: missing: write whose password it is, or leave that out"),
        ({"auth_username": "pat"}, "auth_password: missing: write auth_password or auth_password_file, or auth_secret"),
        (
            {"auth_username": "pat", "auth_password": "s3cr3t", "require_tls": False},
            "auth_password: would go through the network in the clear",
        ),
        ({"headers": {"Subject": "x"}}, "headers: Subject: set by Claxon: remove it"),
        ({"headers": {"X Y": "x"}}, "headers: X Y: no name of a header: write letters, digits and -"),
        ({"headers": {"X-Y": "{{ .Status }}"}}, "headers: X-Y: {{ .Status }}: templates are not supported"),
        ({"headers": {"X-Y": "a\r\nBcc: b@c"}}, "headers: X-Y: has characters that no header may carry"),
        ({"html": "x"}, "html: not supported yet: remove it"),
        ({"tls_config": {"insecure_skip_verify": True}}, "tls_config: insecure_skip_verify: true: pages are secrets"),
        ({"too": "x"}, "too: unknown: did you mean to?"),
    ],
)
def test_settings_that_are_wrong_are_refused(settings: dict[str, Any], problem: str) -> None:
    found = problems(**settings)

    assert found[0].startswith(problem)
    assert "s3cr3t" not in "".join(found)
