"""The engine's limits: what is forgotten, or counted together, so that no traffic fills the memory."""

from __future__ import annotations

import pytest

from alerts.conditions import Any, Consecutive, ErrorRate
from alerts.evaluator import Engine
from alerts.keyring import OVERFLOW
from alerts.matchers import parse_matcher
from alerts.rules import Rule
from tests.support.events import NOON, exhausted, make_event, provisional, success

RATE = Rule(alert="Rate", condition=ErrorRate(), by=("app",))
AUTH = Rule(alert="Auth", condition=Any(), match=(parse_matcher('status="401"'),), by=("app",))


def calls(engine: Engine, app: str) -> int:
    return engine.recent()[app, ""][0]


def test_totals_of_models_over_the_limit_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.keyring.MAX_KEYS", 2)
    engine = Engine([])
    engine.observe([success(NOON, model=f"model-{i}") for i in range(5)], NOON)

    totals = engine.state.totals

    assert [of[2] for of in totals] == ["model-0", "model-1", OVERFLOW]
    assert totals[OVERFLOW, OVERFLOW, OVERFLOW].ok == 3


def test_the_overflow_of_a_rule_s_keys_is_an_alert_and_one_row_of_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.keyring.MAX_KEYS", 2)
    engine = Engine([AUTH])
    rows = []
    for second in range(4):
        events = [make_event(now=NOON + second, status=401, app=f"app-{second}-{i}") for i in range(3)]
        rows += engine.observe(events, NOON + second).decisions

    assert [row.rule for row in rows if row.what == "overflow"] == [AUTH.id]
    assert "ClaxonKeysOverflow" in {alert.labels["alertname"] for alert in engine.firing()}


@pytest.mark.parametrize("of", [success, exhausted], ids=["successes", "failures"])
def test_a_path_that_is_forgotten_loses_no_count(monkeypatch: pytest.MonkeyPatch, of: object) -> None:
    """Paths are many; what they counted is their app's."""
    monkeypatch.setattr("alerts.keyring._MAX_FEEDS", 3)
    engine = Engine([RATE])
    for second in range(10):
        now = NOON + second
        engine.observe([of(now, app="shop", path=f"/{second}/{i}") for i in range(2)], now)  # type: ignore[operator]
    engine.tick(NOON + 20)

    assert calls(engine, "shop") == 20


def test_a_path_with_events_of_this_second_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.keyring._MAX_FEEDS", 1)
    engine = Engine([RATE])
    engine.observe([success(NOON + 0.5, app="shop", path=f"/{i}") for i in range(5)], NOON + 0.5)
    engine.observe([success(NOON + 0.7, app="shop", path=f"/{i}") for i in range(5)], NOON + 0.7)

    assert calls(engine, "shop") == 10


def test_kinds_of_failures_over_the_limit_are_counted_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.feeds.MAX_LANES", 2)
    engine = Engine([RATE])
    for second in range(3):
        now = NOON + second
        engine.observe([exhausted(now, app="shop", error_type=f"type-{second}-{i}") for i in range(5)], now)
    engine.tick(NOON + 10)

    assert engine.recent()["shop", ""][:3] == [15, 15, 15]


def test_more_failures_in_a_second_than_may_wait_are_counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.counting._LANES", 4)
    engine = Engine([RATE])
    engine.observe([exhausted(NOON, app="shop") for _ in range(11)], NOON)

    assert engine.recent()["shop", ""][:3] == [11, 11, 11]


def test_calls_over_the_limit_are_confirmed_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest ones: a later attempt could not take them back any more."""
    monkeypatch.setattr("alerts.provisional.LIMIT", 2)
    engine = Engine([RATE])
    engine.observe([provisional(NOON, call_id=str(i)) for i in range(5)], NOON)
    engine.tick(NOON + 60)

    assert len(engine.state.provisional.calls) == 2
    assert sum(totals.failed for totals in engine.state.totals.values()) == 3


@pytest.mark.parametrize("limit", [1, 100])
def test_the_success_of_a_path_that_is_forgotten_ends_the_run_before_it(
    monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Though it was read, and so counted, in the second in which it came."""
    monkeypatch.setattr("alerts.keyring._MAX_FEEDS", limit)
    engine = Engine([Rule(alert="Row", condition=Consecutive(adaptive=False))])
    engine.observe([success(NOON + 0.5, app="shop", path="/a")], NOON + 0.5)
    engine.recent()

    for late in (0.3, 0.4):
        engine.observe([exhausted(NOON + 10, app="shop", path="/b", time=NOON + late)], NOON + 10)
    engine.tick(NOON + 60)

    assert engine.alerts() == []
