"""service/receivers/destinations.py: nobody reaches, through Claxon, what only Claxon's network can."""

from __future__ import annotations

import ssl
from ipaddress import ip_address
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.receivers.destinations import Destination, ForbiddenDestination, is_public, pinned, vetted
from tests.support.certificates import authority
from tests.support.tls_pager import TlsPager


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST.",
        "127.0.0.1",
        "127.1",
        "0",
        "0.0.0.0",
        "2130706433",  # 127.0.0.1 as one number
        "0x7f000001",
        "017700000001",
        "0177.0.0.1",
        "0x7f.1",
        "2852039166",  # 169.254.169.254
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.100.100.200",
        "168.63.129.16",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "198.18.0.1",
        "[::1]",
        "[::]",
        "[fe80::1]",
        "[fe80::1%25lo]",
        "[fd00:ec2::254]",
        "[ff02::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "[2001::1]",
        "[fec0::1]",
    ],
)
async def test_what_is_not_the_public_internet_is_refused_however_it_is_written(host: str) -> None:
    with pytest.raises(ForbiddenDestination):
        await vetted(f"http://{host}:8080/s3cr3t")


@pytest.mark.parametrize(
    ("url", "destination"),
    [
        ("https://93.184.216.34/hook", Destination("93.184.216.34", 443, "93.184.216.34")),
        ("http://1.1.1.1:8080", Destination("1.1.1.1", 8080, "1.1.1.1")),
        ("http://16843009", Destination("1.1.1.1", 80, "16843009")),
        ("https://[2606:4700::1111]/", Destination("2606:4700::1111", 443, "2606:4700::1111")),
        ("https://[64:ff9b::101:101]/", Destination("64:ff9b::101:101", 443, "64:ff9b::101:101")),
    ],
)
async def test_a_public_address_is_returned_as_it_was_checked(url: str, destination: Destination) -> None:
    assert await vetted(url) == destination


@pytest.mark.parametrize(
    "url", ["", "x", "ftp://1.1.1.1", "file:///etc/passwd", "http://", "http://1.1.1.1:0", "//1.1.1.1"]
)
async def test_what_is_no_address_of_the_web_is_refused(url: str) -> None:
    with pytest.raises(ForbiddenDestination, match=r"not an address|neither http nor https"):
        await vetted(url)


async def test_a_name_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(ForbiddenDestination, match=r"no-such-host\.invalid: leads nowhere: check the name"):
        await vetted("https://no-such-host.invalid/")


async def test_a_refusal_names_the_host_and_not_the_path() -> None:
    with pytest.raises(ForbiddenDestination) as caught:
        await vetted("http://pat:s3cr3t@localhost/s3cr3t?s3cr3t")

    assert "s3cr3t" not in str(caught.value)
    assert str(caught.value).startswith("localhost: leads to ")


@pytest.mark.peer("openssl")
@pytest.mark.parametrize(("name", "verified"), [("pager.example", True), ("other.example", False)])
async def test_a_pinned_request_goes_to_that_address_and_verifies_the_name(
    name: str, verified: bool, tmp_path: Path
) -> None:
    """Whatever the name leads to by then: nobody asks."""
    root = authority(tmp_path)
    with TlsPager(root.server(alternative="DNS:pager.example")) as pager:
        port = int(pager.url.rpartition(":")[2])
        request = pinned(f"https://{name}:{port}/hook?x=1", Destination("127.0.0.1", port, name), body=b"{}")
        async with httpx2.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=root.own.cert)) as transport:
            if verified:
                response = await transport.handle_async_request(request)
                await response.aread()
            else:
                with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                    await transport.handle_async_request(request)

    assert [(one.path, one.headers["host"]) for one in pager.received] == [
        ("/hook?x=1", f"pager.example:{port}")
    ] * verified


@given(number=st.integers(0, 2**32 - 1))
def test_ipv4_is_judged_alike_inside_ipv6(number: int) -> None:
    plain = ip_address(number)

    mapped = ip_address(f"::ffff:{plain}")
    translated = ip_address((0x64FF9B << 96) + number)

    assert is_public(plain) == is_public(mapped) == is_public(translated)
