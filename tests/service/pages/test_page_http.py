"""Who may see the pages, and what their answers say to a browser."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from alerts.config import KeyConfig
from service.api import html as page_api
from service.settings import hash_key
from tests.service.pages.world import World, claxon

KEYS = {scope: f"claxon_{scope}_0123456789abcdef" for scope in ("ingest", "read", "admin")}


@pytest_asyncio.fixture
async def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A Claxon with keys, and a rejected call of `checkout`."""
    keys = [KeyConfig(name=f"the {scope} key", scope=scope, sha256=hash_key(key)) for scope, key in KEYS.items()]
    async with claxon(tmp_path, monkeypatch, keys=keys) as running:
        running.client.headers["Authorization"] = f"Bearer {KEYS['admin']}"
        await running.post({"app": "checkout", "status": 401})
        yield running


def _as(scope: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"me:{KEYS[scope]}".encode()).decode()}


async def test_every_page_forbids_inline_script_framing_and_keeping(world: World) -> None:
    await world.post({"app": "checkout", "status": 401})
    fingerprint = await world.fingerprint("ClaudeAuthError")

    for path in ("/", f"/alerts/{fingerprint}", "/alerts/nothing"):
        headers = (await world.client.get(path)).headers
        assert headers["content-security-policy"] == (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"


async def test_every_link_and_asset_of_the_pages_exists(world: World) -> None:
    await world.post(*[{"app": "checkout", "status": 401}] * 12)
    start = f"http://127.0.0.1:5290/alerts/{await world.fingerprint('ClaudeErrorRate')}"

    for base in ("http://127.0.0.1:5290/", start):
        html = (await world.client.get(base)).text
        addresses = {a for a in re.findall(r'(?:href|src)="([^"]+)"', html) if not a.startswith("#")}
        assert len(addresses) >= 5
        for address in addresses:
            answer = await world.client.get(str((await world.client.get(base)).url.join(address)))
            assert answer.status_code == 200, address


async def test_assets_with_a_version_are_kept_for_ever_and_others_are_not(world: World) -> None:
    html = await world.page()
    address = re.search(r'href="\./(static/page\.css\?v=\w+)"', html)
    assert address is not None

    kept = await world.client.get(f"/{address[1]}")
    bare = await world.client.get("/static/page.css")

    assert "immutable" in kept.headers["cache-control"]
    assert kept.headers["content-type"] == "text/css; charset=utf-8"
    assert bare.headers["cache-control"] == "no-cache"
    assert (await world.client.get("/static/..%2frender.py")).status_code == 404
    assert (await world.client.get("/static/nothing.css")).status_code == 404


@pytest.mark.parametrize("path", ["/", "/alerts/0123456789abcdef", "/alerts/0123456789abcdef/acknowledge"])
async def test_pages_need_a_key_that_may_read(guarded: World, path: str) -> None:
    guarded.client.headers.pop("Authorization")

    assert (await guarded.client.get(path)).status_code == 401
    assert "Basic" in (await guarded.client.get(path)).headers["www-authenticate"]
    assert (await guarded.client.get(path, headers=_as("ingest"))).status_code == 403
    assert (await guarded.client.get(path, headers=_as("read"))).status_code in (200, 303, 404)


async def test_a_key_that_may_only_read_sees_no_form_and_cannot_acknowledge(guarded: World) -> None:
    path = f"/alerts/{await guarded.fingerprint('ClaudeAuthError')}"

    html = (await guarded.client.get(path, headers=_as("read"))).text
    refused = await guarded.client.post(f"{path}/acknowledge", data={"name": "Ada"}, headers=_as("read"))

    assert "<form" not in html
    assert "needs a key of scope <code>admin</code>" in html
    assert refused.status_code == 403


async def test_who_gives_no_name_acknowledges_as_their_key(guarded: World) -> None:
    path = f"/alerts/{await guarded.fingerprint('ClaudeAuthError')}"

    await guarded.client.post(f"{path}/acknowledge", data={"name": " "}, headers=_as("admin"))

    assert "Acknowledged by <bdi>the admin key</bdi>" in (await guarded.client.get(path)).text


async def test_with_keys_the_first_event_is_sent_with_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = KeyConfig(name="all", scope="admin", sha256=hash_key(KEYS["admin"]))
    async with claxon(tmp_path, monkeypatch, keys=[key]) as running:
        html = (await running.client.get("/", headers=_as("admin"))).text

    assert "Authorization: Bearer $CLAXON_INGEST_KEY" in html


async def test_a_core_that_does_not_answer_is_a_503_that_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that hangs, or shows what is no longer true, is worse than one that says it does not know."""
    monkeypatch.setattr(page_api, "_PATIENCE_S", 0.05)
    blocked, release = threading.Event(), threading.Event()

    def block() -> None:
        blocked.set()
        release.wait(10)

    world.service.core.submit(block)
    assert blocked.wait(5)

    try:
        pages = [await world.page("/", status=503), await world.page("/alerts/0123456789abcdef", status=503)]
    finally:
        release.set()

    assert all("Claxon does not answer" in html and "(?) Claxon" in html for html in pages)
