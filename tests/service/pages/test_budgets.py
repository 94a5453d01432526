"""The budgets' page, through the real app."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from service.spending import STEPS, month
from service.storage import call_totals
from service.storage.call_totals import STEP_S
from service.storage.database import open_database
from tests.service.pages.world import NOON, World, claxon

SCRIPT = "<script>alert(1)</script>"
HOUR = 3600.0
DAY = 24 * HOUR


def calls(n: int, *, exhausted: int = 0, app: str = "shop", environment: str = "prod") -> list[dict[str, object]]:
    """Return so many calls of which some failed with retries exhausted."""
    place = {"app": app, "environment": environment}
    bad = [place | {"status": 500, "final": True, "exhausted": True, "call_id": f"c{i}"} for i in range(exhausted)]
    return [*bad, *[place | {"status": 200}] * (n - exhausted)]


def text_of(html: str) -> str:
    """Return a page's words."""
    inline = re.sub(r"</?(?:bdi|strong|a|time|span|code)\b[^>]*>", "", html)
    return " ".join(re.sub(r"<[^>]+>", " ", inline).replace("&#39;", "'").split())


def cards(html: str) -> list[str]:
    """Return the words of each budget."""
    found = re.findall(r'<section class="panel budget.*?</section>', html, re.DOTALL)
    return [text_of(one) for one in found]


async def test_a_budget_says_what_is_spent_how_fast_it_burns_and_when_it_is_gone(world: World) -> None:
    await world.post(*calls(500))
    await world.wind(2 * DAY)
    await world.post(*calls(500, exhausted=10))

    (card,) = cards(await world.page("/budgets"))

    assert card.startswith("shop prod Burns too fast")
    assert "Objective 99.5 % of calls in 30d (0.5 % may fail for good)" in card
    # 2x for 2 d of 30, to a bucket of 72 min.
    assert re.search(r"Spent 1[34]\.?\d* % of it \(measured over 2d(\d+h)?(\d+m)?\)", card)
    assert re.search(r"Gone in 6 d [\d]+ h, if it goes on at 4x", card)
    assert "5m 4x 10 of 500 page over 14.4x, with 1h" in card
    assert "6h 4x 10 of 500 page over 6x, with 30m" in card
    assert "3d 2x 10 of 1,000 ▲ ticket over 1x, with 6h: over" in card


async def test_what_burns_too_fast_stands_first_and_names_its_rule(world: World) -> None:
    await world.post(*calls(200, exhausted=60))
    await world.wind(DAY)
    await world.post(*calls(500, app="calm"))
    await world.post(*calls(200, exhausted=60))

    html = await world.page("/budgets")

    shop, calm = cards(html)
    assert shop.startswith("shop prod Gone")
    assert calm.startswith("calm prod Well")
    assert "2 budgets: 1 gone" in html
    assert "Gone now" in shop
    assert "ClaudeRetriesExhausted/page fires" in shop
    assert '<a href="./rules/ClaudeRetriesExhausted/page">' in html
    assert "▲ page over 14.4x, with 1h: over" in shop


async def test_a_budget_that_does_not_burn_is_never_gone_and_one_unheard_knows_nothing(world: World) -> None:
    await world.post(*calls(10))
    (heard,) = cards(await world.page("/budgets"))
    await world.wind(4 * DAY)
    (unheard,) = cards(await world.page("/budgets"))

    assert "Gone not at this rate: nothing burns now" in heard
    assert unheard.startswith("shop prod No calls")
    assert "Gone – no calls in the last hour" in unheard


async def test_a_month_is_drawn_from_what_was_noted_each_six_hours(world: World) -> None:
    await world.core(world.service.spending.note)
    for failed in (4, 0, 8):
        await world.post(*calls(1000, exhausted=failed))
        await world.core(world.service.spending.note)
        await world.wind(STEP_S)
    await world.wind(9 * DAY)

    html = await world.page("/budgets")

    (card,) = cards(html)
    # 12 of 3,000 are 0.8x of the objective's pace, over 9 d 18 h and what the day before has of its six hours.
    assert re.search(
        r"12 of 3,000 calls since 21 Sep 12:00 UTC failed with retries exhausted: 26\.\d % of the budget", html
    )
    assert re.search(r"Spent 26\.\d % of it \(measured over 9d\d+h", card)
    bars = re.findall(r'<path class="failed" d="([^"]+)"', html)[0]
    assert bars.count("z") == 2
    assert 'class="unknown" d="M0 0H' in html


async def test_of_a_new_claxon_the_month_is_not_known_and_says_so(world: World) -> None:
    await world.core(world.service.spending.note)
    await world.post(*calls(100, exhausted=1))

    html = await world.page("/budgets")

    assert "not known" in html
    assert f'class="unknown" d="M0 0H{STEPS - 1}V100H0z"' in html


async def test_a_filter_shows_one_apps_budget_and_another_says_that_it_knows_none(world: World) -> None:
    await world.post(*calls(10), *calls(10, environment="staging"), *calls(10, app="cart"))

    found = cards(await world.page("/budgets?app=shop&environment=staging"))
    none = await world.page(f"/budgets?app={SCRIPT}")

    assert [card.split(" Well")[0] for card in found] == ["shop staging"]
    assert "No budget of this app is known" in none
    assert SCRIPT not in none


async def test_before_any_call_the_page_says_how_a_budget_comes(world: World) -> None:
    assert "Each app and environment that sends events gets one by itself" in await world.page("/budgets")


async def test_budgets_of_rules_of_ones_own_are_shown_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plain count, a budget of some calls only, and hostile names."""
    (tmp_path / "rules.yml").write_text(
        "rules:\n"
        "  - alert: Count\n    budget: {max: 3, window: 10m}\n    by: [app]\n"
        "  - alert: Paths\n    budget: {objective: 99%, tiers: [{burn: 2, long: 1h, short: 5m}]}\n"
        "    match: ['path=\"/pay\"']\n    by: [model]\n"
    )
    (tmp_path / "claxon.yml").write_text("rule_files: [rules.yml]")
    async with claxon(tmp_path / "data", monkeypatch, config=tmp_path / "claxon.yml") as world:
        await world.post(*[e | {"path": "/pay", "model": "m-1"} for e in calls(100, exhausted=5, app=SCRIPT)])
        html = await world.page("/budgets")

    assert SCRIPT not in html
    found = cards(html)
    assert any("Too many" in card and "at most 3 calls may fail for good in 10m" in card for card in found)
    assert any(card.startswith("m-1") and "Objective 99 % of calls in 30d" in card for card in found)
    assert "chart-month" not in html


async def test_without_any_budget_rule_the_page_says_how_to_write_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules.yml").write_text(
        "rules:\n  - alert: Any\n    any: {}\n    match: ['category=\"authentication\"']\n"
    )
    (tmp_path / "claxon.yml").write_text("rule_files: [rules.yml]")
    async with claxon(tmp_path / "data", monkeypatch, config=tmp_path / "claxon.yml") as world:
        assert "No rule has an error budget" in await world.page("/budgets")


async def test_of_very_many_budgets_the_most_spent_are_shown(world: World) -> None:
    await world.post(*[e for i in range(60) for e in calls(20, exhausted=i % 2, app=f"app-{i}")])

    html = await world.page("/budgets")

    assert len(cards(html)) == 50
    assert "And 10 more that are less spent" in html


# ── what is noted ─────────────────────────────────────────────────────────────


async def test_what_was_counted_before_anything_was_noted_is_of_no_step(world: World) -> None:
    """The first start after an update: an older Claxon has counted for months."""
    await world.post(*calls(5000, exhausted=50))
    await world.core(lambda: world.service.core.connection.execute("DELETE FROM call_totals").rowcount)
    await world.core(world.service.spending.note)
    await world.post(*calls(100, exhausted=1))

    html = await world.page("/budgets")

    assert "1 of 100 calls since" in html


def test_an_app_that_is_new_has_made_all_its_calls_since_the_last_step_and_a_quiet_one_none(tmp_path: Path) -> None:
    connection = open_database(tmp_path)
    last = int(NOON // STEP_S)
    call_totals.begin(connection, {("old", ""): (500, 5)}, step=last - 10)
    call_totals.save(connection, {("old", ""): (600, 6)}, step=last - 8)
    call_totals.save(connection, {("new", ""): (70, 7)}, step=last - 3)

    found = month(connection, [("old", ""), ("new", ""), ("none", "")], {("old", ""): (650, 6)}, now=NOON)
    connection.close()

    assert found["old", ""].known == 10
    assert {i - STEPS + 1: step for i, step in enumerate(found["old", ""].steps) if any(step)} == {
        -8: (100, 1),
        0: (50, 0),
    }
    assert {i - STEPS + 1: step for i, step in enumerate(found["new", ""].steps) if any(step)} == {-3: (70, 7)}
    assert not any(any(step) for step in found["none", ""].steps)


def test_totals_that_fall_were_begun_anew(tmp_path: Path) -> None:
    connection = open_database(tmp_path)
    last = int(NOON // STEP_S)
    call_totals.begin(connection, {("shop", ""): (500, 5)}, step=last - 4)

    found = month(connection, [("shop", "")], {("shop", ""): (30, 3)}, now=NOON)["shop", ""]
    connection.close()

    assert found.steps[-1] == (30, 3)


def test_old_steps_go_but_the_last_of_each_app_stays(tmp_path: Path) -> None:
    """Else all that an app ever did would count as done when it comes back."""
    connection = open_database(tmp_path)
    call_totals.begin(connection, {("shop", ""): (500, 5)}, step=100)
    for step in (101, 102):
        call_totals.save(connection, {("shop", ""): (500 + step, 5)}, step=step)

    call_totals.prune(connection, before=400)
    kept = call_totals.load(connection, ("shop", ""))
    began = call_totals.began(connection)
    connection.close()

    assert kept == [(102, (602, 5))]
    assert began == 100


def test_before_anything_was_noted_no_month_is_known(tmp_path: Path) -> None:
    connection = open_database(tmp_path)

    assert month(connection, [("shop", "")], {("shop", ""): (1, 0)}, now=NOON) == {}
    connection.close()


async def test_what_was_noted_outlives_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with claxon(tmp_path, monkeypatch) as world:
        await world.core(world.service.spending.note)
        await world.post(*calls(100, exhausted=1))
    async with claxon(tmp_path, monkeypatch) as again:
        html = await again.page("/budgets")

    assert "1 of 100 calls since" in html


async def test_after_a_clock_that_was_ahead_was_set_back_the_month_begins_anew(world: World) -> None:
    """What it noted lies in the future: it is nobody's past."""
    await world.core(world.service.spending.note)
    await world.post(*calls(100, exhausted=1))
    await world.core(world.service.spending.note)
    world._wound["now"] -= 20 * DAY
    await world.evaluate()
    await world.core(world.service.spending.note)
    await world.post(*calls(50, exhausted=2))

    html = await world.page("/budgets")

    assert "2 of 50 calls since 1 Sep 12:00 UTC" in html
