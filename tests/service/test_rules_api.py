"""GET /v1/rules and /v1/budgets: what is in force, where it stands, and what is left."""

from __future__ import annotations

from pathlib import Path

import pytest

from alerts.budgets import Tier
from alerts.conditions import Budget
from alerts.evaluator import Engine
from alerts.rules import Rule
from service.budget_views import budget_views
from tests.support.events import exhausted, success
from tests.support.running import Running, until

NOON = 1_700_000_000
DAY = 86_400


def test_a_rule_tells_all_that_a_file_says_and_where(tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(
        "rules:\n  - alert: Ours\n    error_rate: {above: 2%, window: 10m, min_failed: 5}\n    by: [app]\n"
        "    match: ['app=\"shop\"']\n    for: 2m\n    keep_firing_for: 3m\n    labels: {severity: page, team: pay}\n"
    )
    with Running(tmp_path, config="rule_files: [rules.yml]") as claxon:
        rules = {rule["id"]: rule for rule in claxon.get("/v1/rules")["rules"]}

    ours = rules["Ours/page/team=pay"]
    assert ours["definition"] == {
        "alert": "Ours",
        "error_rate": {"of": "calls", "above": "2%", "window": "10m", "min_failed": 5},
        "match": ['app="shop"'],
        "by": ["app"],
        "for": "2m",
        "keep_firing_for": "3m",
        "labels": {"severity": "page", "team": "pay"},
    }
    assert ours["place"].endswith("rules.yml:2")
    assert (ours["kind"], ours["severity"], len(ours["hash"])) == ("error_rate", "page", 12)
    assert (ours["firing"], ours["pending"], ours["health"]["ok"]) == (0, 0, True)


def test_a_rule_says_how_many_of_its_alerts_fire(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        claxon.post([{"model": "m", "app": app, "status": 401} for app in ("shop", "cart")])

        rules = {rule["id"]: rule for rule in claxon.get("/v1/rules")["rules"]}

    assert rules["ClaudeAuthError/page"]["firing"] == 2
    assert rules["ClaudeAuthError/page"]["evaluated_at"] > NOON
    assert rules["ClaudeAuthError/page"]["place"] == ""


def test_a_budget_says_what_is_spent_and_when_the_rest_is_gone(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        good = [{"model": "m", "app": "shop", "status": 200}] * 975
        bad = [{"model": "m", "app": "shop", "status": 500, "final": True, "exhausted": True}] * 25
        claxon.post(good + bad)
        assert until(lambda: claxon.get("/v1/budgets")["budgets"], 5)

        budgets = {budget["rule"]: budget for budget in claxon.get("/v1/budgets")["budgets"]}

    page = budgets["ClaudeRetriesExhausted/page"]
    assert page["labels"] == {"app": "shop"}
    assert [(w["window_s"], w["exhausted"], w["calls"], round(w["burn"], 6)) for w in page["windows"]] == [
        (300, 25, 1000, 5.0),
        (1800, 25, 1000, 5.0),
        (3600, 25, 1000, 5.0),
        (21_600, 25, 1000, 5.0),
    ]
    # The app is known for seconds: to a bucket, which is 6 min of 6 h, and 72 min of 3 d.
    assert page["known_s"] <= 400
    assert page["spent"] == pytest.approx(5 * page["known_s"] / (30 * DAY))
    assert page["left_s"] == pytest.approx((1 - page["spent"]) * 30 * DAY / 5)
    assert budgets["ClaudeRetriesExhausted/ticket"]["known_s"] <= 4400


def test_a_budget_is_spent_since_the_first_call_in_the_longest_window() -> None:
    engine = Engine([budget_rule()])
    for minutes in range(90):
        at = NOON + minutes * 60
        engine.observe([success(at, app="shop"), exhausted(at, app="shop")], at + 1)
        (view,) = budget_views(engine)
        # 5x: half of the calls, where a tenth may fail. A bucket is a minute.
        assert abs(view.known_s - min(minutes * 60, 3600)) <= 120
        assert view.spent == pytest.approx(5 * view.known_s / view.period_s)


def budget_rule(**changed: object) -> Rule:
    tier = Tier(burn=2, long_s=3600, short_s=300)
    return Rule(alert="B", condition=Budget(**{"objective": 0.9, "tiers": (tier,)} | changed), by=("app",))  # type: ignore[arg-type]


def test_a_budget_that_does_not_burn_is_never_gone() -> None:
    engine = Engine([budget_rule()])
    engine.observe([success(NOON, app="shop")], NOON + 1)
    engine.tick(NOON + 5)

    (view,) = budget_views(engine)

    assert (view.spent, view.left_s, view.windows[0].burn) == (0.0, None, 0.0)


def test_a_budget_without_calls_knows_nothing() -> None:
    engine = Engine([budget_rule()])
    engine.observe([success(NOON, app="shop")], NOON + 1)
    engine.tick(NOON + 3 * 3600)

    (view,) = budget_views(engine)

    assert (view.spent, view.left_s, view.windows[-1].burn) == (None, None, None)


def test_a_plain_count_has_no_share_to_spend() -> None:
    engine = Engine([budget_rule(tiers=(), max_count=3, window_s=600)])
    engine.observe([exhausted(NOON, app="shop")], NOON + 1)
    engine.tick(NOON + 5)

    (view,) = budget_views(engine)

    assert (view.objective, view.max_count, view.windows[0].exhausted, view.spent) == (None, 3, 1, None)
