"""alerts/board.py: a board reads as one engine does that has evaluated all partitions."""

from __future__ import annotations

from math import inf

import pytest

from alerts.board import Board
from alerts.counters import Totals
from alerts.default_rules import DEFAULT_RULES
from alerts.evaluator import Engine
from alerts.glimpse import Glimpse, glimpse
from tests.support.events import NOON, exhausted, success

APPS = ("shop", "till", "desk", "mail")
LATER = NOON + 10


class Tier:
    """Two partitions, the board over them, and one engine that evaluates both."""

    def __init__(self) -> None:
        self.parts = [Engine(DEFAULT_RULES) for _ in range(2)]
        self.whole = Engine(DEFAULT_RULES)
        self.board = Board(DEFAULT_RULES)

    def observe(self, partition: int, app: str) -> None:
        events = [exhausted(NOON, app=app) for _ in range(4)] + [success(NOON, app=app) for _ in range(6)]
        for engine in (self.parts[partition], self.whole):
            for transition in engine.observe(events, NOON).transitions:
                if engine is not self.whole:
                    self.board.take(partition, transition)

    def show(self) -> None:
        self.whole.tick(LATER)
        for partition, engine in enumerate(self.parts):
            for transition in engine.tick(LATER).transitions:
                self.board.take(partition, transition)
            self.board.show(partition, glimpse(engine))
            self.board.chains[partition] = (engine.ledger_hash, engine.decided)


@pytest.fixture
def tier() -> Tier:
    found = Tier()
    for n, app in enumerate(APPS):
        found.observe(n % 2, app)
    found.show()
    return found


def test_its_alerts_are_those_of_one_engine(tier: Tier) -> None:
    board, whole = tier.board, tier.whole

    assert {alert.fingerprint for alert in board.firing()} == {alert.fingerprint for alert in whole.firing()} != set()
    for alert in board.alerts():
        assert board.find(alert.fingerprint) is alert
        standing = board.standing(alert.fingerprint)
        assert standing is not None
        assert standing.alert is alert
    assert board.find("0" * 16) is None
    assert board.standing("0" * 16) is None


def test_its_counts_are_those_of_one_engine(tier: Tier) -> None:
    board, whole = tier.board, tier.whole

    assert board.recent() == whole.recent()
    assert board.history() == whole.history()
    assert board.history({("shop", "")}) == whole.history({("shop", "")})
    assert {model: totals.exhausted for model, totals in board.totals.items()} == {
        model: totals.exhausted for model, totals in whole.totals.items()
    }
    assert board.watching() == whole.watching()
    assert board.sizes() == whole.sizes()
    assert board.overflowed == whole.overflowed == 0
    for rule in DEFAULT_RULES:
        assert board.measures(rule, most=99) == whole.measures(rule, most=99)
        assert board.asleep(rule) == whole.asleep(rule)


def test_its_budgets_are_those_of_one_engine(tier: Tier) -> None:
    budgets = [rule for rule in DEFAULT_RULES if rule.kind == "budget"]

    assert budgets
    for rule in budgets:
        assert tier.board.counts(rule) == tier.whole.counts(rule)
        assert tier.board.known(rule) == tier.whole.known(rule)


def test_what_several_partitions_count_of_one_app_is_added() -> None:
    tier = Tier()
    for partition in range(2):
        tier.observe(partition, "shop")
    tier.show()

    assert tier.board.recent() == tier.whole.recent()
    assert tier.board.history() == tier.whole.history()
    [totals], [of_all] = tier.board.totals.values(), tier.whole.totals.values()
    assert (totals.exhausted, totals.attempts) == (of_all.exhausted, of_all.attempts)


def test_its_hash_is_of_all_partitions_and_empty_before_the_first_decision(tier: Tier) -> None:
    assert (Board(DEFAULT_RULES).ledger_hash, Board(DEFAULT_RULES).decided) == ("", 0)
    assert tier.board.decided == sum(engine.decided for engine in tier.parts)

    before = tier.board.ledger_hash
    tier.board.chains[1] = ("another", tier.board.chains[1][1])
    assert tier.board.ledger_hash != before != ""


def test_how_old_what_is_shown_is_counts_from_when_it_was_shown(tier: Tier) -> None:
    shown_at = tier.board.glimpses[0].at

    assert tier.board.age_s(0, shown_at + 7) == 7
    assert tier.board.age_s(9, shown_at) == inf


def test_an_alert_that_is_shown_before_its_change_was_told_is_not_on_the_board(tier: Tier) -> None:
    board = Board(DEFAULT_RULES)
    board.show(0, glimpse(tier.parts[0]))

    assert board.alerts() == []
    assert board.recent() == tier.parts[0].recent()


def named(*models: str) -> Glimpse:
    return Glimpse(at=NOON, totals={(model, "", "m"): Totals(ok=1) for model in models})


def test_the_first_models_stay_the_first_whatever_other_partitions_show() -> None:
    board = Board(DEFAULT_RULES)
    board.show(0, named("a", "b", "c"))
    board.show(1, named("d"))
    # Of what is met at once, each partition's first ones: nobody's place is behind all of another's.
    assert [app for app, _, _ in board.totals] == ["a", "d", "b", "c"]

    board.show(1, named("d", "e"))
    board.show(0, named("a", "b", "c", "f"))
    assert [app for app, _, _ in board.totals] == ["a", "d", "b", "c", "e", "f"]
    assert sum(totals.ok for totals in board.totals.values()) == 6


def test_what_a_partition_counts_of_models_beyond_those_that_are_shown_is_not_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("alerts.glimpse.MOST", 2)
    engines = [Engine(DEFAULT_RULES) for _ in range(2)]
    board = Board(DEFAULT_RULES)
    for n, engine in enumerate(engines):
        engine.observe([success(NOON, app=f"{n}-{i}") for i in range(5)], NOON)
        board.show(n, glimpse(engine))

    totals = board.totals
    assert [app for app, _, _ in totals] == ["0-0", "1-0", "0-1", "1-1", "(overflow)"]
    assert [one.attempts["ok"] for one in totals.values()] == [1, 1, 1, 1, 6]
