"""The front page through the real app."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.service.pages.world import World, claxon
from tests.support.pager import Pager

REJECTED = {"app": "checkout", "environment": "prod", "status": 401, "request_id": "req_011CSHoEeqs5C35K2UUqR7Fy"}


async def test_nothing_heard_yet_is_quiet_and_says_how_to_begin(world: World) -> None:
    html = await world.page()

    assert "<title>(0) Claxon</title>" in html
    assert "All is quiet" in html
    assert "curl http://127.0.0.1:5290/v1/events -d" in html


async def test_a_rejected_key_is_on_the_page_at_once(world: World) -> None:
    await world.post(REJECTED)

    html = await world.page()

    assert "<title>(1) Claxon</title>" in html
    assert "1 alert fires" in html
    assert "checkout (prod): the Claude API rejects the key" in html
    assert "the API key" in html
    assert "replace it. Retrying cannot help." in html
    assert "authentication (401) × 1" in html
    assert "req_011CSHoEeqs5C35K2UUqR7Fy" in html
    assert "4 s ago" in html
    assert '<time datetime="2026-09-21T14:13:20Z">14:13:20 UTC</time>' in html
    assert f"alerts/{await world.fingerprint('ClaudeAuthError')}#acknowledge" in html


async def test_a_page_stands_before_a_newer_ticket(world: World) -> None:
    await world.post(REJECTED)
    await world.wind(60)
    calls = [{"app": "batch", "status": 200}] * 37 + [{"app": "batch", "status": 400}] * 3
    await world.post(*calls)

    html = await world.page()

    assert "2 alerts fire" in html
    assert html.index("the Claude API rejects the key") < html.index("7.5 % of Claude calls fail")
    assert "3 of 40 calls failed in 5m (7.5 %; threshold 5 %)" in html


async def test_what_another_alert_holds_back_says_by_which(world: World) -> None:
    await world.post(*[REJECTED] * 12)

    html = await world.page()
    cause = await world.fingerprint("ClaudeAuthError")

    assert "<strong>Held back:</strong> nobody is told of it while" in html
    assert f'<a href="./alerts/{cause}">ClaudeAuthError</a> fires' in html
    assert html.index("rejects the key</a>") < html.index("of Claude calls fail on"), "the cause stands first"


async def test_an_acknowledged_alert_names_who_looks_after_it(world: World) -> None:
    await world.post(REJECTED)
    fingerprint = await world.fingerprint("ClaudeAuthError")
    await world.client.post(f"/alerts/{fingerprint}/acknowledge", data={"name": "Ada"})
    await world.wind(125)

    html = await world.page()

    assert "Acknowledged by <bdi>Ada</bdi>, 2 min 5 s ago" in html
    assert ">Acknowledge<" not in html
    assert "All acknowledged." in html


async def test_an_alert_that_ended_says_how_long_it_lasted_and_why_it_ended(world: World) -> None:
    await world.post(REJECTED)
    await world.wind(60)
    await world.post(REJECTED | {"status": 200})
    for _ in range(4):
        await world.wind(300)

    html = await world.page()

    assert "Recently resolved" in html
    assert "recovered: the condition has been false for 15m" in html
    assert "after 16 min 5 s" in html
    assert "(0) Claxon" in html


async def test_an_app_shows_its_last_five_minutes_and_its_hour(world: World) -> None:
    good = [{"app": "search", "environment": "prod", "status": 200}] * 98
    await world.post(*good, *[{"app": "search", "environment": "prod", "status": 400}] * 2)

    html = await world.page()

    assert "All is quiet" in html
    assert "Last 5 minutes: 100 calls, 2 failed (2 %)." in html
    assert "<dt>Calls, 5 min</dt><dd>100</dd>" in html
    assert 'role="img"' in html
    assert "Last hour: 100 calls, 2 failed, at most 100 calls a minute." in html


async def test_silence_is_not_called_quiet(world: World) -> None:
    """An app that has stopped calling has not recovered, nor has a network that lost its events."""
    await world.post({"app": "search", "status": 200})
    await world.wind(1200)

    html = await world.page()

    assert "All is quiet" not in html
    assert "Nothing fires, but nothing is heard" in html

    await world.wind(4000)

    assert "Nothing heard for over an hour" in await world.page()


async def test_evaluation_that_fell_behind_is_said_loudly(world: World) -> None:
    await world.post({"app": "search", "status": 200})
    world.service.scheduler.stop()
    world._wound["now"] += 40

    html = await world.page()

    assert "Evaluation is 40 s behind" in html


async def test_hundreds_of_alerts_are_counted_not_hidden(world: World) -> None:
    await world.post(*[{"app": f"app-{n}", "status": 401} for n in range(150)])

    html = await world.page()
    everything = await world.page("/?all=1")

    assert "<title>(150) Claxon</title>" in html
    assert html.count('<article class="card') == 12
    assert "Show 38 more alerts" in html
    assert "Show 125 more apps" in html
    assert everything.count("the Claude API rejects the key</a>") == 150


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (503, "1 notification not delivered yet; Claxon goes on trying"),
        (404, "1 notification given up in the last day: Claxon does not try again"),
    ],
)
async def test_what_reached_nobody_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, said: str
) -> None:
    with Pager(*[status] * 20) as pager:
        config = tmp_path / "claxon.yml"
        config.write_text(
            f"route: {{receiver: team}}\nreceivers: [{{name: team, webhook_configs: [{{url: '{pager.url}'}}]}}]\n",
            "utf-8",
        )
        async with claxon(tmp_path / "data", monkeypatch, config=config) as world:
            await world.post(REJECTED)
            html = await _page_with(world, said)

    assert "team/webhook/0" in html
    assert str(status) in html


async def _page_with(world: World, said: str) -> str:
    """Return the page once delivery, which runs by itself, has been tried."""
    for _ in range(100):
        html = await world.page()
        if said in html:
            return html
        await asyncio.sleep(0.05)
    raise AssertionError(said)
