"""The elected node: each change is told once, whatever ends it, and all partitions are one to who reads."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from alerts.conditions import Any as AnyEvent
from alerts.conditions import EndOfLife
from alerts.default_rules import DEFAULT_RULES
from alerts.matchers import parse_matcher
from alerts.rules import Rule
from service.audit import Actor
from service.dispatch import Dispatch
from service.storage import event_log, failures, ledger, reports, state
from service.storage.errors import DatabaseError
from service.storage.ledger import Wanted
from tests.support.events import NOON, exhausted, make_event, success
from tests.support.faults import Failing
from tests.support.partitions import Clock, Tier, connect, die, elect, put_in_force
from tests.support.postgres import Postgres

REJECTED = (parse_matcher('category="authentication"'),)
AUTH = Rule(alert="Auth", condition=AnyEvent(), match=REJECTED, keep_firing_for_s=60)
EVERYWHERE = Rule(alert="Anywhere", condition=AnyEvent(), match=REJECTED, by=("model",), keep_firing_for_s=60)
APPS = ("a", "b", "cart", "d", "e", "y")


@pytest.fixture
def tier(url: str) -> Iterator[Tier]:
    tier = Tier(url, [AUTH])
    yield tier
    tier.close()


def rejected(now: float, app: str, **fields: Any) -> Any:
    return make_event(now=now, time=now, status=401, app=app, **fields)


def fine(now: float, app: str) -> Any:
    return success(now, app=app)


def told(tier: Tier) -> list[tuple[str, str]]:
    return [(one.status.value, one.alerts[0].labels.get("app", "")) for one in tier.told()]


def fire(tier: Tier, *apps: str) -> None:
    now = tier.clock.now + 1
    tier.observe([rejected(now, app) for app in apps], now=now)
    tier.observe([], now=now + 1)
    tier.tick()


def test_what_fires_in_a_partition_is_told_and_its_end(tier: Tier) -> None:
    fire(tier, "a")
    tier.observe([fine(tier.clock.now, "a")], now=tier.clock.now)
    tier.wait(70)

    assert told(tier) == [("firing", "a"), ("resolved", "a")]
    assert reports.changes(tier.core.connection, most=10) == []
    assert reports.reports(tier.core.connection, most=10) == []


def test_the_ledger_the_episodes_and_the_failures_are_those_of_all_partitions(tier: Tier) -> None:
    fire(tier, *APPS)

    connection = connect(tier.url)
    rows = ledger.find(connection, Wanted(what="fired"), limit=99)
    [episode] = state.load_episodes(connection, limit=9, fingerprint=rows[0].subject)
    logged = list(event_log.read(connection, -1))

    assert sorted(row.labels["app"] for row in rows) == list(APPS)
    assert episode.episode == 1
    assert sum(row.n for row in logged) == len(APPS)
    found = [event for offset, _ in failures.waiting(connection, rows=99) for event in noted(connection, offset)]
    assert sorted(event.app for event in found) == list(APPS)
    assert [event.status for event in found] == [401] * len(APPS)
    connection.close()


def noted(connection: Any, offset: int) -> list[Any]:
    body = failures.body_of(connection, offset)
    return [event for _, event in failures.decoded(body)] if body is not None else []


def test_a_partition_that_is_far_behind_is_waited_for_no_longer_than_patience(tier: Tier) -> None:
    slow = next(owned for owned in tier.owned if owned.log.messages.get(owned.partition) is None)
    others = [owned for owned in tier.owned if owned is not slow]
    tier.observe([], now=NOON + 1)
    tier.owned = others
    app = next(a for a in APPS if not in_partition(tier, a, slow.partition))

    now = tier.clock.now + 0.5
    tier.observe([rejected(now, app)], now=now)
    tier.observe([], now=now + 0.5)
    tier.tick()
    waiting = told(tier)
    tier.observe([], now=now + 2.5)
    tier.tick()

    assert waiting == []
    assert told(tier) == [("firing", app)]
    assert tier.core.source.complete_to == NOON + 1
    tier.owned.append(slow)


def in_partition(tier: Tier, app: str, partition: int) -> bool:
    from tests.support.partitions import partition_of

    return partition_of(fine(NOON, app), tier.log.n) == partition


def test_a_clock_that_is_ahead_keeps_nobody_from_being_told(tier: Tier) -> None:
    tier.observe([], now=NOON + 1)
    ahead = tier.owned[0]
    app = next(a for a in APPS if in_partition(tier, a, ahead.partition))
    event = rejected(NOON + 100, app)
    tier.log.add([event], at=NOON + 100)
    ahead.shard.take(tier.log.after(ahead.tenure), NOON + 100)
    tier.tick()
    for _ in range(4):
        tier.observe([], now=tier.clock.now + 1)
        tier.tick()

    assert told(tier) == [("firing", app)]


def test_the_next_elected_node_knows_who_looks_after_what(tier: Tier) -> None:
    fire(tier, "a")
    [alert] = tier.core.submit(tier.core.engine.firing).result(10)
    dispatch = Dispatch(tier.core, clock=lambda: tier.clock.now, make_id=lambda: "id")
    actor = Actor(who="Ann", via="test")
    tier.core.submit(lambda: dispatch.acknowledge(alert.fingerprint, by="Ann", actor=actor)).result(10)

    tier.crash()
    [again] = tier.core.submit(tier.core.engine.firing).result(10)

    assert (again.acked_by, again.episode) == ("Ann", 1)
    assert again.fingerprint == alert.fingerprint


def test_other_rules_reach_every_partition_and_end_what_they_no_longer_say(tier: Tier) -> None:
    fire(tier, *APPS)
    other = Rule(alert="Blocked", condition=AnyEvent(), match=(parse_matcher('category="account"'),))
    tier.core.submit(lambda: tier.core.reconfigure([other], adopt=lambda: None)).result(10)
    for _ in range(3):
        tier.observe([], now=tier.clock.now + 1)
        tier.tick()

    assert Counter(status for status, _ in told(tier)) == {"firing": len(APPS), "resolved": len(APPS)}
    evaluated = {rule for owned in tier.owned for rule in owned.shard.engine.rules}
    assert evaluated == set(tier.core.engine.rules)


def test_alerts_of_several_partitions_with_the_same_labels_are_one(url: str) -> None:
    tier = Tier(url, [EVERYWHERE])
    fire(tier, *APPS)
    first = told(tier)
    # What each partition has counted by then it shows within seconds.
    tier.wait(6)
    tier.wait(6)
    [alert] = tier.core.submit(tier.core.engine.firing).result(10)
    for app in APPS:
        tier.observe([fine(tier.clock.now, app)], now=tier.clock.now)
        tier.wait(70)

    assert len({owned.partition for owned in tier.owned if owned.log.messages.get(owned.partition)}) == 3
    assert first == [("firing", "")]
    assert alert.value["count"] == len(APPS)
    assert alert.evidence.failures == len(APPS)
    assert told(tier) == [("firing", ""), ("resolved", "")]
    tier.close()


def test_a_model_that_will_be_gone_is_told_once_whatever_calls_it(url: str) -> None:
    rule = next(rule for rule in DEFAULT_RULES if isinstance(rule.condition, EndOfLife))
    tier = Tier(url, [rule])
    now = tier.clock.now + 1
    events = [
        success(now, app="shop", environment=environment, model_end_of_life="2026-09-25")
        for environment in ("live", "test", "dev", "eu", "us")
    ]
    tier.observe(events, now=now)
    tier.observe([], now=now + 2)
    tier.observe([], now=now + 3)
    tier.tick()

    assert len({owned.partition for owned in tier.owned if owned.log.messages.get(owned.partition)}) > 1
    assert told(tier) == [("firing", "shop")]
    tier.close()


def test_pages_read_the_board_as_an_engine(url: str) -> None:
    tier = Tier(url, DEFAULT_RULES)
    now = tier.clock.now + 1
    tier.observe([exhausted(now, app=app) for app in APPS for _ in range(4)], now=now)
    for _ in range(2):
        tier.observe([], now=tier.clock.now + 6)
        tier.tick()

    board = tier.core.engine
    engines = [owned.shard.engine for owned in tier.owned]

    assert board.recent() == {app: row for engine in engines for app, row in engine.recent().items()}
    assert board.history() == {app: rows for engine in engines for app, rows in engine.history().items()}
    assert sum(t.exhausted for t in board.totals.values()) == 4 * len(APPS)
    assert board.decided == sum(engine.decided for engine in engines)
    assert board.watching()["ClaudeErrorRate/page"] == len(APPS)
    assert {alert.fingerprint for alert in board.firing()} == {a.fingerprint for e in engines for a in e.firing()}
    for rule in DEFAULT_RULES:
        assert board.measures(rule, most=99) == {k: v for e in engines for k, v in e.measures(rule, most=99).items()}
    tier.close()


def outcome(url: str) -> list[Any]:
    """Return all that the elected node wrote, and what waits for it."""
    connection = connect(url)
    rows = connection.execute("SELECT what, subject FROM ledger ORDER BY what, subject").fetchall()
    found = [
        connection.execute("SELECT status, dedup_key FROM outbox ORDER BY 1, 2").fetchall(),
        [row for row in rows if row[0] in ("fired", "kept", "resolved")],
        connection.execute("SELECT fingerprint, episode, resolved_at FROM episodes ORDER BY 1").fetchall(),
        connection.execute("SELECT sum(n), count(*) FROM event_log").fetchall(),
        connection.execute("SELECT sum(n) FROM failures_new").fetchall(),
        connection.execute("SELECT (SELECT count(*) FROM transitions), (SELECT count(*) FROM reports)").fetchall(),
    ]
    connection.close()
    return found


def test_whatever_statement_the_elected_node_dies_at_each_change_is_told_once(url: str, server: Postgres) -> None:
    """A night is reported, and then the elected node looks at it, and dies at each statement, before it or after."""
    tier = Tier(url, [AUTH])
    tier.observe([rejected(NOON + 1, app) for app in APPS[:3]], now=NOON + 1)
    tier.observe([fine(NOON + 2, app) for app in APPS[:3]], now=NOON + 2)
    for n in range(5):
        tier.observe([], now=NOON + 22 + 20 * n)
    clock = tier.clock
    tier.close()
    night = url.rpartition("/")[2]

    expected, statements = told_by_who_dies_at(server, night, clock, at=0)
    assert len(expected[0]) == 2 * 3
    assert expected[-1] == [(0, 0)]
    assert statements > 20
    for at in range(1, statements + 1):
        found, _ = told_by_who_dies_at(server, night, clock, at=at, after=bool(at % 2))
        assert found == expected, at
    # A commit is the one statement after which something is there.
    found, _ = told_by_who_dies_at(server, night, clock, at=statements, after=True)
    assert found == expected


def told_by_who_dies_at(
    server: Postgres, night: str, clock: Clock, *, at: int, after: bool = False
) -> tuple[list[Any], int]:
    name = server.create_database(template=night)
    core = elect(server.url(name), [AUTH], clock)
    failing = Failing(core.connection, at, after=after)
    core.connection = core.source._connection = failing  # type: ignore[attr-defined,assignment]
    with contextlib.suppress(DatabaseError):
        core.submit(core.tick).result(60)
    die(core)
    core = elect(server.url(name), [AUTH], clock)
    core.submit(core.tick).result(60)
    die(core)
    found = outcome(server.url(name))
    server.drop_database(name)
    return found, failing.n


def test_rules_are_put_in_force_before_anything_is_evaluated(url: str) -> None:
    connection = connect(url)
    assert reports.rules_in_force(connection) is None
    put_in_force(connection, [AUTH])
    tier = Tier(url, [EVERYWHERE])

    assert "Anywhere" in (reports.rules_in_force(connection) or "")
    tier.close()
    connection.close()
