"""The explorer's page, through the real app."""

from __future__ import annotations

import re

import pytest

from service.pages.explorer import COUNTED, ROWS
from tests.service.pages.world import World

SCRIPT = "<script>alert(1)</script>"


def failure(n: int, **more: object) -> dict[str, object]:
    """Return a failure with ids of its own."""
    return {"app": "shop", "environment": "prod", "status": 500, "request_id": f"req_{n}", "call_id": f"c_{n}"} | more


def ids(html: str) -> list[str]:
    """Return the request ids of the table, in its order."""
    return re.findall(r"<code>(req_\w+)</code>", html)


async def test_the_newest_failures_stand_first_with_all_their_fields(world: World) -> None:
    await world.post(failure(1, path="/pay", error_message="it broke", attributes={"team": "red"}))
    await world.post(failure(2, ratelimit={"tokens_limit": 100, "tokens_remaining": 7}), {"app": "shop", "status": 200})

    html = await world.page("/explorer")

    assert ids(html) == ["req_2", "req_1"]
    assert "<dt>attributes.team</dt><dd><bdi>red</bdi></dd>" in html
    assert "<dt>ratelimit.tokens_remaining</dt><dd><bdi>7.0</bdi></dd>" in html
    assert "<dt>error_message</dt><dd><bdi>it broke</bdi></dd>" in html


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("app=shop", ["req_3", "req_1"]),
        ("app=chat&environment=staging", ["req_2"]),
        ("model=claude-haiku-4-5", ["req_2"]),
        ("path=/pay", ["req_3"]),
        ("category=overloaded", ["req_3"]),
        ("status=529", ["req_3"]),
        ("call_id=c_1", ["req_1"]),
        ("request_id=req_2", ["req_2"]),
        ("since=6s", ["req_3"]),
        ("until=6s", ["req_2", "req_1"]),
        ("app=shop&status=429", []),
        ("app=&status=&since=&alert=&outcome=", ["req_3", "req_2", "req_1"]),
    ],
)
async def test_a_filter_shows_what_meets_all_of_it(world: World, query: str, found: list[str]) -> None:
    await world.post(failure(1))
    await world.post(failure(2, app="chat", environment="staging", model="claude-haiku-4-5"))
    await world.post(failure(3, status=529, path="/pay"))

    assert ids(await world.page(f"/explorer?{query}")) == found


async def test_what_is_behind_an_alert_is_shown_with_its_name(world: World) -> None:
    await world.post(failure(1, app="other"))
    await world.post(failure(2, status=401))
    fingerprint = await world.fingerprint("ClaudeAuthError")

    html = await world.page(f"/explorer?alert={fingerprint}")

    assert ids(html) == ["req_2"]
    assert f'<a href="./alerts/{fingerprint}"><bdi>shop (prod): the Claude API rejects the key</bdi></a>' in html


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("status=teapot", "status: &#39;teapot&#39;: write a number from 100 to 599"),
        ("status=42", "status: &#39;42&#39;"),
        ("category=sad", "category: &#39;sad&#39;"),
        ("outcome=odd", "outcome: &#39;odd&#39;"),
        ("since=yesterday", "since: &#39;yesterday&#39;"),
        ("since=1h&until=2h", "since: after until"),
        ("alert=0123456789abcdef", "alert: &#39;0123456789abcdef&#39;: never fired"),
        ("cursor=nonsense", "cursor: &#39;nonsense&#39;: not a cursor"),
        (f"status={SCRIPT}", "&lt;script&gt;"),
    ],
)
async def test_what_cannot_be_understood_is_said_and_left_out(world: World, query: str, said: str) -> None:
    await world.post(failure(1))

    html = await world.page(f"/explorer?{query}")

    assert said in html
    assert SCRIPT not in html
    assert ids(html) == ["req_1"]


async def test_thousands_of_failures_are_paged_to_the_end_and_none_is_shown_twice(world: World) -> None:
    many = ROWS * 2 + 3
    await world.post(*[failure(n) for n in range(many)])
    seen: list[str] = []
    path = "/explorer?app=shop"
    for _ in range(3):
        html = await world.page(path)
        assert len(ids(html)) <= ROWS
        seen += ids(html)
        older = re.search(r'<a href="\./(explorer\?[^"]+)">Older ones', html)
        path = "/" + older[1].replace("&amp;", "&") if older else ""

    assert path == ""
    assert "These are the oldest" in html
    assert sorted(seen) == sorted(f"req_{n}" for n in range(many))


async def test_the_categories_are_counted_over_time(world: World) -> None:
    await world.post(*[failure(n) for n in range(3)])
    await world.wind(120)
    await world.post(failure(9, status=529))

    html = await world.page("/explorer?since=10m")

    strips = re.findall(r"<dt>(\w+)</dt><dd class=\"number\">([\d,]+)</dd>", html)
    assert strips == [("server", "3"), ("overloaded", "1")]
    assert re.findall(r'aria-label="(server[^"]*)"', html) == [
        "server: 3 between 14:05 and 14:15 UTC, at most 3 in 15 s"
    ]


async def test_of_more_than_can_be_counted_it_says_which_were(world: World) -> None:
    await world.post(*[failure(n) for n in range(COUNTED + 1)])

    assert f"By category over time: the newest {COUNTED:,}" in await world.page("/explorer")


async def test_the_attempt_that_got_through_is_found_for_who_follows_one_call(world: World) -> None:
    await world.post(failure(1, attempt=1, max_attempts=2), failure(1, status=200, attempt=2, request_id="req_good"))

    failed = await world.page("/explorer?call_id=c_1")
    whole = await world.page("/explorer?call_id=c_1&outcome=all")

    assert ids(failed) == ["req_1"]
    assert 'href="./explorer?call_id=c_1&amp;outcome=all"' in failed
    assert ids(whole) == ["req_good", "req_1"]


async def test_hostile_text_is_shown_and_never_obeyed(world: World) -> None:
    hostile = dict.fromkeys(("path", "error_message", "error_type", "model", "app", "environment", "call_id"), SCRIPT)
    await world.post(failure(1, **hostile, attributes={SCRIPT: SCRIPT}))

    html = await world.page(f"/explorer?path={SCRIPT}")

    assert SCRIPT not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 5


async def test_an_empty_log_says_how_events_get_there(world: World) -> None:
    html = await world.page("/explorer")

    assert "posts them to <code>/v1/events</code>" in html


async def test_nothing_found_says_what_may_be_wrong_with_the_filter(world: World) -> None:
    await world.post(failure(1))

    html = await world.page("/explorer?app=Shop&since=1m")

    assert "capitals count" in html
    assert '<a href="./explorer?app=Shop">Look at all times</a>' in html
