"""The delivery's page: what waits, what was sent, each try, and how each integration does."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from service.pages.delivery import ROWS
from service.storage import outbox
from service.storage.database import Transaction
from tests.service.pages.world import World, claxon
from tests.support.notifications import make_message, make_notification
from tests.support.pager import Pager, Reply

SCRIPT = "<script>alert(1)</script>"
TOKEN = "T0K3N-OF-THE-HOOK"

CONFIG = """
route: {{receiver: on-call}}
receivers:
  - name: on-call
    webhook_configs: [{{url: '{url}/{token}'}}]
  - name: backup
    console_configs: [{{}}]
"""


@asynccontextmanager
async def telling(folder: Path, patch: pytest.MonkeyPatch, pager: Pager) -> AsyncIterator[World]:
    """Run a Claxon that tells a pager by an address that holds a secret."""
    file = folder / "claxon.yml"
    file.write_text(CONFIG.format(url=pager.url, token=TOKEN))
    async with claxon(folder / "data", patch, config=file) as world:
        yield world


async def until(world: World, holds: Callable[[list[dict[str, object]]], bool]) -> None:
    """Wait for something to be true of the outbox."""
    for _ in range(400):
        rows = (await world.client.get("/v1/deliveries")).json()["deliveries"]
        if holds(rows):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(rows)


def ended(rows: list[dict[str, object]]) -> bool:
    return bool(rows) and all(row["state"] != "pending" for row in rows)


async def fill(world: World, n: int, *, target: str = "console/console/0", state: str = "delivered") -> None:
    """Put rows into the outbox that are over."""
    connection = world.service.core.connection

    def add() -> None:
        with Transaction(connection):
            for number in range(n):
                outbox.add(
                    connection, target, make_notification(at=world.now, dedup_key=f"{state}/{number}"), deadline=0.0
                )
            ids = [row[0] for row in connection.execute("SELECT id FROM outbox WHERE state = 'pending'")]
            for row in ids:
                outbox.end(connection, [row], state=state, now=world.now, answer=f"answer of {row}")

    await world.core(add)


def answers(html: str) -> list[int]:
    """Return the rows that a page shows, by their answers."""
    table = html.partition('id="rows"')[2]
    return [int(found) for found in re.findall(r"<bdi>answer of (\d+)</bdi>", table)]


async def test_what_was_sent_stands_with_each_try_and_what_the_receiver_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Pager(200, Reply(body="thank you")) as pager:
        async with telling(tmp_path, monkeypatch, pager) as world:
            await world.post({"app": "shop", "environment": "prod", "status": 401})
            await until(world, ended)

            html = await world.page("/delivery")

    fingerprint = re.search(r"alerts/([0-9a-f]{16})", html)
    assert fingerprint
    assert f'<a href="./alerts/{fingerprint[1]}"><bdi>shop (prod): the Claude API rejects the key</bdi></a>' in html
    assert 'firing <span class="dim">(first notification)</span>' in html
    assert '<strong class="delivery-delivered">works</strong>' in html
    assert "1 try" in html
    assert "Nothing waits to be sent" in html


async def test_a_receiver_that_refuses_is_named_with_its_answer_and_who_stood_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Pager(Reply(status=403, body=f"no: {SCRIPT}")) as pager:
        async with telling(tmp_path, monkeypatch, pager) as world:
            await world.post({"app": "shop", "status": 401})
            await until(world, lambda rows: len(rows) == 2 and ended(rows))

            html = await world.page("/delivery")
            given_up = await world.page("/delivery?outcome=failed")

    assert "1 integration takes nothing" in html
    assert '<strong class="delivery-failed">failing</strong>' in html
    assert "in place of <bdi>on-call/webhook/0</bdi>" in html
    assert "then given up" in given_up
    assert "in place of" not in given_up
    assert SCRIPT not in html
    assert "&lt;script&gt;" in html


async def test_what_waits_says_when_it_is_tried_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Pager(503) as pager:
        async with telling(tmp_path, monkeypatch, pager) as world:
            await world.post({"app": "shop", "status": 401})
            await until(world, lambda rows: bool(rows) and rows[0]["attempts"] == 1)

            html = await world.page("/delivery?outcome=pending&receiver=on-call")

    assert "1 notification waits" in html
    assert re.search(r"waiting</strong> <span class=\"dim\">next try (in [^<]+|at once)<", html)
    assert '<strong class="delivery-pending">its last try failed</strong>' in html


async def test_the_secret_of_an_address_is_on_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Pager(Reply(status=400, body=f"bad token {TOKEN}")) as pager:
        async with telling(tmp_path, monkeypatch, pager) as world:
            await world.post({"app": "shop", "status": 401})
            await until(world, lambda rows: len(rows) == 2 and ended(rows))

            html = await world.page("/delivery")

    assert TOKEN not in html
    assert f"<bdi>{pager.url}/&lt;secret&gt;</bdi>" in html


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("", {"delivered", "failed", "gone"}),
        ("receiver=console", {"delivered", "failed"}),
        ("receiver=console/console/0", {"delivered", "failed"}),
        ("receiver=old", {"gone"}),
        ("outcome=failed", {"failed", "gone"}),
        ("outcome=failed&receiver=console", {"failed"}),
        ("outcome=cancelled", set()),
        ("outcome=pending", set()),
    ],
)
async def test_a_filter_shows_what_meets_all_of_it(world: World, query: str, wanted: set[str]) -> None:
    await fill(world, 2)
    await fill(world, 2, state="failed")
    await fill(world, 2, target="old/webhook/0", state="failed")
    rows = {"delivered": [1, 2], "failed": [3, 4], "gone": [5, 6]}

    html = await world.page(f"/delivery?{query}")

    assert answers(html) == sorted((row for name in wanted for row in rows[name]), reverse=True)


async def test_what_one_alert_was_told_of_is_found_by_its_fingerprint(world: World) -> None:
    await fill(world, 2)
    await world.raise_alert(alertname="Other")
    told = (await world.client.get("/v1/deliveries")).json()["deliveries"]

    found = await world.page(f"/delivery?alert={told[-1]['fingerprint']}&outcome=delivered")
    nothing = await world.page("/delivery?alert=0123456789abcdef")

    assert answers(found) == [2, 1]
    assert "No notification like this" in nothing


async def test_thousands_of_rows_are_paged_to_the_end_and_none_is_shown_twice(world: World) -> None:
    await fill(world, 2 * ROWS)
    await fill(world, 3, state="failed")
    for query in ("", "?receiver=console"):
        path, seen = f"/delivery{query}", []
        while path:
            html = await world.page(path)
            assert len(answers(html)) <= ROWS
            seen += answers(html)
            older = re.search(r'<a href="\./(delivery\?[^"]+)">Older ones', html)
            path = "/" + older[1].replace("&amp;", "&") if older else ""

        assert seen == list(range(2 * ROWS + 3, 0, -1))
        assert "These are the oldest" in html


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("receiver=nobody", "receiver: &#39;nobody&#39;: there is none of this name"),
        ("outcome=odd", "outcome: &#39;odd&#39;: write one of pending"),
        ("before=-1", "before: &#39;-1&#39;"),
        (f"before=9{'9' * 40}", "before: "),
        (f"outcome={SCRIPT}", "&lt;script&gt;"),
    ],
)
async def test_what_cannot_be_understood_is_said_and_left_out(world: World, query: str, said: str) -> None:
    await fill(world, 1)

    html = await world.page(f"/delivery?{query}")

    assert said in html
    assert SCRIPT not in html
    assert answers(html) == [1]


async def test_an_empty_outbox_says_how_to_try_it(world: World) -> None:
    html = await world.page("/delivery")

    assert "claxon fire-drill RECEIVER" in html
    assert "nothing sent yet" in html


async def test_a_group_that_is_too_large_to_read_is_shown_all_the_same(world: World) -> None:
    long = make_notification([make_message(summary="x" * 70_000)], at=world.now)
    connection = world.service.core.connection
    await world.core(lambda: outbox.add(connection, "console/console/0", long, deadline=world.now))

    assert "and many more" in await world.page("/delivery")
