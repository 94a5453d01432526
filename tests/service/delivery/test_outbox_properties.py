"""Whatever fails, and whenever the process dies: everything is told, in its last state, to somebody."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts.notification import AlertMessage, Notification, Status
from service.delivery.desk import Desk
from service.receivers import Answer, DeliveryError, Reason
from service.storage import outbox
from service.storage.database import Transaction
from service.storage.outbox import Delivery
from tests.support.bench import Bench
from tests.support.notifications import make_message, make_notification

PRIMARY, BACKUP = "on-call/webhook/0", "backup/webhook/0"
DAY = 86_400.0


@dataclass
class Inbox:
    """A receiver whose answers the test gives; `taken` is what it took, in order."""

    pairs: bool
    kind: str = "webhook"
    send_resolved: bool = True
    rate: None = None
    resend_s: None = None
    taken: list[Notification] = field(default_factory=list)

    async def send(self, notification: Notification) -> Answer:
        self.taken.append(notification)
        return Answer(status=200)

    async def close(self) -> None:
        """Nothing is open."""


class World:
    """A core, an outbox, two receivers; groups whose alerts begin and end."""

    def __init__(self, folder: Path, *, pairs: tuple[bool, bool]) -> None:
        self.bench = Bench(folder)
        self.inboxes = {PRIMARY: Inbox(pairs[0]), BACKUP: Inbox(pairs[1])}
        self.firing: dict[str, dict[str, int]] = {}
        self.episodes: dict[tuple[str, str], int] = {}
        self.ended: dict[tuple[str, str, int], bool] = {}
        self.end_refused: set[tuple[str, str]] = set()
        self.not_noted: set[tuple[str, str]] = set()
        self.open_desk()

    def open_desk(self) -> None:
        self.desk = Desk(
            self.bench.core,
            dict(self.inboxes),
            fallback="",
            clock=lambda: self.bench.now,
            steady=lambda: self.bench.steady,
        )

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        async def whole() -> None:
            await work
            await self.desk.notes.stop(within=5)

        asyncio.run(whole())

    def change(self, group: str, app: str) -> None:
        """Have an alert of a group begin, or end, and the group be told of."""
        firing = self.firing.setdefault(group, {})
        over: list[AlertMessage] = []
        if app in firing:
            episode = firing.pop(app)
            over = [make_message(app, episode=episode, over=True)]
        else:
            episode = self.episodes[group, app] = self.episodes.get((group, app), 0) + 1
            firing[app] = episode
        self.ended[group, app, episode] = bool(over)
        alerts = [make_message(name, episode=number) for name, number in firing.items()] + over
        self.bench.now += 1
        told = make_notification(alerts, dedup_key=group, at=self.bench.now)
        core = self.bench.core

        def add() -> None:
            with Transaction(core.connection):
                outbox.add(core.connection, PRIMARY, told, deadline=self.bench.now + DAY)

        self.bench.ask(add)

    async def send(self, target: str, outcome: str) -> None:
        """Send what is due to one integration, and have it answered so."""
        inbox = self.inboxes[target]
        due, _ = await self.desk.in_office(lambda: self.desk.pick(target, pairs=inbox.pairs, room=2, busy=()))
        for delivery in due:
            await self.answer(delivery, inbox, outcome)

    async def answer(self, delivery: Delivery, inbox: Inbox, outcome: str) -> None:
        now, key = self.bench.now, delivery.notification.dedup_key
        if outcome in ("taken", "crash"):
            said = await inbox.send(delivery.notification)
            self.not_noted.add((delivery.target, key))
            if outcome == "taken":
                await self.desk.note_taken(delivery, said, at=now, took_s=0.1)
                self.not_noted.discard((delivery.target, key))
        elif outcome == "refused":
            # Taken, forgotten in a crash, then refused: that it was taken once is known to nobody.
            if delivery.notification.status is Status.RESOLVED or (delivery.target, key) in self.not_noted:
                self.end_refused.add((delivery.target, key))
            fault = DeliveryError("answered 400", reason=Reason.CLIENT, status=400)
            await self.desk.note_refused(delivery, fault, at=now, took_s=0.1)
        else:
            fault = DeliveryError("no answer", reason=Reason.TIMEOUT)
            await self.desk.note_deferred(delivery, fault, at=now, took_s=0.1, again=now + 5)

    def do(self, step: tuple[str, ...]) -> None:
        match step:
            case ("change", group, app):
                self.change(group, app)
            case ("wait",):
                self.bench.now += 6
            case ("restart",):
                self.restart()
            case (target, outcome):
                self.run(self.send(target, outcome))
                if outcome == "crash":
                    self.restart()

    def restart(self) -> None:
        self.bench.crash()
        self.open_desk()

    def drain(self) -> None:
        """Let everybody take everything."""
        for _ in range(60):
            self.bench.now += 6
            for target in self.inboxes:
                self.run(self.send(target, "taken"))
            if not self.bench.ask(lambda: outbox.pending(self.bench.core.connection)):
                return
        raise AssertionError("something waits for ever")


SENDS = [(PRIMARY, outcome) for outcome in ("taken", "deferred", "refused", "crash")]
SENDS += [(BACKUP, outcome) for outcome in ("taken", "deferred", "crash")]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.sampled_from(["g", "h"]), st.sampled_from(["shop", "cart"])),
        st.sampled_from(SENDS),
        st.sampled_from([("wait",), ("restart",)]),
    ),
    min_size=1,
    max_size=25,
)


@pytest.mark.parametrize("pairs", [(False, False), (True, False), (False, True), (True, True)])
@given(steps=STEPS)
@example(
    # Whoever stood in has to hear of an end that the other one got together with a later beginning.
    [
        ("change", "g", "cart"),
        (PRIMARY, "refused"),
        ("change", "g", "shop"),
        ("change", "g", "shop"),
        ("change", "g", "cart"),
    ]
)
@example(
    # Whoever stands in from a second beginning on has heard nothing of the first, and needs not hear of its end.
    [
        ("change", "g", "shop"),
        (PRIMARY, "taken"),
        ("change", "g", "shop"),
        ("change", "g", "shop"),
        (PRIMARY, "refused"),
    ]
)
@settings(max_examples=40, deadline=None)
def test_every_alert_is_told_in_its_last_state_and_no_end_before_its_beginning(
    pairs: tuple[bool, bool], steps: list[tuple[str, ...]]
) -> None:
    with TemporaryDirectory() as name:
        world = World(Path(name), pairs=pairs)
        try:
            for step in steps:
                world.do(step)
            world.drain()
        finally:
            world.bench.close()

    check_that_all_is_told(world)
    for target, inbox in world.inboxes.items():
        refused = {key for other, key in world.end_refused if other == target}
        check_that_what_began_has_ended(world, inbox, refused)
        if inbox.pairs:
            check_that_no_end_comes_first(inbox)


def check_that_all_is_told(world: World) -> None:
    told = {
        (notification.dedup_key, message.labels["app"], message.episode): message.status
        for inbox in world.inboxes.values()
        for notification in inbox.taken
        for message in notification.alerts
    }
    assert told.keys() == world.ended.keys()


def check_that_what_began_has_ended(world: World, inbox: Inbox, refused: set[str]) -> None:
    """Where an end was refused for good, nobody can do anything about it; the ledger says so."""
    last: dict[str, Status] = {}
    for notification in inbox.taken:
        last[notification.dedup_key] = notification.status
    for group, status in last.items():
        if not world.firing[group] and group not in refused:
            assert status is Status.RESOLVED, group


def check_that_no_end_comes_first(inbox: Inbox) -> None:
    begun = set()
    for notification in inbox.taken:
        if notification.status is Status.FIRING:
            begun.add(notification.dedup_key)
        assert notification.dedup_key in begun
