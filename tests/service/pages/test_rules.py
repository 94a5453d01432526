"""The rules' pages, through the real app."""

from __future__ import annotations

import re
import sqlite3
import threading
from pathlib import Path
from urllib.parse import quote

import pytest

from alerts.conditions import ErrorRate
from alerts.rules import Rule
from service.trial import Trials
from tests.service.pages.world import World, claxon

SCRIPT = "<script>alert(1)</script>"
DAY = 86_400.0


def failures(n: int, *, of: int, app: str = "shop", **more: object) -> list[dict[str, object]]:
    """Return so many calls of which some failed for good."""
    bad = [{"app": app, "environment": "prod", "status": 500, "final": True, "call_id": f"c{i}"} for i in range(n)]
    return [e | more for e in [*bad, *[{"app": app, "environment": "prod", "status": 200}] * (of - n)]]


def panel(html: str, name: str, severity: str = "Page") -> str:
    """Return the text of one rule's panel on the list."""
    for found in re.findall(r'<section class="panel rule".*?</section>', html, re.DOTALL):
        text = text_of(found)
        if re.match(rf"{name} \S+ {severity}\b", text):
            return text
    raise AssertionError(f"no rule {name}, {severity}")


def text_of(html: str) -> str:
    """Return a page's words."""
    inline = re.sub(r"</?(?:bdi|strong|a|time|span|code)\b[^>]*>", "", html)
    return " ".join(re.sub(r"<[^>]+>", " ", inline).replace("&#39;", "'").split())


# ── the list ──────────────────────────────────────────────────────────────────


async def test_each_rule_says_that_it_works_what_it_asks_for_and_what_it_watches(world: World) -> None:
    await world.post(*failures(0, of=10), *failures(0, of=10, app="cart"))

    html = await world.page("/rules")

    rate = panel(html, "ClaudeErrorRate")
    assert "over 5 % of calls in 5m failed, and at least 3" in rate
    assert re.search(r"Works, evaluated up to \d\d:\d\d:\d\d UTC", rate)
    assert "nothing fires, nothing is pending of 2 keys watched (app, environment, model)" in rate
    assert "shipped with Claxon, hash 0e18264d457b" in rate
    assert "- alert: ClaudeErrorRate error_rate: {of: calls, above: 5%" in rate
    assert "12 rules, all of them work" in html


async def test_what_fires_leads_to_each_time_it_did(world: World) -> None:
    await world.post({"app": "shop", "status": 401})

    html = await world.page("/rules")

    assert "1 fires" in panel(html, "ClaudeAuthError")
    assert 'href="./history?rule=ClaudeAuthError/page"' in html


async def test_how_near_a_rule_is_and_came_is_said_in_its_own_numbers(world: World) -> None:
    await world.post(*failures(4, of=100))
    near = panel(await world.page("/rules"), "ClaudeErrorRate")
    await world.wind(2 * 3600)
    past = panel(await world.page("/rules"), "ClaudeErrorRate")

    assert "Nearest now shop (prod), claude-sonnet-5: 80 % of the way, 4 of 100 calls failed in 5m (4 %" in near
    assert "Nearest now nothing speaks for it" in past
    assert re.search(r"Near misses 1 in 7 days; the nearest shop \(prod\), claude-sonnet-5: 80 % of the way", past)
    assert "below the threshold" in past


async def test_what_is_over_in_one_window_of_a_budget_only_is_no_share_over_a_hundred(world: World) -> None:
    """40 min ago calls failed, and since then they are well: much in the hour, nothing in five or thirty minutes."""
    then = {"time": world.now - 2400, "exhausted": True}
    await world.post(*[e | (then if e["status"] == 500 else {}) for e in failures(40, of=400)])

    burnt = panel(await world.page("/rules"), "ClaudeRetriesExhausted")

    assert "shop (prod): over, but not in each of its windows, 40 of 400 calls exhausted their retries in 1h" in burnt
    assert "of the way" not in burnt


async def test_a_rule_that_cannot_be_evaluated_stands_first_with_what_it_said(world: World) -> None:
    broken = Rule(alert="Broken", condition=ErrorRate(confidence=0.9))
    object.__setattr__(broken.condition, "confidence", 2.0)
    core = world.service.core
    await world.core(lambda: core.engine.replace_rules([broken], world.now))
    await world.post(*failures(8, of=8))

    html = await world.page("/rules")

    assert "1 rule cannot be evaluated" in html
    first = re.findall(r'<section class="panel rule".*?</section>', html, re.DOTALL)[0]
    assert "Broken" in first
    assert "StatisticsError" in first


async def test_rules_that_are_not_evaluated_are_not_called_well(world: World) -> None:
    await world.post(*failures(0, of=1))
    world._wound["now"] += 60

    assert "The rules were not evaluated for" in await world.page("/rules")


async def test_a_rule_of_a_file_says_file_and_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rules.yml").write_text(
        f"rules:\n  - alert: Ours\n    error_rate: {{above: 2%}}\n    labels: {{team: '{SCRIPT}', way: ../x}}\n"
    )
    (tmp_path / "claxon.yml").write_text("rule_files: [rules.yml]")
    async with claxon(tmp_path / "data", monkeypatch, config=tmp_path / "claxon.yml") as world:
        html = await world.page("/rules")
        link = re.search(r'<a href="\./(rules/[^"]+)"><bdi>Ours', html)
        assert link is not None
        own = await world.page(f"/{link[1]}")
        (rule,) = [r for r in world.service.core.engine.rules.values() if r.alert == "Ours"]
        by_id = await world.page(f"/rules/{quote(rule.id, safe='')}")

    assert "rules.yml:2" in html
    assert SCRIPT not in html + own + by_id
    assert "/rules/" not in link[1].removeprefix("rules/")
    assert "Ours" in own
    # However the id is written, the links lead home.
    assert f'href="{"../" * link[1].count("/")}static/page.css' in own
    assert 'href="../static/page.css' in by_id


# ── one rule ──────────────────────────────────────────────────────────────────


async def test_a_rules_page_has_its_words_its_text_and_a_field_for_each_of_its_numbers(world: World) -> None:
    rate = await world.page("/rules/ClaudeErrorRate/page")
    budget = await world.page("/rules/ClaudeRetriesExhausted/page")
    any_ = await world.page("/rules/ClaudeAuthError/page")

    fields = re.findall(r'<input id="n-(\w+)" name="\1" maxlength="40" value="([^"]*)"', rate)
    assert fields == [
        ("above", "5%"),
        ("window", "5m"),
        ("min_failed", "3"),
        ("confidence", "99.5%"),
        ("min_absorbed", ""),
        ("for", "0s"),
        ("keep_firing_for", "15m"),
        ("clear_below", "5%"),
    ]
    assert [n for n, _ in re.findall(r'<input id="n-(\w+)" name="\1" maxlength="40" value="([^"]*)"', budget)][
        4:10
    ] == [
        "burn1",
        "long1",
        "short1",
        "burn2",
        "long2",
        "short2",
    ]
    assert re.findall(r'<input id="n-(\w+)"', any_) == ["for", "keep_firing_for"]
    assert "0e18264d457b" in rate


async def test_what_is_no_rule_is_a_404_that_leads_on_and_claxons_own_has_no_form(world: World) -> None:
    missing = await world.page(f"/rules/{quote(SCRIPT, safe='')}", status=404)

    assert "No such rule" in missing
    assert SCRIPT not in missing
    assert "<form" not in await world.page("/rules/ClaxonRuleFailed/page?above=3")


# ── trials ────────────────────────────────────────────────────────────────────


async def test_a_trial_says_what_other_numbers_would_have_told_and_whom(world: World) -> None:
    """Two days ago a third of the calls failed; a threshold of one half would have said nothing."""
    await world.post(*failures(30, of=90))
    await world.wind(2 * DAY)

    html = text_of(await world.page("/rules/ClaudeErrorRate/page?above=50%25&days=7"))

    assert "It would have paged 0 times, against once with the numbers in force." in html
    assert "above 50% in place of 5%, clear_below 50% in place of 5%; 90 events from" in html
    assert "− gone: only with those in force" in html
    assert "30 of 90 calls failed in 5m" in html
    assert "console" in html


async def test_a_lower_threshold_pages_where_there_was_quiet(world: World) -> None:
    await world.post(*failures(12, of=400))
    await world.wind(DAY / 2)

    html = text_of(await world.page("/rules/ClaudeErrorRate/page?above=1%25&confidence=90%25&clear_below=5%25&days=1"))

    assert "It would have paged once, against 0 times" in html
    assert "+ new: only with these numbers" in html
    # It was the same as `above`, and may not be over it.
    assert "clear_below 1% in place of 5%" in html
    # And how to keep them.
    assert "above: 1%, window: 5m" in html


async def test_the_same_alert_at_another_time_is_moved(world: World) -> None:
    await world.post(*failures(30, of=90))
    await world.wind(DAY / 2)

    html = text_of(await world.page("/rules/ClaudeErrorRate/page?for=1m&days=1"))

    assert "~ moved: starts 1 min later" in html


async def test_a_trial_looks_only_at_the_days_that_are_asked_for(world: World) -> None:
    await world.post(*failures(30, of=90))
    await world.wind(2 * DAY)

    html = await world.page("/rules/ClaudeErrorRate/page?above=50%25&days=1")

    assert "The log holds no event since" in html


async def test_a_trial_changes_nothing(world: World) -> None:
    await world.post(*failures(30, of=90))
    before = await world.core(lambda: (world.service.core.engine.ledger_hash, world.service.core.engine.decided))
    told = await world.told()

    await world.page("/rules/ClaudeErrorRate/page?above=1%25&min_failed=1&clear_below=1%25&days=7")

    assert (
        await world.core(lambda: (world.service.core.engine.ledger_hash, world.service.core.engine.decided)) == before
    )
    assert await world.told() == told
    assert "5%" in await world.page("/rules/ClaudeErrorRate/page")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("above=lots", "above: 'lots': not a share: write a share such as 5% or 0.05"),
        ("above=0", "above: 0: write a share between 0 and 1"),
        ("window=7s", "window"),
        ("min_failed=-1", "min_failed: -1"),
        ("for=soon", "for: 'soon'"),
        ("days=400", "days: '400': one of 1, 3, 7"),
        (f"above={SCRIPT}", "&lt;script&gt;"),
    ],
)
async def test_numbers_that_make_no_rule_are_said_and_nothing_is_tried(world: World, query: str, said: str) -> None:
    await world.post(*failures(30, of=90))

    html = await world.page(f"/rules/ClaudeErrorRate/page?{query}")

    assert SCRIPT not in html
    assert "Not understood, so nothing was tried" in html
    assert said in html.replace("&#39;", "'")
    assert "What came of it" not in html


async def test_a_tier_that_could_never_fire_is_refused_by_name(world: World) -> None:
    html = await world.page("/rules/ClaudeRetriesExhausted/page?burn1=5000")

    assert "tiers.1.burn: 5000: even a total outage burns at" in html


async def test_the_numbers_in_force_are_not_tried(world: World) -> None:
    await world.post(*failures(30, of=90))

    html = await world.page("/rules/ClaudeErrorRate/page?above=5%25&days=7&window=")

    assert "These are the numbers in force" in html
    assert "What came of it" not in html


async def test_while_one_trial_runs_another_is_refused_with_a_503(world: World) -> None:
    await world.post(*failures(30, of=90))
    opened, go_on = threading.Event(), threading.Event()
    trials = world.service.trials
    usual = trials._open_reader

    def slowly() -> sqlite3.Connection:
        opened.set()
        go_on.wait(10)
        return usual()

    trials._open_reader = slowly
    rule = world.service.core.engine.rules["ClaudeErrorRate/page"]
    running = threading.Thread(
        target=lambda: trials.run(
            rule, rules=[rule], config=world.service.configuration.loaded.config, since=0.0, until=world.now
        )
    )
    running.start()
    assert opened.wait(5)

    refused = await world.page("/rules/ClaudeErrorRate/page?above=50%25", status=503)
    go_on.set()
    running.join(10)

    assert "one trial runs at a time" in refused
    assert "What came of it" in await world.page("/rules/ClaudeErrorRate/page?above=50%25")


async def test_a_trial_whose_time_is_over_says_how_far_it_came(world: World) -> None:
    for _ in range(5):
        await world.post(*failures(0, of=20))
        await world.wind(3600)
    core = world.service.core
    rules = list(core.engine.rules.values())[:12]
    # The row of the rules, a batch, a pause, a batch: then the time is over.
    instants = iter([0.0, 0.0, 0.001, 0.002, 0.003, 9.0])
    trials = Trials(world.service.trials._open_reader, steady=lambda: next(instants))

    trial = trials.run(
        rules[0],
        rules=rules,
        config=world.service.configuration.loaded.config,
        since=world.now - DAY,
        until=world.now,
        at_most_s=5.5,
    )

    assert not trial.whole
    assert trial.events == 40
    assert trial.begins is not None
    assert 3600 <= trial.reached - trial.begins < 3700


async def test_a_service_that_ends_does_not_wait_for_a_trial(world: World) -> None:
    for _ in range(3):
        await world.post(*failures(0, of=20))
    world.service.trials.stop()

    html = await world.page("/rules/ClaudeErrorRate/page?above=50%25")

    assert "The time was over" in html
    assert "; 20 events from" in text_of(html)


async def test_what_the_rules_were_meanwhile_is_nothing_to_a_trial(world: World) -> None:
    """The present rules and the tried ones decide over all of it, also what older ones decided then."""
    core = world.service.core
    rules = list(core.engine.rules.values())[:12]
    await world.core(lambda: core.change_rules(rules[:1]))
    await world.post(*failures(30, of=90))
    await world.core(lambda: core.change_rules(rules))
    await world.wind(3600)

    html = text_of(await world.page("/rules/ClaudeErrorRate/page?above=50%25"))

    assert "paged 0 times, against once" in html


async def test_what_a_trial_says_of_the_numbers_in_force_is_what_happened(world: World) -> None:
    """With the rules of the time: the same alerts, fired and ended at the same instants, and the same people told."""
    for hour in range(4):
        await world.post(*failures(10 * hour, of=60), {"app": "cart", "environment": "prod", "status": 401})
        for _ in range(10):
            await world.post(*failures(0, of=20), {"app": "cart", "environment": "prod", "status": 200})
            await world.wind(300)
    rules = [rule for rule in world.service.core.engine.rules.values() if rule.kind != "own"]
    run = world.service.trials.run
    config = world.service.configuration.loaded.config

    trial = run(rules[0], rules=rules, config=config, since=0.0, until=world.now)
    query = "SELECT fingerprint, episode, fired_at, resolved_at FROM episodes ORDER BY 1, 2"
    happened = await world.core(lambda: world.service.core.connection.execute(query).fetchall())
    said = [(e.fingerprint, e.episode, e.starts_at, e.ends_at) for e in trial.before.alerts]

    assert trial.whole
    assert len(happened) > 6
    assert sorted(said) == happened
    assert trial.changes.same == len(said)
    assert len(trial.before.notifications) == len(await world.told())
