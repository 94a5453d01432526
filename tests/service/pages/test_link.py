"""The link in a page: whoever has it acknowledges without a key; looking, forging and waiting too long do nothing."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from alerts.config import KeyConfig
from alerts.notification import AlertMessage, Notification
from alerts.routes import Route
from service.links import LASTS_S
from service.settings import hash_key
from tests.service.pages.world import World, claxon

KEY = "claxon_admin_0123456789abcdef"
REJECTED = {"app": "checkout", "environment": "prod", "status": 401}


@pytest_asyncio.fixture
async def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A Claxon with keys, where `checkout` fires, and a client that has none."""
    keys = [KeyConfig(name="all", scope="admin", sha256=hash_key(KEY))]
    async with claxon(tmp_path, monkeypatch, keys=keys) as running:
        running.client.headers["Authorization"] = f"Bearer {KEY}"
        await running.post(REJECTED)
        yield running


async def _messages(world: World) -> list[AlertMessage]:
    """Return what was said of alerts, oldest first; from here on without a key."""
    world.client.headers.pop("Authorization", None)
    query = "SELECT notification FROM outbox ORDER BY id"
    rows = await world.core(lambda: world.service.core.connection.execute(query).fetchall())
    return [alert for (body,) in rows for alert in msgspec.msgpack.decode(body, type=Notification).alerts]


async def _links(world: World) -> list[str]:
    """Return the paths of the links in what was sent, oldest first; from here on without a key."""
    return [said.ack_url.removeprefix("http://127.0.0.1:5290") for said in await _messages(world)]


async def _by(world: World) -> list[str]:
    """Return who looks after what."""
    return [ack.by for ack in await world.core(lambda: list(world.service.core.notifier.state.acks.values()))]


async def test_the_link_of_a_page_shows_what_fires_and_acknowledges_without_a_key(guarded: World) -> None:
    (link,) = await _links(guarded)

    before = await guarded.page(link)
    answer = await guarded.client.post(link, data={"name": " Ada\n"}, follow_redirects=True)

    assert "checkout (prod): the Claude API rejects the key" in before
    assert "For 4 s, since" in before
    assert "Nobody looks after it yet" in before
    assert [r.status_code for r in answer.history] == [303]
    assert str(answer.url).endswith(link)
    assert "Acknowledged by <bdi>Ada</bdi>, just now" in answer.text
    assert "(in 30 min)" in answer.text
    assert await _by(guarded) == ["Ada"]


async def test_a_name_is_no_condition(guarded: World) -> None:
    (link,) = await _links(guarded)

    await guarded.client.post(link)

    assert await _by(guarded) == ["somebody with the link"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_mail_scanner_that_follows_it_acknowledges_nothing(guarded: World, method: str) -> None:
    (link,) = await _links(guarded)

    answer = await guarded.client.request(method, f"{link}?name=scanner")

    assert answer.status_code == 200
    assert await _by(guarded) == []


async def test_it_opens_nothing_else(guarded: World) -> None:
    """The token is the right to one thing."""
    (link,) = await _links(guarded)
    name = await guarded.core(lambda: next(iter(guarded.service.core.notifier.state.firing)))

    for path in ("/", f"/alerts/{name}", "/v1/alerts", "/silences"):
        assert (await guarded.client.get(path)).status_code == 401
        bearer = {"Authorization": f"Bearer {link.rpartition('/')[2]}"}
        assert (await guarded.client.get(path, headers=bearer)).status_code == 401


async def test_its_page_holds_no_evidence_and_its_assets_need_no_key(guarded: World) -> None:
    (link,) = await _links(guarded)
    html = await guarded.page(link)

    assert "Request id" not in html
    for address in re.findall(r'(?:href|src)="\.\./(static/[^"]+)"', html):
        assert (await guarded.client.get(f"/{address}")).status_code == 200


async def test_a_forged_link_is_a_clear_404(guarded: World) -> None:
    (link,) = await _links(guarded)
    forged = link[:-20] + ("A" if link[-20] != "A" else "B") + link[-19:]

    html = await guarded.page(forged, status=404)
    answer = await guarded.client.post(forged, data={"name": "evil"})

    assert "Not a link of this Claxon" in html
    assert answer.status_code == 404
    assert await _by(guarded) == []


async def test_a_link_of_last_week_is_a_clear_410(guarded: World) -> None:
    (link,) = await _links(guarded)
    await guarded.wind(LASTS_S)

    html = await guarded.page(link, status=410)

    assert "This link is over" in html
    assert (await guarded.client.post(link)).status_code == 410


async def test_when_the_alert_is_over_the_link_says_so_and_does_nothing(guarded: World) -> None:
    await guarded.post({**REJECTED, "status": 200})
    for _ in range(4):
        await guarded.wind(300)
    link = (await _links(guarded))[0]

    answer = await guarded.client.post(link, data={"name": "Ada"}, follow_redirects=True)

    assert "It is over: there is nothing to acknowledge." in answer.text
    assert "Ended" in answer.text
    assert "<form" not in answer.text
    assert await _by(guarded) == []


async def test_the_link_of_an_earlier_episode_does_not_acknowledge_the_next(guarded: World) -> None:
    """Who reads yesterday's mail must not take today's page from everybody."""
    await guarded.post({**REJECTED, "status": 200})
    for _ in range(4):
        await guarded.wind(300)
    await guarded.post(REJECTED)
    links = await _links(guarded)

    old = await guarded.client.post(links[0], data={"name": "Ada"}, follow_redirects=True)
    assert "It fires again: that is another page" in old.text
    assert await _by(guarded) == []

    await guarded.client.post(links[-1], data={"name": "Grace"})
    assert await _by(guarded) == ["Grace"]


async def test_another_site_cannot_make_a_browser_use_it(guarded: World) -> None:
    (link,) = await _links(guarded)

    for origin in ("https://evil.example", "null"):
        assert (await guarded.client.post(link, headers={"Origin": origin})).status_code == 403
    own = await guarded.client.post(link, headers={"Origin": "http://127.0.0.1:5290"})

    assert own.status_code == 303


async def test_without_keys_it_works_under_the_name_that_people_know_and_nothing_else_does(world: World) -> None:
    """A proxy hands the public name on; a foreign page under a name of its own has no token."""
    await world.post(REJECTED)
    (link,) = await _links(world)
    public = {"Host": "claxon.example.com", "Origin": "https://claxon.example.com"}

    assert (await world.client.get(link, headers=public)).status_code == 200
    assert (await world.client.post(link, headers=public)).status_code == 303
    assert (await world.client.get("/", headers=public)).status_code == 403
    assert (await world.client.get("/a/../v1/alerts", headers=public)).status_code == 403


async def test_each_alert_of_a_group_has_a_link_of_its_own(world: World) -> None:
    await world.decide_by(route=Route(receiver="console", group_by=(), group_wait_s=30.0, group_interval_s=300.0))
    await world.post({"app": "search", "status": 401}, {"app": "mail", "status": 401})
    await world.wind(30)
    links = {said.labels["app"]: said.ack_url.removeprefix("http://127.0.0.1:5290") for said in await _messages(world)}

    for app in ("search", "mail"):
        assert f"{app}: the Claude API rejects the key" in await world.page(links[app])
    await world.client.post(links["mail"], data={"name": "Ada"})

    assert await _by(world) == ["Ada"]
    assert "Nobody looks after it yet" in await world.page(links["search"])
    assert "Acknowledged by <bdi>Ada</bdi>" in await world.page(links["mail"])


async def test_a_restart_keeps_the_links_that_are_in_peoples_pockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with claxon(tmp_path, monkeypatch) as running:
        await running.post(REJECTED)
        (link,) = await _links(running)
    async with claxon(tmp_path, monkeypatch) as again:
        assert "rejects the key" in await again.page(link)
        assert (await again.client.post(link)).status_code == 303
        assert await _by(again) == ["somebody with the link"]


async def test_a_new_address_is_in_the_links_from_the_reload_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "claxon.yml"
    config.write_text("external_url: https://one.example\n")
    async with claxon(tmp_path / "data", monkeypatch, config=config) as running:
        await running.post(REJECTED)
        config.write_text("external_url: https://two.example/claxon/\n")
        await running.service.reload()
        await running.post({"app": "search", "status": 401})
        links = await _links(running)

    assert links[0].startswith("https://one.example/a/")
    assert links[1].startswith("https://two.example/claxon/a/")
