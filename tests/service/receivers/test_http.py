"""service/receivers/http.py on real sockets: what an answer means, and what no error shows."""

from __future__ import annotations

import asyncio
import logging
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.receivers.base import DeliveryError, Reason
from service.receivers.endpoint import Endpoint
from service.receivers.http import MAX_BODY, MAX_RETRY_AFTER_S, Http, retry_after
from service.receivers.secret import Secret, blot
from tests.support.pager import HANG, HANG_IN_BODY, RESET, Pager, Reply
from tests.support.peers import require
from tests.support.trickling import trickling

TOKEN = "tok-5C35K2UUqR7Fy"


@asynccontextmanager
async def http(
    url: str, *, timeout: float = 5.0, token: str = "", secrets: tuple[str, ...] = ()
) -> AsyncIterator[Http]:
    endpoint = Endpoint(url=Secret(url), credentials=Secret(token) if token else None, timeout=timeout)
    one = Http(endpoint, secrets=tuple(Secret(text) for text in secrets))
    try:
        yield one
    finally:
        await one.close()


async def refusal(url: str, *, timeout: float = 5.0, token: str = "", secrets: tuple[str, ...] = ()) -> DeliveryError:
    """The error that posting there raises."""
    async with http(url, timeout=timeout, token=token, secrets=secrets) as one:
        with pytest.raises(DeliveryError) as caught:
            await one.post({"x": 1})
    return caught.value


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_is_a_yes(pager: Pager, status: int) -> None:
    pager.answer_with(Reply(status=status, body="" if status == 204 else "taken"))

    async with http(pager.url) as one:
        answer = await one.post({"x": "é"})

    assert answer.status == status
    assert answer.text == ("" if status == 204 else "taken")
    assert pager.received[0].json == {"x": "é"}
    assert pager.received[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("status", "reason", "retryable"),
    [
        (400, Reason.CLIENT, False),
        (401, Reason.AUTH, False),
        (402, Reason.CLIENT, False),
        (403, Reason.AUTH, False),
        (404, Reason.GONE, False),
        (405, Reason.CLIENT, False),
        (408, Reason.SERVER, True),
        (409, Reason.CLIENT, False),
        (410, Reason.GONE, False),
        (413, Reason.CLIENT, False),
        (422, Reason.CLIENT, False),
        (425, Reason.SERVER, True),
        (429, Reason.RATE_LIMITED, True),
        (499, Reason.CLIENT, False),
        (500, Reason.SERVER, True),
        (502, Reason.SERVER, True),
        (503, Reason.SERVER, True),
        (529, Reason.SERVER, True),
    ],
)
async def test_a_status_says_why_and_whether_to_try_again(
    pager: Pager, status: int, reason: Reason, retryable: bool
) -> None:
    pager.answer_with(Reply(status=status, body="no_service"))

    error = await refusal(pager.url)

    assert (error.reason, error.retryable, error.status) == (reason, retryable, status)
    assert f"{pager.url}: answered {status} no_service: " in str(error)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed_and_the_error_says_so(pager: Pager, status: int) -> None:
    elsewhere = f"http://user:{TOKEN}@elsewhere.example/{TOKEN}?k={TOKEN}"
    pager.answer_with(Reply(status=status, headers={"Location": elsewhere}, body=""))

    error = await refusal(pager.url)

    assert error.reason is Reason.CLIENT
    assert not error.retryable
    assert "redirect to http://elsewhere.example: none is followed" in str(error)
    assert TOKEN not in str(error)
    assert len(pager.received) == 1


async def test_a_receiver_that_says_nothing_times_out(pager: Pager) -> None:
    pager.answer_with(HANG)

    error = await refusal(pager.url, timeout=0.2)

    assert (error.reason, error.status) == (Reason.TIMEOUT, None)
    assert "no answer within 0.2 s" in str(error)


async def test_a_receiver_that_trickles_times_out_in_total() -> None:
    """Each byte in time is no excuse: a read time-out alone would wait for ever."""

    async with trickling(b"H") as port:
        error = await refusal(f"http://127.0.0.1:{port}", timeout=0.3)

    assert error.reason in (Reason.TIMEOUT, Reason.NETWORK)
    assert error.retryable


async def test_a_200_whose_body_never_comes_is_a_yes(pager: Pager) -> None:
    """The receiver has taken it; to send it again would page twice, every few minutes for a day."""
    pager.answer_with(Reply(status=200, body="ok", fault="hang_body"))

    async with http(pager.url, timeout=2.0) as one:
        answer = await one.post({})

    assert answer.status == 200


async def test_a_429_whose_body_never_comes_is_still_a_429(pager: Pager) -> None:
    pager.answer_with(Reply(status=429, headers={"Retry-After": "7"}, body="slow", fault="hang_body"))

    error = await refusal(pager.url, timeout=2.0)

    assert (error.reason, error.retry_after) == (Reason.RATE_LIMITED, 7.0)


async def test_a_connection_that_is_reset_is_a_network_error(pager: Pager) -> None:
    pager.answer_with(RESET)

    error = await refusal(pager.url)

    assert (error.reason, error.retryable, error.status) == (Reason.NETWORK, True, None)


async def test_nobody_listening_is_a_network_error() -> None:
    with Pager() as gone:
        url = gone.url

    error = await refusal(f"{url}/{TOKEN}")

    assert error.reason is Reason.NETWORK
    assert str(error).startswith(f"{url}: ConnectError: ")
    assert TOKEN not in str(error)


@pytest.mark.parametrize(
    "host", ["no-such-host.invalid", "a..b", "a" * 70, "[::1%25nope]", "127.0.0.1:0", "127.0.0.1:99999"]
)
async def test_an_address_that_leads_nowhere_is_a_network_error(host: str) -> None:
    assert (await refusal(f"http://{host}/")).reason is Reason.NETWORK


async def test_a_server_without_tls_behind_https_is_a_network_error(pager: Pager) -> None:
    error = await refusal(pager.url.replace("http://", "https://"))

    assert error.reason is Reason.NETWORK
    assert not pager.received


async def test_certificates_and_names_are_verified() -> None:
    async with http("https://example.org") as one:
        context = one._connections._context

    assert isinstance(context, ssl.SSLContext)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


async def test_a_huge_answer_is_read_in_part(pager: Pager) -> None:
    pager.answer_with(Reply(status=500, body=b"x" * 50_000_000))

    error = await refusal(pager.url)

    assert len(str(error)) < 400


async def test_an_answer_shows_no_control_characters(pager: Pager) -> None:
    pager.answer_with(Reply(status=500, body="a\x1b[2Jb\r\nc\x00"))

    assert "answered 500 a [2Jb c: " in str(await refusal(pager.url))


async def test_after_a_failure_the_same_receiver_can_be_used_again(pager: Pager) -> None:
    pager.answer_with(RESET, HANG, HANG_IN_BODY, 500, 200)

    async with http(pager.url, timeout=2.0) as one:
        for _ in range(2):
            with pytest.raises(DeliveryError):
                await one.post({})
        assert (await one.post({})).status == 200
        with pytest.raises(DeliveryError):
            await one.post({})
        assert (await one.post({})).status == 200

    assert len(pager.received) == 5


async def test_the_proxies_of_the_environment_are_not_used(pager: Pager, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")

    async with http(pager.url) as one:
        assert (await one.post({})).status == 200


# Retry-After


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("30", 30.0),
        (" 30 ", 30.0),
        ("1.5", 1.5),
        ("99999999", MAX_RETRY_AFTER_S),
        ("9" * 400, MAX_RETRY_AFTER_S),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("soon", None),
        ("", None),
        ("٣", None),
    ],
)
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}) == seconds


@pytest.mark.parametrize(("ahead", "seconds"), [(90, 90.0), (-90, 0.0), (90_000, MAX_RETRY_AFTER_S)])
def test_a_retry_after_date_counts_from_the_answers_own_date(ahead: int, seconds: float) -> None:
    """So it holds whatever our clock says."""
    sent = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)
    until = sent + timedelta(seconds=ahead)

    headers = {"date": format_datetime(sent, usegmt=True), "retry-after": format_datetime(until, usegmt=True)}

    assert retry_after(headers) == seconds


def test_a_retry_after_date_without_a_date_says_nothing() -> None:
    assert retry_after({"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"}) is None


@given(value=st.one_of(st.text(), st.from_regex(r"\w+, \d+ \w+ \d+ \d+:\d+:\d+ [+-]?\w+", fullmatch=True)))
def test_no_retry_after_breaks_a_delivery(value: str) -> None:
    headers = {"date": "Sun, 06 Nov 1994 08:49:37 GMT", "retry-after": value}

    seconds = retry_after(headers)

    assert seconds is None or 0 <= seconds <= MAX_RETRY_AFTER_S


async def test_retry_after_comes_with_the_error(pager: Pager) -> None:
    pager.answer_with(Reply(status=429, headers={"Retry-After": "12"}))

    assert (await refusal(pager.url)).retry_after == 12.0


async def test_a_retry_after_date_comes_with_the_error(pager: Pager) -> None:
    dates = {"Date": "Mon, 23 Nov 2026 03:04:05 GMT", "Retry-After": "Mon, 23 Nov 2026 03:05:00 GMT"}
    pager.answer_with(Reply(status=503, headers=dates))

    assert (await refusal(pager.url)).retry_after == 55.0


# Secrets


@pytest.mark.parametrize("status", [302, 400, 401, 404, 429, 500])
@pytest.mark.parametrize(
    "echo",
    [
        lambda url: f"no hook at {url}",
        lambda url: f"unknown key {TOKEN}",
        lambda url: f'{{"url": "{url}"}}'.replace("/", "\\/"),
        lambda url: "x" * (MAX_BODY - 7) + TOKEN,
        lambda url: (TOKEN + " ") * 400,
    ],
)
async def test_a_receiver_that_echoes_the_secret_is_not_quoted(
    pager: Pager, status: int, echo: Callable[[str], str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    url = f"{pager.url}/services/T00000000/{TOKEN}?key=k{TOKEN}"
    pager.answer_with(Reply(status=status, body=echo(url)))

    error = await refusal(url)

    assert TOKEN not in f"{error} {error!r} {error.__cause__!r}"
    assert TOKEN not in caplog.text
    assert pager.received[0].path == f"/services/T00000000/{TOKEN}?key=k{TOKEN}"


async def test_no_log_line_shows_the_address(pager: Pager, caplog: pytest.LogCaptureFixture) -> None:
    """At every level, of every library on the way."""
    caplog.set_level(logging.DEBUG)

    async with http(f"{pager.url}/hook/{TOKEN}", token="bearer-011CSHoEeqs5") as one:
        await one.post({})

    assert pager.received[0].headers["authorization"] == "Bearer bearer-011CSHoEeqs5"
    assert TOKEN not in caplog.text
    assert "011CSHoEeqs5" not in caplog.text


async def test_user_and_password_of_the_address_become_a_header_and_are_not_shown(pager: Pager) -> None:
    pager.answer_with(Reply(status=401, body=f"who is pat:{TOKEN}? cGF0OnRvay01QzM1SzJVVXFSN0Z5"))

    error = await refusal(pager.url.replace("http://", f"http://pat:{TOKEN}@"))

    assert pager.received[0].headers["authorization"] == "Basic cGF0OnRvay01QzM1SzJVVXFSN0Z5"
    assert TOKEN not in str(error)
    assert "cGF0" not in str(error)


async def test_a_secret_that_is_cut_by_a_hanging_body_is_not_shown_in_part(pager: Pager) -> None:
    pager.answer_with(Reply(status=500, body=TOKEN, fault="hang_body"))

    error = await refusal(f"{pager.url}/{TOKEN}", timeout=2.0)

    assert "answered 500:" in str(error)


async def test_a_token_that_the_receiver_echoes_is_blotted_out(pager: Pager) -> None:
    pager.answer_with(Reply(status=403, body=f"bad token {TOKEN}; key routing-9"))

    error = await refusal(pager.url, token=TOKEN, secrets=("routing-9",))

    assert "bad token <secret>; key <secret>" in str(error)


@given(
    before=st.text("xyz \n", max_size=5000),
    secret=st.text("0123456789", min_size=4, max_size=2000),
    times=st.integers(1, 30),
)
def test_blotting_leaves_no_digit_of_a_secret_however_the_answer_was_cut(before: str, secret: str, times: int) -> None:
    answer = (before + f"{secret} " * times)[:MAX_BODY]

    shown = blot(answer, [secret], cut=len(answer) == MAX_BODY)

    assert not any(digit in shown for digit in "0123456789")


@pytest.mark.peer("openssl")
async def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [require("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async with await asyncio.start_server(_never, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        error = await refusal(f"https://127.0.0.1:{port}/{TOKEN}")

    assert error.reason is Reason.NETWORK
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)


async def _never(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close at once: no request may come through."""
    writer.close()
