"""The history's page, through the real app."""

from __future__ import annotations

import re
from time import perf_counter

import msgspec
import pytest

from alerts.lifecycle import State
from service.pages.history import ROWS
from service.storage import state
from tests.service.pages.world import World

SCRIPT = "<script>alert(1)</script>"
HOUR = 3600.0


def rejected(app: str, environment: str = "prod") -> dict[str, object]:
    return {"app": app, "environment": environment, "status": 401}


def apps(html: str) -> list[str]:
    """Return the apps of the table's summaries, in its order."""
    return re.findall(r'<a href="\./alerts/\w+"><bdi>([\w-]+)', html)


def cells(html: str, name: str) -> list[str]:
    """Return a column's texts, without their markup."""
    found = re.findall(rf'<td role="cell" data-name="{name}"[^>]*>(.*?)</td>', html, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", text).split()) for text in found]


async def many(world: World, n: int) -> None:
    """Let so many alerts fire and end, one a minute, the last just now."""

    def write() -> None:
        engine = world.service.core.engine
        (alert,) = engine.firing()
        for i in range(n):
            at = world.now - 60 * (n - i)
            state.save_episode(
                world.service.core.connection,
                msgspec.structs.replace(
                    alert,
                    fingerprint=f"{i:016x}",
                    labels=alert.labels | {"app": f"app-{i % 30}"},
                    fired_at=at,
                    resolved_at=at + 30,
                    resolve_reason="recovered",
                    state=State.INACTIVE,
                ),
            )

    await world.core(write)


async def test_an_alert_that_ended_says_how_long_how_bad_who_was_told_who_looked_and_why_it_ended(world: World) -> None:
    await world.post(*[rejected("shop")] * 3)
    fingerprint = await world.fingerprint("ClaudeAuthError")
    await world.wind(60)
    await world.client.post(f"/alerts/{fingerprint}/acknowledge", data={"name": "Ada"})
    await world.post({"app": "shop", "environment": "prod", "status": 200})
    await world.wind(HOUR)

    html = await world.page("/history?rule=ClaudeAuthError")

    assert f'<a href="./alerts/{fingerprint}"><bdi>shop (prod): the Claude API rejects the key</bdi></a>' in html
    assert "in all 3 attempts" in cells(html, "Alert")[0]
    assert cells(html, "Told") == ["console"]
    assert re.fullmatch(r"Ada after 1 min( \d s)?", cells(html, "Acknowledged")[0])
    assert cells(html, "Why it ended")[0].startswith("recovered: the condition has been false for")
    assert re.search(r" for \d+ min( \d+ s)?$", cells(html, "Fired")[0])


async def test_what_fires_still_is_there_and_says_so(world: World) -> None:
    await world.post(rejected("shop"))

    html = await world.page("/history")

    assert cells(html, "Fired")[0].endswith("still fires , for 4 s")
    assert cells(html, "Why it ended") == ["–"]


async def test_what_nobody_was_told_of_says_what_held_it_back(world: World) -> None:
    await world.post(*[rejected("shop")] * 12)

    html = await world.page("/history?rule=ClaudeErrorRate/page")

    assert len(cells(html, "Told")) == 1
    assert cells(html, "Told")[0].startswith("nobody: held back by ")
    assert "ClaudeAuthError" in cells(html, "Told")[0]
    cause = await world.fingerprint("ClaudeAuthError")
    assert f'<a href="./alerts/{cause}">look there' in html
    assert cause not in cells(html, "Told")[0]


async def test_what_another_program_posted_is_part_of_the_history(world: World) -> None:
    await world.post(rejected("shop"))
    fingerprint = await world.raise_alert(alertname="DiskFull", app="db", severity="ticket")

    html = await world.page("/history")

    assert f'<a href="./alerts/{fingerprint}">' in html
    assert f'<a href="./alerts/{fingerprint}">' in await world.page("/history?rule=DiskFull&severity=ticket")
    assert f'<a href="./alerts/{fingerprint}">' not in await world.page("/history?app=shop")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("app=shop", ["shop"]),
        ("environment=staging", ["cart"]),
        ("rule=ClaudeAuthError", ["cart", "shop"]),
        ("rule=ClaudeAuthError/page", ["cart", "shop"]),
        ("rule=ClaudeAuth", []),
        ("severity=page", ["cart", "shop"]),
        ("severity=ticket", []),
        ("since=1m", ["cart"]),
        ("until=1m", ["shop"]),
        ("app=shop&environment=staging", []),
        ("app=&environment=&rule=&severity=&since=&until=&cursor=", ["cart", "shop"]),
    ],
)
async def test_a_filter_shows_what_meets_all_of_it(world: World, query: str, found: list[str]) -> None:
    await world.post(rejected("shop"))
    await world.wind(120)
    await world.post(rejected("cart", "staging"))

    assert apps(await world.page(f"/history?{query}")) == found


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("since=yesterday", "since: &#39;yesterday&#39;"),
        ("until=3%20bananas", "until: &#39;3 bananas&#39;"),
        ("since=1h&until=2h", "since: after until"),
        ("cursor=nonsense", "cursor: &#39;nonsense&#39;: not one of ours"),
        ("cursor=nan_a_1", "cursor: &#39;nan_a_1&#39;: not one of ours"),
        (f"cursor=1_a_{2**63}", "not one of ours"),
        (f"since={SCRIPT}", "&lt;script&gt;"),
    ],
)
async def test_what_cannot_be_understood_is_said_and_left_out(world: World, query: str, said: str) -> None:
    await world.post(rejected("shop"))

    html = await world.page(f"/history?{query}")

    assert said in html
    assert SCRIPT not in html
    assert apps(html) == ["shop"]


async def test_a_thousand_alerts_are_paged_to_the_end_each_once_and_quickly(world: World) -> None:
    await world.post(rejected("shop"))
    await many(world, 1000)
    seen: list[str] = []
    took: list[float] = []
    path = "/history"
    while path:
        began = perf_counter()
        html = await world.page(path)
        took.append(perf_counter() - began)
        rows = re.findall(r'<a href="\./alerts/(\w+)"><bdi>', html)
        assert len(rows) <= ROWS
        seen += rows
        older = re.search(r'<a href="\./(history\?[^"]+)">Older ones', html)
        path = "/" + older[1].replace("&amp;", "&") if older else ""

    assert len(seen) == len(set(seen)) == 1001
    assert "These are the oldest" in html
    # The promise is 100 ms; a busy machine may be slower, a page that reads everything is slower by far.
    assert sorted(took)[len(took) // 2] < 0.25


async def test_the_last_week_has_a_strip_for_each_app_with_a_bar_where_its_alerts_fired(world: World) -> None:
    await world.post(rejected("shop"))
    await world.wind(2 * HOUR)
    await world.post(rejected("cart", "staging"))

    html = await world.page("/history")

    strips = re.findall(r'aria-label="([^"]+)" viewBox="0 0 168 100"', html)
    assert len(strips) == 2
    assert strips[0].startswith("1 page, 0 others in 7 days")
    assert re.findall(r'<path class="failed" d="M(\d+)', html) == ["167", "165"]
    assert 'href="./history?app=cart&amp;environment=staging"' in html


async def test_of_very_many_apps_the_rest_share_one_strip(world: World) -> None:
    await world.post(rejected("shop"))
    await many(world, 40)

    html = await world.page("/history")

    assert html.count("chart-strip") == 12
    assert "20 more apps" in html


async def test_hostile_names_are_shown_and_never_obeyed(world: World) -> None:
    await world.post({"app": SCRIPT, "environment": SCRIPT, "status": 401})

    html = await world.page(f"/history?app={SCRIPT}&environment={SCRIPT}&rule=")

    assert SCRIPT not in html
    assert len(cells(html, "Alert")) == 1


async def test_before_anything_fired_the_page_says_where_to_look(world: World) -> None:
    html = await world.page("/history")

    assert "No alert has fired yet" in html
    assert 'href="./rules"' in html


async def test_a_filter_that_finds_nothing_says_how_it_compares(world: World) -> None:
    await world.post(rejected("shop"))

    assert "capitals count" in await world.page("/history?app=Shop")


async def test_an_episode_of_a_rule_that_is_gone_is_told_by_the_rule_as_it_was(world: World) -> None:
    await world.post(rejected("shop"))
    core = world.service.core
    await world.core(lambda: core.change_rules(rule for rule in core.engine.rules.values() if rule.alert == "Nothing"))

    html = await world.page("/history")

    assert "the Claude API rejects the key" in html
    assert cells(html, "Why it ended")[0].startswith("closed: its rule was removed")


async def test_what_cannot_be_read_is_a_503_that_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    (world.service.settings.data / "claxon.sqlite3").rename(world.service.settings.data / "elsewhere")

    assert "The database cannot be read now" in await world.page("/history", status=503)


async def test_what_was_silenced_says_by_whom(world: World) -> None:
    matcher = {"name": "app", "value": "shop", "isRegex": False, "isEqual": True}
    body = {"matchers": [matcher], "createdBy": "Ada", "comment": "a test", "startsAt": "2026-09-21T14:00:00Z"}
    answer = await world.client.post("/api/v2/silences", json=body | {"endsAt": "2026-09-21T16:00:00Z"})
    assert answer.status_code == 200, answer.text
    await world.post(rejected("shop"))

    (told,) = cells(await world.page("/history"), "Told")

    assert told.startswith("nobody: silenced ")
    assert "Ada" in told
