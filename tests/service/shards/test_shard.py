"""A partition: what is committed together, what a restart finds, and whom a second owner stops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from alerts.conditions import Any as AnyEvent
from alerts.default_rules import DEFAULT_RULES
from alerts.matchers import parse_matcher
from alerts.rules import Rule
from service.known import Asked, Noted
from service.nodes.shard import Logged, PoisonError
from service.shards.again import rebuild, rebuild_from_the_oldest
from service.storage import reports, shards
from service.storage.errors import DatabaseError, EngineError, FencedError
from service.storage.postgres_connection import PostgresConnection
from tests.support.events import NOON, exhausted, make_event, success
from tests.support.faults import Failing
from tests.support.partitions import Clock, Log, Owned, connect, logged, own, posted, put_in_force

AUTH = Rule(alert="Auth", condition=AnyEvent(), match=(parse_matcher('category="authentication"'),))


@pytest.fixture
def connection(url: str) -> Iterator[PostgresConnection]:
    connection = connect(url)
    yield connection
    connection.close()


def changes(connection: PostgresConnection) -> list[tuple[str, str]]:
    found = reports.changes(connection, most=1000)
    return [(one.transition.change.value, one.transition.alert.labels["alertname"]) for one in found]


def rejected(at: float, **fields: Any) -> Any:
    return make_event(now=at, time=at, status=401, **fields)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOON)


@pytest.fixture
def auth(connection: PostgresConnection, clock: Clock) -> Owned:
    """A partition whose one rule fires on a 401."""
    put_in_force(connection, [AUTH])
    return own(connection, Log(), clock)


@pytest.fixture
def default(connection: PostgresConnection, clock: Clock) -> Owned:
    """A partition with the default rules."""
    put_in_force(connection, DEFAULT_RULES)
    return own(connection, Log(), clock)


def successes(owned: Owned) -> int:
    return sum(totals.ok for totals in owned.shard.engine.totals.values())


def test_what_fires_is_reported_with_the_place_it_was_decided_at(auth: Owned, connection: PostgresConnection) -> None:
    auth.log.add([success(NOON), rejected(NOON)], at=NOON)

    auth.take_all()

    assert changes(connection) == [("fired", "Auth")]
    standing = shards.standing(connection, 0)
    assert (standing.next_offset, standing.at, standing.hash) == (6, NOON, auth.shard.engine.ledger_hash)
    [(_, report)] = reports.reports(connection, most=10)[-1:]
    assert [row.what.value for row in report.decisions] == ["fired"]
    assert [event.status for event in report.failed[0].events] == [401]
    assert b'"status":401' in report.failed[0].body
    assert b'"status":200' not in report.failed[0].body


def test_an_event_that_came_before_counts_once(auth: Owned) -> None:
    auth.log.add([success(NOON, event_id="1"), success(NOON, event_id="1"), success(NOON, event_id="2")], at=NOON)
    auth.log.add([success(NOON, event_id="2"), success(NOON, event_id="3")], at=NOON)
    auth.take_all()

    again = auth.again()
    again.log.add([success(NOON, event_id="3"), success(NOON, event_id="4")], at=NOON)
    again.take_all()

    assert (auth.tally.events, auth.tally.duplicates) == (3, 2)
    assert (again.tally.events, again.tally.duplicates) == (1, 1)
    assert successes(again) == 4


def test_a_name_is_forgotten_after_a_day(auth: Owned, clock: Clock) -> None:
    auth.log.add([success(NOON, event_id="1")], at=NOON)
    auth.take_all()
    clock.to(NOON + shards.KNOWN_S + 1)
    auth.tick()
    auth.log.add([success(clock.now, event_id="2")], at=clock.now)
    auth.take_all()
    auth.shard.snapshot()
    auth.log.add([success(clock.now, event_id="1"), success(clock.now, event_id="2")], at=clock.now)
    auth.take_all()

    assert (auth.tally.events, auth.tally.duplicates) == (3, 1)


def test_a_batch_that_is_posted_again_is_left_out_as_a_whole(auth: Owned) -> None:
    auth.log.add([success(NOON), success(NOON)], at=NOON, key="k")
    auth.take_all()
    auth.log.add([success(NOON), success(NOON)], at=NOON, key="k")
    auth.log.add([success(NOON)], at=NOON, key="other")
    auth.take_all()

    assert (auth.tally.events, auth.tally.duplicates) == (3, 2)


def test_claims_are_asked_and_noted_as_in_one_process(auth: Owned) -> None:
    ask, note = Asked("span"), Noted("span")
    for claims in ((ask,), (ask,), (note,), (note,), (ask,), ("plain",), ("plain",)):
        auth.log.add([success(NOON)], at=NOON, claims={0: claims})

    auth.take_all()

    # Asked for twice in vain, noted twice, then found; a plain name is new once.
    assert (auth.tally.events, auth.tally.duplicates) == (5, 2)


def test_while_spans_come_posted_events_are_known_by_their_request_ids(auth: Owned) -> None:
    auth.log.add([success(NOON)], at=NOON, claims={0: ("r\0req_1",)}, spans=True)
    auth.take_all()

    again = auth.again()
    again.log.add([success(NOON, request_id="req_1"), success(NOON, request_id="req_2")], at=NOON)
    again.take_all()

    assert (again.tally.events, again.tally.duplicates) == (1, 1)


@pytest.mark.parametrize("body", [b"[{", b"[]x", b'[{"model": 1}]', b"\xff"])
def test_a_message_that_cannot_be_read_is_named_and_nothing_is_committed(
    auth: Owned, connection: PostgresConnection, body: bytes
) -> None:
    good = logged(1, posted([rejected(NOON)]), at=NOON)
    before = shards.standing(connection, 0)

    with pytest.raises(PoisonError) as caught:
        auth.shard.take([good, logged(2, body, at=NOON)], NOON)

    assert caught.value.offset == 2
    assert shards.standing(connection, 0).next_offset == before.next_offset
    assert changes(connection) == []


def test_a_body_that_was_damaged_is_named(auth: Owned) -> None:
    whole = logged(7, posted([rejected(NOON)]), at=NOON)
    compressed = bytearray(whole.envelope.body)
    compressed[len(compressed) // 2] ^= 255
    damaged = msgspec.structs.replace(whole.envelope, body=bytes(compressed))

    with pytest.raises(PoisonError) as caught:
        auth.shard.take([Logged(7, NOON, damaged)], NOON)

    assert caught.value.offset == 7


def test_a_restart_goes_on_where_it_was_with_the_same_hash(
    default: Owned, clock: Clock, connection: PostgresConnection
) -> None:
    for n in range(20):
        clock.to(NOON + 7 * n)
        default.log.add([exhausted(clock.now), success(clock.now)], at=clock.now)
        default.take_all()
        default.tick()
    clock.to(clock.now + 3)
    default.tick()
    default.shard.snapshot()
    for _ in range(3):
        default.log.add([exhausted(clock.now), success(clock.now)], at=clock.now)
        default.take_all()

    rebuilt = rebuild(connection, 0, default.log)

    assert default.shard.engine.decided > 5
    # What is in the snapshot is not evaluated again.
    assert (rebuilt.agrees, rebuilt.lost, rebuilt.events) == (True, 0, 6)
    assert rebuilt.engine.ledger_hash == default.shard.engine.ledger_hash
    assert rebuild_from_the_oldest(connection, 0, default.log).agrees


def test_pauses_jumps_and_other_rules_are_repeated(
    default: Owned, clock: Clock, connection: PostgresConnection
) -> None:
    for step in range(40):
        clock.to(clock.now + 30)
        match step:
            case 10:
                clock.to(clock.now + 4000)
            case 20:
                clock.jump(-900)
            case 25:
                clock.jump(700)
            case 30:
                put_in_force(connection, [AUTH])
            case 35:
                put_in_force(connection, DEFAULT_RULES)
        default.log.add([exhausted(clock.now), success(clock.now), rejected(clock.now)], at=clock.now)
        default.take_all()
    default.tick()

    entries = [told.entry for told in shards.told(connection, 0, after=0, up_to=999) if told.entry]

    # The first rules are in the oldest snapshot.
    assert [entry.split('"')[3] for entry in entries] == ["resumed", "rewound", "resumed", "rules", "rules"]
    assert rebuild_from_the_oldest(connection, 0, default.log).agrees


def test_after_a_take_over_nobody_was_silent_meanwhile(auth: Owned, clock: Clock) -> None:
    auth.tick()
    clock.to(NOON + 600)

    again = auth.again()
    again.tick()

    assert again.tally.jumps == 1
    assert again.shard.engine.state.resumed_at == NOON + 600


def test_without_rules_in_force_nothing_is_evaluated(connection: PostgresConnection, clock: Clock) -> None:
    owned = own(connection, Log(), clock)
    owned.log.add([rejected(NOON)], at=NOON)

    with pytest.raises(EngineError, match="none are in force yet"):
        owned.take_all()
    assert owned.tenure.standing.next_offset == 0


def test_an_owner_that_lost_its_partition_writes_nothing_more(
    auth: Owned, connection: PostgresConnection, url: str, clock: Clock
) -> None:
    other = connect(url)
    second = own(other, auth.log, clock)
    auth.log.add([rejected(NOON)], at=NOON)

    with pytest.raises(FencedError):
        auth.take_all()
    second.take_all()
    clock.to(NOON + 1)
    with pytest.raises(FencedError):
        auth.tick()

    assert changes(connection) == [("fired", "Auth")]
    assert rebuild(connection, 0, auth.log).agrees
    other.close()


def test_of_snapshots_the_two_newest_are_kept_and_the_log_after_them(
    auth: Owned, clock: Clock, connection: PostgresConnection
) -> None:
    for n in range(5):
        clock.to(NOON + 86_400.0 * n)
        auth.log.add([rejected(clock.now)], at=clock.now)
        auth.take_all()
        auth.shard.snapshot()
        clock.to(clock.now + 60)
        auth.log.add([rejected(clock.now)], at=clock.now)
        auth.take_all()
        auth.shard.snapshot()

    kept = connection.execute("SELECT count(*), min(seq) FROM shard_snapshots").fetchone()

    # One a day, and the newest.
    assert kept[0] == 6
    assert shards.first_told(connection, 0) == kept[1] + 1
    assert rebuild_from_the_oldest(connection, 0, auth.log).agrees


def test_a_snapshot_may_be_damaged_and_the_one_before_serves(
    auth: Owned, clock: Clock, connection: PostgresConnection
) -> None:
    for n in range(3):
        clock.to(NOON + n)
        auth.log.add([rejected(clock.now)], at=clock.now)
        auth.take_all()
        auth.shard.snapshot()
    newest = "(SELECT max(seq) FROM shard_snapshots)"
    connection.execute(f"UPDATE shard_snapshots SET body = ? WHERE seq = {newest}", (b"rubbish",))

    rebuilt = rebuild(connection, 0, auth.log)

    assert (rebuilt.agrees, rebuilt.events) == (True, 1)


def test_what_the_log_no_longer_has_is_said_and_the_partition_goes_on(auth: Owned) -> None:
    auth.log.add([rejected(NOON), success(NOON)], at=NOON)
    auth.take_all()
    auth.log.messages[0].clear()

    again = auth.again()

    assert (again.shard.rebuilt.lost, again.shard.rebuilt.agrees, again.tally.diverged) == (2, False, 1)
    again.shard.take([logged(99, posted([success(NOON)]), at=NOON)], NOON)
    assert again.tenure.standing.next_offset == 100


@pytest.mark.parametrize("after", [False, True], ids=["before it", "after it"])
def test_a_fault_at_any_statement_loses_nothing_and_reports_nothing_twice(
    connection: PostgresConnection, after: bool
) -> None:
    """A fault ends the tenure; the next owner is given the messages that are not committed."""
    put_in_force(connection, [AUTH])
    *expected, statements = evaluated_with_a_fault(connection, at=0, after=after)
    assert statements > 20
    for at in range(1, statements + 1):
        for table in ("partitions", "shard_log", "shard_ids", "shard_snapshots", "transitions", "reports"):
            connection.execute(f"DELETE FROM {table}")
        *found, _ = evaluated_with_a_fault(connection, at=at, after=after)
        assert found == expected, at


def evaluated_with_a_fault(connection: PostgresConnection, *, at: int, after: bool) -> list[Any]:
    clock, log = Clock(NOON), Log()
    failing = Failing(connection, at, after=after)
    owned = until_it_is_done(lambda: own(failing, log, clock))  # type: ignore[arg-type]
    log.add([rejected(NOON, event_id="1"), success(NOON)], at=NOON)
    log.add([rejected(NOON, event_id="1"), success(NOON, event_id="2")], at=NOON)
    owned = take_over_until_done(owned, Owned.take_all)
    clock.to(NOON + 1)
    owned = take_over_until_done(owned, Owned.tick)
    log.add([success(NOON, event_id="2"), success(NOON + 1, event_id="3")], at=NOON + 1)
    owned = take_over_until_done(owned, Owned.take_all)
    owned = take_over_until_done(owned, lambda one: one.shard.snapshot())
    rebuilt = rebuild_from_the_oldest(connection, 0, log)
    assert rebuilt.agrees
    standing = shards.standing(connection, 0)
    n = connection.execute("SELECT count(*) FROM shard_ids").fetchone()[0]
    failed = [
        event.event_id
        for _, report in reports.reports(connection, most=99)
        for f in report.failed
        for event in f.events
    ]
    return [standing, changes(connection), successes(owned), n, failed, failing.n]


def take_over_until_done(owned: Owned, does: Callable[[Owned], None]) -> Owned:
    try:
        does(owned)
    except DatabaseError:
        owned = until_it_is_done(owned.again)
        does(owned)
    return owned


def until_it_is_done(attempt: Callable[[], Owned]) -> Owned:
    try:
        return attempt()
    except DatabaseError:
        return attempt()


def test_a_partition_is_shown_as_its_engine_reads(default: Owned, clock: Clock, connection: PostgresConnection) -> None:
    default.log.add([exhausted(NOON), success(NOON), rejected(NOON)], at=NOON)
    default.take_all()
    clock.to(NOON + 2)
    default.tick()
    default.shard.show()

    found = reports.glimpses(connection, than={})[0]

    assert found.at == NOON + 2
    assert found.recent == default.shard.engine.recent()
    assert found.totals.keys() == default.shard.engine.totals.keys()
    assert reports.glimpses(connection, than={0: found.at}) == {}
