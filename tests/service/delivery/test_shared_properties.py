"""Several nodes send from one outbox, and any of them dies, hangs or is late: all is told, in its last state."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from alerts.notification import AlertMessage, Notification, Status
from service import clock
from service.delivery.desk import Desk
from service.nodes.delivery_office import DeliveryOffice
from service.receivers import Answer, DeliveryError, Reason
from service.storage import outbox
from service.storage.connecting import Connection
from service.storage.database import Transaction, open_beside, open_database
from service.storage.deciding import decide
from service.storage.leases import LEASE_S
from service.storage.outbox import Delivery
from service.storage.places import PostgresUrl
from tests.support.notifications import make_message, make_notification
from tests.support.postgres import start_postgres

pytestmark = pytest.mark.peer("postgres")

PRIMARY, BACKUP = "on-call/webhook/0", "backup/webhook/0"
DAY = 86_400.0
NODES = (0, 1)


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


class Sender:
    """A node that delivers, and what it sent and has not noted yet."""

    def __init__(self, url: PostgresUrl, inboxes: dict[str, Inbox]) -> None:
        self.office = DeliveryOffice(lambda: open_beside(url), node="", targets=tuple)
        self.office.start()
        self.desk = Desk(self.office, dict(inboxes), fallback="", clock=self.office.clock, steady=clock.monotonic)
        self.late: list[tuple[Delivery, Answer]] = []
        # Nothing is asked of it before it has a connection.
        while self.office.submit(lambda: self.office.why).result(10):
            continue


class World:
    """An elected node that decides, two that send, two receivers; groups of one alert each, which begins and ends.

    What becomes of groups of several is the same with one node: test_outbox_properties.py.
    """

    def __init__(self, url: PostgresUrl, elected: Connection, *, pairs: tuple[bool, bool]) -> None:
        self.url = url
        self.elected = elected
        for table in ("outbox", "outbox_alerts", "attempts", "deliverers"):
            self.elected.execute(f"TRUNCATE {table} RESTART IDENTITY")
        self.inboxes = {PRIMARY: Inbox(pairs[0]), BACKUP: Inbox(pairs[1])}
        self.senders = [Sender(url, self.inboxes) for _ in NODES]
        self.gone: list[Sender] = []
        self.firing: dict[str, dict[str, int]] = {}
        self.episodes: dict[tuple[str, str], int] = {}
        self.ended: dict[tuple[str, str, int], bool] = {}
        self.end_refused: set[tuple[str, str]] = set()
        self.told_twice: set[tuple[str, str]] = set()
        self.now = clock.now()

    def close(self) -> None:
        for sender in (*self.senders, *self.gone):
            sender.office.stop()

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
        self.now += 0.001
        told = make_notification(alerts, dedup_key=group, at=self.now)
        with Transaction(self.elected):
            decide(self.elected, [group])
            outbox.add(self.elected, PRIMARY, told, deadline=self.now + DAY)

    async def send(self, sender: Sender, target: str, outcome: str) -> None:
        inbox, desk = self.inboxes[target], sender.desk
        due, _ = await desk.in_office(lambda: desk.pick(target, pairs=inbox.pairs, room=2, busy=()))
        for delivery in due:
            await self.answer(sender, delivery, inbox, outcome)

    async def answer(self, sender: Sender, delivery: Delivery, inbox: Inbox, outcome: str) -> None:
        now, desk, key = clock.now(), sender.desk, delivery.notification.dedup_key
        if outcome in ("taken", "late", "dies"):
            said = await inbox.send(delivery.notification)
            if outcome == "taken":
                await desk.note_taken(delivery, said, at=now, took_s=0.1)
                return
            # Sent, and known to nobody: it is sent again.
            self.told_twice.add((delivery.target, key))
            if outcome == "late":
                sender.late.append((delivery, said))
        elif outcome == "refused":
            if delivery.notification.status is Status.RESOLVED or (delivery.target, key) in self.told_twice:
                self.end_refused.add((delivery.target, key))
            fault = DeliveryError("answered 400", reason=Reason.CLIENT, status=400)
            await desk.note_refused(delivery, fault, at=now, took_s=0.1)
        elif outcome == "deferred":
            fault = DeliveryError("no answer", reason=Reason.TIMEOUT)
            await desk.note_deferred(delivery, fault, at=now, took_s=0.1, again=now + 500)

    async def notes(self, sender: Sender) -> None:
        late, sender.late = sender.late, []
        for delivery, said in late:
            await sender.desk.note_taken(delivery, said, at=clock.now(), took_s=0.1)

    def wait(self) -> None:
        """Have what was deferred be due, and leases end that nobody renews."""
        self.elected.execute(
            "UPDATE outbox SET next_at = 0, leased_until = leased_until - ? WHERE state = 'pending'", (2 * LEASE_S,)
        )

    def die(self, node: int) -> None:
        """Have a node be gone without a word, and another one come in its place."""
        self.gone.append(self.senders[node])
        self.senders[node] = Sender(self.url, self.inboxes)

    async def do(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("change", group, app):
                self.change(group, app)
            case ("wait",):
                self.wait()
            case ("notes", node):
                await self.notes(self.senders[node])
            case (node, target, outcome):
                await self.send(self.senders[node], target, outcome)
                if outcome == "dies":
                    self.die(node)

    async def drain(self) -> None:
        """Let everybody take everything."""
        for turn in range(60):
            self.wait()
            for sender in self.senders:
                await self.notes(sender)
            for target in self.inboxes:
                await self.send(self.senders[turn % 2], target, "taken")
            if not outbox.pending(self.elected):
                return
        raise AssertionError("something waits for ever")


SENDS = [
    (node, target, outcome)
    for node in NODES
    for target, outcomes in (
        (PRIMARY, ("taken", "deferred", "refused", "late", "dies")),
        (BACKUP, ("taken", "deferred", "late", "dies")),
    )
    for outcome in outcomes
]
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("change"), st.sampled_from(["g", "h", "i"]), st.just("shop")),
        st.sampled_from(SENDS),
        st.sampled_from([("wait",), *(("notes", node) for node in NODES)]),
    ),
    min_size=1,
    max_size=20,
)


@pytest.fixture(scope="module")
def database() -> Iterator[tuple[PostgresUrl, Connection]]:
    """Where it is, and the elected node's connection."""
    with start_postgres() as server:
        url = PostgresUrl(server.url(server.create_database()))
        elected = open_database(url)
        yield url, elected
        elected.close()


@pytest.mark.parametrize("pairs", [(False, False), (True, True)])
@given(steps=STEPS)
@example(
    # Late: another node has sent it meanwhile, and its end; what the first one notes then changes nothing.
    [
        ("change", "g", "shop"),
        (0, PRIMARY, "late"),
        ("wait",),
        (1, PRIMARY, "taken"),
        ("change", "g", "shop"),
        (1, PRIMARY, "taken"),
        ("notes", 0),
    ]
)
@example(
    # Refused at one node, whose page the other one sends to who stands in, and its end.
    [
        ("change", "g", "shop"),
        (0, PRIMARY, "refused"),
        (1, BACKUP, "dies"),
        ("change", "g", "shop"),
        ("wait",),
        (0, PRIMARY, "taken"),
        (1, BACKUP, "taken"),
    ]
)
@settings(max_examples=25, deadline=None)
def test_every_alert_is_told_in_its_last_state_whichever_node_sends_dies_or_is_late(
    database: tuple[PostgresUrl, Connection], pairs: tuple[bool, bool], steps: list[tuple[Any, ...]]
) -> None:
    world = World(*database, pairs=pairs)

    async def play() -> None:
        for step in steps:
            await world.do(step)
        await world.drain()

    try:
        asyncio.run(play())
        check_that_all_is_told(world)
        for target, inbox in world.inboxes.items():
            refused = {key for other, key in world.end_refused if other == target}
            check_that_what_began_has_ended(world, inbox, refused)
        check_that_nothing_is_noted_twice(world)
    finally:
        world.close()


def check_that_all_is_told(world: World) -> None:
    told = {
        (notification.dedup_key, message.labels["app"], message.episode)
        for inbox in world.inboxes.values()
        for notification in inbox.taken
        for message in notification.alerts
    }
    assert told == world.ended.keys()


def check_that_what_began_has_ended(world: World, inbox: Inbox, refused: set[str]) -> None:
    last: dict[str, Status] = {}
    for notification in inbox.taken:
        last[notification.dedup_key] = notification.status
    for group, status in last.items():
        if not world.firing[group] and group not in refused:
            assert status is Status.RESOLVED, group


def check_that_nothing_is_noted_twice(world: World) -> None:
    query = "SELECT row FROM attempts WHERE outcome = 'delivered' GROUP BY row HAVING count(*) > 1"
    assert world.elected.execute(query).fetchall() == []
    unsettled = "SELECT id FROM outbox WHERE state <> 'pending' AND leased_by IS NOT NULL"
    assert world.elected.execute(unsettled).fetchall() == []
