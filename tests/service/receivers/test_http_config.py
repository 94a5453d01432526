"""`http_config`: every setting on real sockets, with real certificates and a real proxy."""

from __future__ import annotations

import logging
import ssl
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.receivers import ReceiverConfigError, build
from service.receivers.base import Answer, DeliveryError, Reason
from service.receivers.proxy import Proxies
from service.receivers.secret import Secret
from tests.service.receivers.notifications import notification
from tests.support.certificates import Authority, authority
from tests.support.http_proxy import http_proxy
from tests.support.pager import Pager, Reply
from tests.support.tls_pager import TlsPager

NO_OAUTH2 = "not supported: write authorization with a token; credentials_file may name one that another program renews"
PASSWORD = "pa55-w0rd:with-colon"


async def sent(url: str, folder: Path | None = None, **http: Any) -> Answer:
    """The answer to one page, sent with this `http_config`."""
    receiver = build("webhook_configs", {"url": url, "http_config": http}, where="test", folder=folder)
    try:
        return await receiver.send(notification())
    finally:
        await receiver.close()


async def refusal(url: str, folder: Path | None = None, **http: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        await sent(url, folder, **http)
    return caught.value


def problems(folder: Path | None = None, **http: Any) -> list[str]:
    """What is wrong with this `http_config`."""
    with pytest.raises(ReceiverConfigError) as caught:
        build("webhook_configs", {"url": "https://pager.example", "http_config": http}, where="test", folder=folder)
    return [problem.removeprefix("test: http_config: ") for problem in caught.value.problems]


# Who we are


async def test_basic_auth_sends_user_and_password(pager: Pager) -> None:
    await sent(pager.url, basic_auth={"username": "pat", "password": PASSWORD})

    assert pager.received[0].headers["authorization"] == "Basic cGF0OnBhNTUtdzByZDp3aXRoLWNvbG9u"


async def test_user_and_password_may_stand_in_files_that_change(pager: Pager, tmp_path: Path) -> None:
    (tmp_path / "user").write_text("pat\n")
    (tmp_path / "password").write_text("one\n")
    basic = {"username_file": "user", "password_file": "password"}
    receiver = build(
        "webhook_configs", {"url": pager.url, "http_config": {"basic_auth": basic}}, where="test", folder=tmp_path
    )

    await receiver.send(notification())
    (tmp_path / "password").write_text("two\n")
    await receiver.send(notification())
    await receiver.close()

    assert [one.headers["authorization"] for one in pager.received] == ["Basic cGF0Om9uZQ==", "Basic cGF0OnR3bw=="]


@pytest.mark.parametrize("echo", [PASSWORD, "cGF0OnBhNTUtdzByZDp3aXRoLWNvbG9u"])
async def test_a_receiver_that_echoes_the_password_is_not_quoted(pager: Pager, echo: str) -> None:
    pager.answer_with(Reply(status=401, body=f"bad: {echo}"))

    error = await refusal(pager.url, basic_auth={"username": "pat", "password": PASSWORD})

    assert error.reason is Reason.AUTH
    assert "bad: <secret>" in str(error)


async def test_the_old_bearer_token_still_works(pager: Pager, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t2\n")

    await sent(pager.url, bearer_token="t1")
    await sent(pager.url, tmp_path, bearer_token_file="token")

    assert [one.headers["authorization"] for one in pager.received] == ["Bearer t1", "Bearer t2"]


@pytest.mark.parametrize(
    ("http", "problem"),
    [
        ({"basic_auth": {"password": "x"}}, "basic_auth: username: missing: write username or username_file"),
        (
            {"basic_auth": {"username": "a:b"}},
            "basic_auth: username: has a colon, which ends a user's name: write it without",
        ),
        (
            {"basic_auth": {"username": "a"}, "bearer_token": "x"},
            "bearer_token: basic_auth is set too: keep one of them",
        ),
        (
            {"authorization": {"credentials": "x"}, "basic_auth": {"username": "a"}},
            "basic_auth: authorization is set too: keep one of them",
        ),
        (
            {"oauth2": {"client_id": "x"}},
            f"oauth2: {NO_OAUTH2}",
        ),
    ],
)
def test_what_cannot_authorise_is_refused(http: dict[str, Any], problem: str) -> None:
    assert problems(**http) == [problem]


async def test_more_headers_are_sent_and_their_secrets_not_shown(pager: Pager, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cr3t-in-file\n")
    pager.answer_with(Reply(status=403, body="search: no s3cr3t-in-file, no s3cr3t-inline"))
    headers = {
        "X-Team": {"values": ["search"]},
        "X-Key": {"files": ["key"]},
        "X-Other": {"secrets": ["s3cr3t-inline"]},
    }

    error = await refusal(pager.url, tmp_path, http_headers=headers)

    assert pager.received[0].headers["x-team"] == "search"
    assert pager.received[0].headers["x-key"] == "s3cr3t-in-file"
    assert pager.received[0].headers["x-other"] == "s3cr3t-inline"
    assert "search: no <secret>, no <secret>" in str(error)


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ({"authorization": {"values": ["x"]}}, "authorization: set by Claxon, or by another setting of http_config"),
        ({"Content-Length": {"values": ["0"]}}, "Content-Length: set by Claxon, or by another setting of http_config"),
        ({"X Y": {"values": ["x"]}}, "X Y: no name of a header: write letters, digits and -"),
        ({"X": {}}, "X: values: missing: write values, secrets or files"),
        ({"X": {"secrets": ["s3cr3t\r\nHost: evil"]}}, "X: values: has characters that no header may carry"),
        ({"X": {"values": "s3cr3t"}}, "X: values: write a list of texts"),
        ({"X": {"files": ["/nonexistent"]}}, "X: files: /nonexistent: No such file or directory"),
    ],
)
def test_headers_that_are_none_are_refused(headers: dict[str, Any], problem: str) -> None:
    found = problems(http_headers=headers)

    assert found[0].startswith(f"http_headers: {problem}")
    assert "s3cr3t" not in "".join(found)


# TLS


@pytest.fixture
def root(tmp_path: Path) -> Authority:
    return authority(tmp_path)


@pytest.mark.peer("openssl")
async def test_an_authority_of_ones_own_is_trusted_where_it_is_named(root: Authority) -> None:
    with TlsPager(root.server()) as pager:
        answer = await sent(pager.url, root.folder, tls_config={"ca_file": "authority.pem"})
        inline = await sent(pager.url, tls_config={"ca": root.own.cert.read_text()})
        error = await refusal(pager.url)

    assert (answer.status, inline.status) == (200, 200)
    assert error.reason is Reason.NETWORK
    assert "CERTIFICATE_VERIFY_FAILED" in str(error)
    assert len(pager.received) == 2


@pytest.mark.peer("openssl")
async def test_another_authority_than_the_servers_is_not_enough(root: Authority) -> None:
    other = authority(root.folder, "other")

    with TlsPager(root.server()) as pager:
        error = await refusal(pager.url, tls_config={"ca_file": str(other.own.cert)})

    assert error.reason is Reason.NETWORK
    assert error.retryable
    assert not pager.received


@pytest.mark.peer("openssl")
async def test_the_name_that_is_verified_may_be_another_than_the_address(root: Authority) -> None:
    tls = {"ca_file": str(root.own.cert)}

    with TlsPager(root.server(alternative="DNS:pager.internal")) as pager:
        right = await sent(pager.url, tls_config={**tls, "server_name": "pager.internal"})
        wrong = await refusal(pager.url, tls_config={**tls, "server_name": "other.internal"})
        none = await refusal(pager.url, tls_config=tls)

    assert right.status == 200
    assert "CERTIFICATE_VERIFY_FAILED" in f"{wrong}"
    assert "CERTIFICATE_VERIFY_FAILED" in f"{none}"
    assert len(pager.received) == 1


@pytest.mark.peer("openssl")
async def test_a_server_that_wants_a_certificate_gets_ours(root: Authority) -> None:
    ours = root.sign("client", alternative="DNS:claxon")
    tls = {"ca_file": str(root.own.cert)}

    with TlsPager(root.server(wants_client=True)) as pager:
        shown = await sent(pager.url, tls_config={**tls, "cert_file": str(ours.cert), "key_file": str(ours.key)})
        hidden = await refusal(pager.url, tls_config=tls)

    assert shown.status == 200
    assert hidden.reason is Reason.NETWORK
    assert len(pager.received) == 1


@pytest.mark.peer("openssl")
async def test_a_certificate_that_is_exchanged_is_used_at_the_next_page(root: Authority, tmp_path: Path) -> None:
    """And one that is broken for a moment leaves the last good one in force."""
    trusted = tmp_path / "trusted.pem"
    trusted.write_text(authority(root.folder, "other").own.cert.read_text())
    with TlsPager(root.server()) as pager:
        mapping = {"url": pager.url, "http_config": {"tls_config": {"ca_file": str(trusted)}}}
        receiver = build("webhook_configs", mapping, where="test")

        with pytest.raises(DeliveryError):
            await receiver.send(notification())
        for text in (root.own.cert.read_text(), "no certificate", None):
            trusted.write_text(text) if text is not None else trusted.unlink()
            await receiver.send(notification())
        await receiver.close()

    assert len(pager.received) == 3


@pytest.mark.peer("openssl")
async def test_an_old_version_is_not_spoken(root: Authority) -> None:
    context = root.server()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    tls = {"ca_file": str(root.own.cert)}

    with TlsPager(context) as pager:
        spoken = await sent(pager.url, tls_config={**tls, "min_version": "TLS12"})
        refused = await refusal(pager.url, tls_config={**tls, "min_version": "TLS13"})

    assert spoken.status == 200
    assert refused.reason is Reason.NETWORK


def test_an_unverified_server_is_refused_and_told_why() -> None:
    (problem,) = problems(tls_config={"insecure_skip_verify": True})

    assert problem.startswith("tls_config: insecure_skip_verify: true: pages are secrets")
    assert "ca_file" in problem


@pytest.mark.parametrize(
    ("tls", "problem"),
    [
        ({"ca_file": "missing.pem"}, "ca_file: No such file or directory: name a file of certificates in PEM"),
        ({"ca_file": "bad.pem"}, "ca_file: "),
        ({"ca": "x", "ca_file": "bad.pem"}, "ca: ca_file is set too: keep one of them"),
        ({"cert_file": "bad.pem"}, "cert_file: "),
        ({"key_file": "bad.pem"}, "cert_file: missing: key_file is set, so name its certificate"),
        ({"key": "s3cr3t"}, "key: not read from here: write it into a file, and name that in key_file"),
        ({"min_version": "TLS10"}, "min_version: TLS10: too old to keep pages and their keys secret"),
        ({"min_version": "SSL3"}, "min_version: SSL3: write TLS12 or TLS13"),
        ({"min_version": "TLS13", "max_version": "TLS12"}, "max_version: older than min_version: exchange them"),
        ({"cafile": "x"}, "cafile: unknown: did you mean ca_file?"),
    ],
)
def test_certificates_that_are_none_are_refused_at_the_start(tls: dict[str, Any], problem: str, tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("no certificate")

    found = problems(tmp_path, tls_config=tls)

    assert found[0].startswith(f"tls_config: {problem}")
    assert "s3cr3t" not in "".join(found)


@pytest.mark.peer("openssl")
def test_a_key_that_wants_a_password_is_refused_and_asks_nobody(root: Authority) -> None:
    locked = root.folder / "locked.key"
    subprocess.run(
        ["openssl", "ec", "-in", root.own.key, "-out", locked, "-aes128", "-passout", "pass:x"],
        check=True,
        capture_output=True,
    )

    (problem,) = problems(tls_config={"cert_file": str(root.own.cert), "key_file": str(locked)})

    assert "wants a password: write it without one" in problem


# Proxies


async def test_a_proxy_forwards_a_page(pager: Pager) -> None:
    async with http_proxy() as proxy:
        answer = await sent(pager.url.replace("127.0.0.1", "pager.example"), proxy_url=proxy.url)

    assert answer.status == 200
    assert proxy.asked[0].startswith("POST http://pager.example:")


@pytest.mark.peer("openssl")
async def test_through_a_proxy_the_server_itself_is_verified(root: Authority) -> None:
    tls = {"ca_file": str(root.own.cert)}

    with TlsPager(root.server(alternative="DNS:pager.example")) as pager:
        url = pager.url.replace("127.0.0.1", "pager.example") + "/hook/s3cr3t"
        async with http_proxy() as proxy:
            answer = await sent(url, proxy_url=proxy.url, tls_config=tls)
            wrong = await refusal(url.replace("pager.", "other."), proxy_url=proxy.url, tls_config=tls)

    assert answer.status == 200
    assert proxy.asked[0].startswith("CONNECT pager.example:")
    assert "s3cr3t" not in "".join(proxy.asked)
    assert "CERTIFICATE_VERIFY_FAILED" in str(wrong)


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_wants_a_password_gets_it_and_nobody_else_sees_it(
    pager: Pager, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = pager.url.replace("http://127.0.0.1", f"{scheme}://pager.example")

    async with http_proxy(user="pat:s3cr3t") as proxy:
        wrong = await refusal(url, proxy_url=proxy.url.replace("s3cr3t", "wr0ng"))
        right = await sent(url, proxy_url=proxy.url) if scheme == "http" else await refusal(url, proxy_url=proxy.url)

    assert (wrong.reason, wrong.retryable) == (Reason.AUTH, False)
    assert "407" in str(wrong)
    # Behind https there is no TLS here: but the proxy let us through to see that.
    assert not isinstance(right, DeliveryError) or right.reason is Reason.NETWORK
    assert "s3cr3t" not in f"{wrong} {right} {caplog.text}"
    assert "wr0ng" not in f"{wrong} {caplog.text}"


async def test_a_proxy_that_is_not_there_is_a_network_error(pager: Pager) -> None:
    async with http_proxy() as gone:
        pass

    error = await refusal(pager.url, proxy_url=gone.url)

    assert error.reason is Reason.NETWORK
    assert not pager.received


async def test_the_environments_proxy_is_used_only_where_that_is_asked_for(
    pager: Pager, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = pager.url.replace("127.0.0.1", "pager.example")

    async with http_proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        asked = await sent(url, proxy_from_environment=True)
        here = await sent(pager.url, proxy_from_environment=True)

    assert (asked.status, here.status) == (200, 200)
    assert len(proxy.asked) == 1


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("*", "https://pager.example", True),
        ("pager.example", "https://pager.example", True),
        ("pager.example", "https://a.pager.example", True),
        ("pager.example", "https://notpager.example", False),
        (".pager.example", "https://pager.example", False),
        ("*.pager.example", "https://a.pager.example", True),
        ("PAGER.example", "https://pager.EXAMPLE", True),
        ("pager.example:8443", "https://pager.example:8443", True),
        ("pager.example:8443", "https://pager.example", False),
        ("pager.example:443", "https://pager.example", True),
        ("10.0.0.0/8", "http://10.1.2.3", True),
        ("10.0.0.0/8", "http://11.1.2.3", False),
        ("10.1.2.3:80", "http://10.1.2.3", True),
        ("fd00::/8", "http://[fd00::1]", True),
        ("[fd00::1]:80", "http://[fd00::1]", True),
        (" a.example , b.example ", "http://b.example", True),
        ("other", "http://localhost", True),
        ("other", "http://127.0.0.9", True),
        ("", "http://localhost", False),
    ],
)
def test_no_proxy_names_who_is_reached_directly(no_proxy: str, url: str, direct: bool) -> None:
    proxies = Proxies(url=Secret("http://proxy.example:3128"), no_proxy=no_proxy)

    assert (proxies.way(httpx2.URL(url)) == "") is direct


@pytest.mark.parametrize(
    ("environ", "url", "way"),
    [
        ({"HTTPS_PROXY": "http://p:1"}, "https://x.example", "http://p:1"),
        ({"https_proxy": "p:1"}, "https://x.example", "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, "http://x.example", ""),
        ({"HTTP_PROXY": "http://p:1", "NO_PROXY": "x.example"}, "http://x.example", ""),
        ({"HTTP_PROXY": "http://p:1"}, "http://127.0.0.1", ""),
        ({}, "http://x.example", ""),
    ],
)
def test_the_environment_names_a_proxy_for_each_scheme(environ: dict[str, str], url: str, way: str) -> None:
    assert Proxies(environment=True).way(httpx2.URL(url), environ) == way


@pytest.mark.parametrize(
    ("http", "problem"),
    [
        ({"proxy_url": "socks5://s3cr3t@p"}, "proxy_url: neither http nor https: write an address"),
        ({"proxy_url": "proxy:s3cr3t"}, "proxy_url: neither http nor https: write an address"),
        ({"no_proxy": "x"}, "no_proxy: proxy_url is missing: write it, or remove this"),
        ({"proxy_url": "http://p", "proxy_from_environment": True}, "proxy_from_environment: proxy_url is set too"),
        ({"no_proxy": "x", "proxy_from_environment": True}, "no_proxy: proxy_from_environment is set: write it into"),
        ({"proxy_connect_header": {}}, "proxy_connect_header: not supported yet: remove it"),
        ({"follow_redirects": True}, "follow_redirects: true: no redirect is followed, for it would take the page"),
    ],
)
def test_ways_that_are_none_are_refused(http: dict[str, Any], problem: str) -> None:
    found = problems(**http)

    assert found[0].startswith(problem)
    assert "s3cr3t" not in "".join(found)


def test_an_environment_that_names_no_proxy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://pat:s3cr3t@p")

    (problem,) = problems(proxy_from_environment=True)

    assert problem.startswith("proxy_from_environment: HTTPS_PROXY: neither http nor https")
    assert "s3cr3t" not in problem


async def test_what_changes_nothing_here_is_accepted(pager: Pager) -> None:
    """An existing file has them."""
    answer = await sent(
        pager.url, follow_redirects=False, enable_http2=True, tls_config={"insecure_skip_verify": False}
    )

    assert answer.status == 200
