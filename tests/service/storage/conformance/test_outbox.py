"""The outbox on each engine: what is due, in which order, what came of it, and what is found of it later."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.notification import Status
from service.storage import attempts, drill_rows, outbox, outbox_search, reached, stand_ins, told_alerts
from service.storage.attempts import Attempt
from service.storage.connecting import Connection
from service.storage.database import Transaction
from service.storage.outbox_search import Sought
from tests.support.notifications import NOON, make_message, make_notification

PAGER = "on-call/pagerduty/0"
CHAT = "chat/slack/0"


def put(
    connection: Connection, app: str, *, target: str = PAGER, over: bool = False, at: float = NOON, **more: Any
) -> str:
    """Add a message about an app; return its key."""
    told = make_notification([make_message(app, over=over)], at=at)
    with Transaction(connection):
        outbox.add(connection, target, told, deadline=at + 100, **more)
    return told.dedup_key


def head_of(connection: Connection, key: str, *, target: str = PAGER) -> outbox.Head:
    return next(head for head in outbox.heads(connection, target, limit=10) if head.dedup_key == key)


def take(
    connection: Connection, key: str, *, target: str = PAGER, pairs: bool = True, state: str = "delivered"
) -> None:
    delivery = outbox.load(connection, target, head_of(connection, key, target=target), pairs=pairs)
    with Transaction(connection):
        outbox.end(connection, delivery.rows, state=state, now=NOON + 1, answer="taken")
        attempts.add(connection, delivery.id, target, Attempt(at=NOON, duration_s=0.5, outcome="delivered", status=202))


def test_of_each_key_the_first_row_that_waits_is_due_the_one_that_is_due_first_first(writer: Connection) -> None:
    late, early = put(writer, "shop", at=NOON + 5), put(writer, "cart", at=NOON)
    put(writer, "shop", over=True, at=NOON + 1)
    put(writer, "mail", target=CHAT)
    found = outbox.heads(writer, PAGER, limit=10)
    assert [(head.dedup_key, head.status) for head in found] == [(early, Status.FIRING), (late, Status.FIRING)]
    assert [head.next_at for head in found] == [NOON, NOON + 5]
    assert [head.dedup_key for head in outbox.heads(writer, PAGER, limit=1, busy=[early])] == [late]
    assert [head.dedup_key for head in outbox.heads(writer, PAGER, limit=9, deadline=NOON + 100)] == [early]
    assert outbox.targets_waiting(writer) == [CHAT, PAGER]
    assert outbox.pending(writer) == 4


@pytest.mark.parametrize(("pairs", "rows", "status"), [(True, 1, Status.FIRING), (False, 2, Status.RESOLVED)])
def test_a_beginning_and_its_end_go_together_unless_the_vendor_needs_both(
    writer: Connection, pairs: bool, rows: int, status: Status
) -> None:
    key = put(writer, "shop")
    put(writer, "shop", over=True, at=NOON + 3)
    delivery = outbox.load(writer, PAGER, head_of(writer, key), pairs=pairs)
    assert (len(delivery.rows), delivery.begins, delivery.notification.status) == (rows, True, status)
    take(writer, key, pairs=pairs)
    assert outbox.pending(writer) == 2 - rows
    found = outbox.recent(writer, limit=10)
    assert [row.merged_into for row in found if row.state == "delivered"][:-1] == [delivery.id] * (rows - 1)


def test_what_is_not_taken_waits_with_all_behind_it(writer: Connection) -> None:
    key = put(writer, "shop")
    put(writer, "shop", over=True)
    delivery = outbox.load(writer, PAGER, head_of(writer, key), pairs=False)
    with Transaction(writer):
        outbox.defer(writer, delivery, next_at=NOON + 30, answer="503")
        attempts.add(writer, delivery.id, PAGER, Attempt(at=NOON, duration_s=1.0, outcome="server_error", answer="503"))
    assert head_of(writer, key).next_at == NOON + 30
    assert [row.next_at for row in outbox.recent(writer, limit=10)] == [NOON + 30] * 2
    waits = outbox.waiting(writer, PAGER)
    assert (waits.count, waits.oldest_at, waits.tries) == (2, NOON, 1)
    assert outbox.waiting(writer, "nobody/webhook/0").count == 0
    health = attempts.health(writer, PAGER)
    assert health is not None
    assert (health.failures, health.since, health.outcome, health.gave_up_at) == (1, NOON, "server_error", None)
    with Transaction(writer):
        attempts.give_up(writer, PAGER)
    given_up = attempts.health(writer, PAGER)
    assert given_up is not None
    assert given_up.gave_up_at == NOON
    take(writer, key, pairs=False)
    assert attempts.health(writer, PAGER) is None
    tries = outbox.recent(writer, limit=10)[-1].tries
    assert [(one.outcome, one.status, one.gave_up) for one in tries] == [
        ("server_error", None, True),
        ("delivered", 202, False),
    ]


def test_a_clock_that_was_set_moves_what_waits_and_ahead_it_is_tried_at_once(writer: Connection) -> None:
    put(writer, "shop")
    with Transaction(writer):
        outbox.shift(writer, 50.0)
    found = outbox.heads(writer, PAGER, limit=1)[0]
    assert (found.next_at, found.deadline) == (NOON, NOON + 150)
    with Transaction(writer):
        outbox.shift(writer, -20.0)
    found = outbox.heads(writer, PAGER, limit=1)[0]
    assert (found.next_at, found.deadline) == (NOON - 20, NOON + 130)


def test_what_was_told_is_known_by_alert_by_key_and_by_group(writer: Connection) -> None:
    key = put(writer, "shop")
    put(writer, "shop", target=CHAT)
    take(writer, key)
    fingerprint = make_message("shop").fingerprint
    assert outbox.receivers_of(writer, fingerprint, key) == ["on-call", "chat"]
    assert reached.states(writer, fingerprint, key) == {"delivered", "pending"}
    assert reached.in_groups(writer, NOON, [fingerprint]) == {fingerprint: {"delivered", "pending"}}
    assert reached.in_groups(writer, NOON + 1, [fingerprint]) == {}
    assert told_alerts.told_alerts(writer, [PAGER, CHAT], key) == {fingerprint: 1}
    put(writer, "shop", over=True, at=NOON + 2)
    end = outbox.load(writer, PAGER, head_of(writer, key), pairs=True)
    assert outbox.is_open(writer, end)
    take(writer, key)
    assert outbox.standing(writer, PAGER, ended_after=NOON + 2) == []
    assert len(outbox.standing(writer, PAGER, ended_after=NOON)) == 1


def test_who_stands_in_is_told_once_and_of_the_end_too(writer: Connection) -> None:
    key = put(writer, "shop")
    delivery = outbox.load(writer, PAGER, head_of(writer, key), pairs=True)
    for _ in range(2):
        with Transaction(writer):
            stand_ins.hand_over(writer, delivery, {CHAT: True}, said="refused", deadline=NOON + 50)
    assert [head.dedup_key for head in outbox.heads(writer, CHAT, limit=10)] == [key]
    assert stand_ins.who_began(writer, PAGER, key) == [CHAT]
    take(writer, key, target=CHAT)
    take(writer, key, state="failed")
    put(writer, "shop", over=True, at=NOON + 2)
    end = outbox.load(writer, PAGER, head_of(writer, key), pairs=True)
    with Transaction(writer):
        stand_ins.tell_the_end(writer, end, [CHAT], deadline=NOON + 60)
    told = outbox.load(writer, CHAT, head_of(writer, key, target=CHAT), pairs=True)
    assert (told.notification.status, told.notification.undelivered, told.origin) == (Status.RESOLVED, "refused", PAGER)
    assert stand_ins.who_began(writer, PAGER, key) == []


@pytest.mark.parametrize(
    ("sought", "apps"),
    [
        (Sought(), ["mail", "cart", "shop"]),
        (Sought(targets=(PAGER,)), ["cart", "shop"]),
        (Sought(state="delivered"), ["shop"]),
        (Sought(targets=(PAGER, CHAT), state="pending"), ["mail", "cart"]),
        (Sought(fingerprint=make_message("cart").fingerprint), ["cart"]),
        (Sought(fingerprint=make_message("cart").fingerprint, state="failed"), []),
        (Sought(targets=("no/such/0",)), []),
    ],
)
def test_a_page_finds_its_rows_newest_first(writer: Connection, sought: Sought, apps: list[str]) -> None:
    key = put(writer, "shop")
    take(writer, key)
    put(writer, "cart")
    put(writer, "mail", target=CHAT)
    found = outbox_search.find(writer, sought, limit=10)
    assert [row.told.alerts[0].summary.partition(":")[0] for row in found if row.told] == apps
    assert outbox_search.targets(writer) == [CHAT, PAGER]
    last = outbox_search.last_taken(writer, PAGER)
    assert last is not None
    assert (last.at, last.answer) == (NOON + 1, "taken")
    assert outbox_search.last_taken(writer, CHAT) is None


def test_rows_of_a_drill_are_found_with_their_last_try(writer: Connection) -> None:
    key = put(writer, "shop")
    take(writer, key)
    found = drill_rows.rows(writer, [PAGER, CHAT], key)
    assert [(row.status, row.state, row.ended_at) for row in found] == [(Status.FIRING, "delivered", NOON + 1)]
    assert found[0].last is not None
    assert found[0].last.status == 202


def test_what_ended_long_ago_is_forgotten_with_its_tries_and_what_waits_is_not(writer: Connection) -> None:
    key = put(writer, "shop")
    take(writer, key)
    put(writer, "cart")
    with Transaction(writer):
        outbox.prune(writer, NOON + 2)
    assert [row.state for row in outbox.recent(writer, limit=10)] == ["pending"]
    assert outbox.recent(writer, limit=10, fingerprint=make_message("shop").fingerprint) == []
    assert writer.execute("SELECT count(*) FROM attempts").fetchone()[0] == 0
