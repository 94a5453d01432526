"""docs/howto/proxy.md: a real Claxon behind the real nginx and the real Caddy, with the files that a reader copies."""

from __future__ import annotations

import http.client
import json
import os
import re
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urljoin

import pytest

from alerts.config import KeyConfig
from service.settings import hash_key
from tests.support.certificates import authority
from tests.support.peers import free_port, require
from tests.support.repository import ROOT
from tests.support.running import Client, Running, until

NGINX = (ROOT / "examples/nginx/claxon.conf").read_text("utf-8")
CADDY = (ROOT / "examples/caddy/Caddyfile").read_text("utf-8")
PAGE = (ROOT / "docs/howto/proxy.md").read_text("utf-8")
KEY = "k" * 40
ADMIN = {"Authorization": f"Bearer {KEY}"}
# One process, as whoever runs the tests, that writes into its own folder alone.
NGINX_AROUND = """\
daemon off; master_process off; pid nginx.pid; error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body; proxy_temp_path proxied; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
    include claxon.conf;
}
"""
CADDY_AROUND = "{\n\tadmin off\n\tauto_https disable_redirects\n}\n"


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """Return a text with each place put in; a place that is not there any more is no test."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def nginx(folder: Path, *, at: int, claxon: str, text: str = NGINX) -> list[str]:
    """Return the command of an nginx with the file of the page."""
    text = replaced(
        text,
        ("127.0.0.1:5290", claxon),
        ("listen 443", f"listen 127.0.0.1:{at}"),
        ("/etc/claxon/cert.pem", str(folder / "server.pem")),
        ("/etc/claxon/key.pem", str(folder / "server.key")),
    )
    (folder / "claxon.conf").write_text(text)
    (folder / "nginx.conf").write_text(NGINX_AROUND)
    return [str(require("nginx")), "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, *, at: int, claxon: str) -> list[str]:
    """Return the command of a Caddy with the file of the page; the certificate is given to it."""
    own = f"https://localhost:{at} {{\n\tbind 127.0.0.1\n\ttls {folder / 'server.pem'} {folder / 'server.key'}"
    text = replaced(CADDY, ("127.0.0.1:5290", claxon), ("claxon.example.com {", own))
    (folder / "Caddyfile").write_text(CADDY_AROUND + text)
    return [str(require("caddy")), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


@contextmanager
def proxied(command: list[str], folder: Path, *, at: int, below: str = "") -> Iterator[Client]:
    """Run a proxy until the block ends."""
    environment = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    client = Client()
    client.url = f"https://localhost:{at}"
    client.context = ssl.create_default_context(cafile=str(folder / "authority.pem"))
    try:
        assert until(lambda: process.poll() is not None or ready(client, below), 20)
        assert process.poll() is None, (folder / "log").read_text()
        yield client
    finally:
        process.terminate()
        process.wait(timeout=10)


def ready(client: Client, below: str) -> bool:
    try:
        return client.request("GET", f"{below}/-/ready")[0] == 200
    except OSError:
        return False


def connection(client: Client, source: str = "127.0.0.1") -> http.client.HTTPSConnection:
    port = int(client.url.rpartition(":")[2])
    return http.client.HTTPSConnection(
        "localhost", port, timeout=10, context=client.context, source_address=(source, 0)
    )


@pytest.fixture(scope="module")
def claxon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    key = KeyConfig(name="ada", scope="admin", sha256=hash_key(KEY))
    with Running(tmp_path_factory.mktemp("claxon"), keys=(key,)) as running:
        yield running


@pytest.fixture(
    scope="module",
    params=[pytest.param(nginx, marks=pytest.mark.peer("nginx")), pytest.param(caddy, marks=pytest.mark.peer("caddy"))],
)
def front(
    request: pytest.FixtureRequest, claxon: Running, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("front")
    authority(folder).sign("server", alternative="DNS:localhost")
    at = free_port()
    command = request.param(folder, at=at, claxon=claxon.url.removeprefix("http://"))
    with proxied(command, folder, at=at) as client:
        yield client


def events(size: int) -> bytes:
    """Return a body of at least so many bytes, of events as large as they may be."""
    one = json.dumps({"app": "shop", "model": "claude-sonnet-5", "status": 200, "x": "x" * 4000}).encode()
    return b"[" + b",".join([one] * (size // len(one) + 1)) + b"]"


def test_five_megabytes_of_events_pass(front: Client) -> None:
    status, answer, _ = front.post(events(5_000_000), **ADMIN)

    assert (status, answer["accepted"] > 1_000) == (202, True), answer


def test_what_is_too_large_for_claxon_is_413_behind_a_proxy_too(front: Client) -> None:
    assert front.request("POST", "/v1/events", b" " * (16 * 1024 * 1024 + 1), ADMIN)[0] == 413


def test_live_comes_as_it_is_told(front: Client) -> None:
    """The first words at once, and a change within a second of the half that Claxon looks in."""
    stream = connection(front)
    stream.request("GET", "/live", headers=ADMIN)
    begun = time.monotonic()
    answer = stream.getresponse()
    assert answer.readline() == b"retry: 2000\n"
    assert time.monotonic() - begun < 1

    front.post([{"app": "live", "environment": "prod", "model": "m", "status": 401}], **ADMIN)
    begun = time.monotonic()
    while answer.readline() != b"event: changed\n":
        pass
    assert time.monotonic() - begun < 1.5
    stream.close()


def test_a_login_is_secure_and_noted_with_the_address_of_the_browser(front: Client, claxon: Running) -> None:
    """Whatever the browser claims in a header."""
    browser = connection(front, "127.0.0.2")
    browser.request("GET", "/login")
    form = browser.getresponse()
    token = re.search(r'type="hidden" name="([^"]+)" value="([^"]+)"', form.read().decode())
    assert token is not None
    headers = {
        "X-Forwarded-For": "192.0.2.9",
        "Origin": front.url,
        "Content-Type": "application/x-www-form-urlencoded",
        "Cookie": str(form.headers["Set-Cookie"]).partition(";")[0],
    }
    browser.request("POST", "/login", urlencode({token[1]: token[2], "key": KEY}), headers)
    answer = browser.getresponse()
    browser.close()

    assert answer.status == 303
    assert "; Secure" in str(answer.headers["Set-Cookie"])
    assert "127.0.0.2" in str(claxon.request("GET", "/v1/audit", headers=ADMIN)[1])
    assert "192.0.2.9" not in str(claxon.request("GET", "/v1/audit", headers=ADMIN)[1])


@pytest.mark.peer("nginx")
def test_all_works_below_a_prefix(claxon: Running, tmp_path: Path) -> None:
    """The page, what it links to, the way to the login, /live; as the page's own lines say it."""
    lines = re.findall(r"^```nginx\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    [prefix] = [block for block in lines if "location /claxon/" in block]
    begin = prefix.replace("        # as above\n    }\n", "").rstrip()
    text = replaced(NGINX, ("    location / {\n        proxy_pass http://claxon;", begin))
    authority(tmp_path).sign("server", alternative="DNS:localhost")
    at = free_port()
    command = nginx(tmp_path, at=at, claxon=claxon.url.removeprefix("http://"), text=text)
    with proxied(command, tmp_path, at=at, below="/claxon") as client:
        _, page, _ = client.request("GET", "/claxon/", headers=ADMIN)
        places = {urljoin("/claxon/", e) for e in re.findall(r'(?:href|src|data-live)="([^"#]+)"', str(page))}
        ours = {place for place in places if not place.startswith("http")}
        assert len(ours) > 5
        assert {place for place in ours if not place.startswith("/claxon/")} == set()
        asked = {place: client.request("GET", place, headers=ADMIN)[0] for place in ours - {"/claxon/live"}}
        assert {place: status for place, status in asked.items() if status != 200} == {}

        browser = connection(client)
        browser.request("GET", "/claxon/rules", headers={"Accept": "text/html"})
        to = browser.getresponse()
        assert urljoin("/claxon/rules", to.headers["Location"]) == "/claxon/login?next=rules"
        browser.close()
