"""Faults where the log is on Kafka: of brokers, of nodes that own partitions, and of the ways to both engines.

≠ what comes of them.
"""

from __future__ import annotations

import random
import time

from tests.support.fleet.faults import (
    CUT_S,
    fail_over,
    have_copy,
    kill_all,
    kill_elected,
    kill_ingest,
    kill_sending,
    kill_standby,
    pause_elected,
    restart_database,
    slow_elected,
)
from tests.support.fleet.fleet import Fleet
from tests.support.fleet.rounds import Fault
from tests.support.fleet.supervised import Node
from tests.support.fleet.topic import PARTITIONS, Topic

DOWN_S = 8.0
REBALANCES = 3
POISON = b"no envelope"


def _topic(fleet: Fleet) -> Topic:
    assert fleet.topic is not None
    return fleet.topic


# ── brokers ───────────────────────────────────────────────────────────────────────────────────────


def _kill_leader(fleet: Fleet, chance: random.Random) -> None:
    """Kill the broker that leads a partition, and start it again when others have taken over."""
    topic = _topic(fleet)
    _kill_broker(topic, topic.leader(chance.randrange(PARTITIONS)))


def _kill_controller(fleet: Fleet, chance: random.Random) -> None:
    """Kill the broker that decides who leads."""
    del chance
    topic = _topic(fleet)
    _kill_broker(topic, topic.kafka.controller())


def _kill_broker(topic: Topic, broker: int) -> None:
    topic.kill(broker)
    time.sleep(DOWN_S)
    topic.restore(broker)


def _poison(fleet: Fleet, chance: random.Random) -> None:
    """Put messages into each partition of which nobody can make a batch."""
    del chance
    _topic(fleet).put(POISON)


# ── nodes that own partitions ─────────────────────────────────────────────────────────────────────


def _rebalance(fleet: Fleet, chance: random.Random) -> None:
    """Have a node leave and come back, again and again, as when nodes are added or replaced."""
    del chance
    node = fleet.standby_now()
    for _ in range(REBALANCES):
        node.replace()


def _cut_from_topic(fleet: Fleet, node: Node) -> None:
    topic = _topic(fleet)
    topic.cut_off(node.name)
    time.sleep(CUT_S)
    topic.mend(node.name)


def _cut_from_database(fleet: Fleet, node: Node) -> None:
    assert fleet.database is not None
    fleet.database.cut_off(node.name)
    time.sleep(CUT_S)
    fleet.database.mend(node.name)


def _cut_owner_off(fleet: Fleet, chance: random.Random) -> None:
    _cut_from_topic(fleet, chance.choice(fleet.of_role("evaluate")))


def _cut_owner_from_database(fleet: Fleet, chance: random.Random) -> None:
    _cut_from_database(fleet, chance.choice(fleet.of_role("evaluate")))


def _cut_owner_from_both(fleet: Fleet, chance: random.Random) -> None:
    node = chance.choice(fleet.of_role("evaluate"))
    assert fleet.database is not None
    fleet.database.cut_off(node.name)
    _cut_from_topic(fleet, node)
    fleet.database.mend(node.name)


def _cut_ingest_off(fleet: Fleet, chance: random.Random) -> None:
    _cut_from_topic(fleet, chance.choice(fleet.of_role("ingest")))


LARGE = (
    Fault(name="large-kill-ingest", title="kill -9 of an ingest node", strike=kill_ingest),
    Fault(name="large-kill-elected", title="kill -9 of the elected node, which owns partitions", strike=kill_elected),
    Fault(name="large-kill-owner", title="kill -9 of another node that owns partitions", strike=kill_standby),
    Fault(name="large-kill-sending", title="kill -9 of a deliver node in the middle of a send", strike=kill_sending),
    Fault(name="large-kill-all", title="kill -9 of all nodes at once", strike=kill_all),
    Fault(name="large-pause", title="the elected node stands still for 15 s, and wakes up", strike=pause_elected),
    Fault(name="large-slow", title="the elected node gets a tenth of the time for 6 s", strike=slow_elected),
    Fault(name="large-rebalance", title="an owner of partitions leaves and comes back, 3 times", strike=_rebalance),
    Fault(name="large-poison", title="messages that nobody can read, one in each partition", strike=_poison),
    Fault(name="large-kill-leader", title="kill -9 of the broker that leads a partition", strike=_kill_leader),
    Fault(name="large-kill-controller", title="kill -9 of the controller", strike=_kill_controller),
    Fault(name="large-restart-database", title="PostgreSQL crashes and starts again", strike=restart_database),
    Fault(
        name="large-fail-over",
        title="PostgreSQL is gone; its standby is promoted",
        strike=fail_over,
        before=have_copy,
    ),
    Fault(name="large-cut-kafka", title="an owner of partitions is cut off from Kafka for 12 s", strike=_cut_owner_off),
    Fault(
        name="large-cut-database",
        title="an owner of partitions is cut off from PostgreSQL for 12 s",
        strike=_cut_owner_from_database,
    ),
    Fault(
        name="large-cut-both", title="an owner of partitions is cut off from both, 12 s", strike=_cut_owner_from_both
    ),
    Fault(name="large-cut-ingest", title="an ingest node is cut off from Kafka for 12 s", strike=_cut_ingest_off),
)
