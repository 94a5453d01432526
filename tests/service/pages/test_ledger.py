"""The ledger's page: why somebody was told, and why nobody was."""

from __future__ import annotations

import pytest

from tests.service.pages.world import NOON, World

REJECTED = {"app": "checkout", "environment": "prod", "status": 401}
LONE = {"app": "cart", "status": 429, "final": True, "exhausted": False}


async def test_it_says_why_nobody_was_told_of_a_single_429(world: World) -> None:
    await world.post(LONE)

    html = await world.page("/ledger?app=cart")

    assert "<strong>a lone 429</strong>" in html
    assert "a single 429: nobody is paged for one" in html
    assert "<bdi>cart, claude-sonnet-5, /v1/messages</bdi>" in html


async def test_a_question_shows_its_rows_alone_and_the_form_keeps_it(world: World) -> None:
    await world.post(REJECTED, LONE)
    fingerprint = await world.fingerprint("ClaudeAuthError")

    by_app = await world.page("/ledger?app=cart&what=&subject=&since=1h")
    by_what = await world.page("/ledger?what=fired")
    by_subject = await world.page(f"/ledger?subject={fingerprint}")

    assert "checkout" not in by_app
    assert 'value="cart"' in by_app
    assert '<option value="fired" selected>' in by_what
    assert "a lone 429</strong>" not in by_what
    assert "ClaudeAuthError (page): checkout (prod)" in by_subject
    assert "cart" not in by_subject


async def test_the_front_page_and_an_alert_lead_to_it(world: World) -> None:
    await world.post(REJECTED)
    fingerprint = await world.fingerprint("ClaudeAuthError")

    assert 'href="./ledger"' in await world.page()
    html = await world.page(f"/alerts/{fingerprint}")
    assert f'href="../ledger?subject={fingerprint}"' in html
    assert 'href="../ledger?app=checkout"' in html


async def test_an_empty_ledger_says_so_and_a_filter_that_finds_nothing_too(world: World) -> None:
    assert "Nothing like this was decided." in await world.page("/ledger?app=nobody")


async def test_what_cannot_be_understood_is_said_and_left_out(world: World) -> None:
    await world.post(LONE)

    html = await world.page("/ledger?since=<b>yesterday&app=cart")

    assert "Not understood, and left out" in html
    assert "&lt;b&gt;yesterday" in html
    assert "a lone 429</strong>" in html


async def test_a_long_ledger_is_read_page_by_page_and_no_row_is_lost(world: World) -> None:
    for i in range(5):
        await world.post(
            *[{"app": f"app-{i}-{n}", "status": 429, "final": True, "exhausted": False} for n in range(90)]
        )
    seen: set[str] = set()
    path = "/ledger?what=lone_429"
    for _ in range(10):
        html = await world.page(path)
        seen |= {f"app-{i}-{n}" for i in range(5) for n in range(90) if f">app-{i}-{n}," in html}
        older = html.partition('href="./ledger?what=')[2].partition('"')[0]
        if not older:
            break
        path = "/ledger?what=" + older.replace("&amp;", "&")

    assert len(seen) == 450


HOSTILE = "</title></script><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}"


@pytest.mark.parametrize("name", ["app", "what", "subject", "environment", "rule", "since", "until"])
async def test_hostile_questions_are_escaped(world: World, name: str) -> None:
    answer = await world.client.get("/ledger", params={name: HOSTILE})

    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "<img" not in answer.text
    assert "49" not in answer.text.partition('id="ask"')[2].partition("</form>")[0]


async def test_the_proof_covers_every_decision(world: World) -> None:
    await world.post(REJECTED)

    html = await world.page("/ledger")
    answer = (await world.client.get("/v1/ledger?limit=1")).json()

    assert answer["hash"] in html
    assert len(answer["hash"]) >= 32
    assert answer["decisions"] >= 1


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("app=cart&what=lone_429", {"lone_429"}),
        ("app=checkout&what=fired", {"fired"}),
        ("rule=ClaudeAuthError/page&what=notified", {"notified"}),
        ("environment=prod&what=delivered&app=cart", set()),
        (f"since={NOON + 3600}", set()),
        ("since=1h&what=fired", {"fired"}),
        ("until=2000-01-01T00:00:00Z", set()),
    ],
)
async def test_the_api_takes_the_same_questions(world: World, query: str, found: set[str]) -> None:
    await world.post(REJECTED, LONE)

    rows = (await world.client.get(f"/v1/ledger?{query}")).json()["ledger"]

    assert {row["what"] for row in rows} == found


async def test_the_api_refuses_a_time_that_is_none(world: World) -> None:
    answer = await world.client.get("/v1/ledger?since=yesterday")

    assert answer.status_code == 422
    assert "since: 'yesterday': write how long ago, such as 1h" in answer.json()["detail"]
