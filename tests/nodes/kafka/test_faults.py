"""What happens to brokers, and to the ways to them: every event that was acknowledged is counted once.

`CLAXON_FAULT_RUNS=20` has each of these happen so often.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from service.storage.kafka_url import KafkaUrl, parse_kafka_url
from service.storage.topics import open_past
from tests.support.counting import Counted, until
from tests.support.kafka import NODES, Kafka
from tests.support.netfault import Mode, Wire, Wires
from tests.support.owning import Owners, Sender, everything_once
from tests.support.postgres import Postgres

pytestmark = [
    pytest.mark.faults,
    pytest.mark.peer("kafka"),
    pytest.mark.peer("postgres"),
    pytest.mark.parametrize("run", range(int(os.environ.get("CLAXON_FAULT_RUNS", "1")))),
]


@pytest.fixture
def whole(cluster: Kafka, log: KafkaUrl) -> Iterator[Kafka]:
    """The brokers, all of them back at the end."""
    yield cluster
    for node in NODES:
        if cluster.brokers[node].is_running:
            cluster.cont(node)
        else:
            cluster.restart(node)
    cluster.wait_until_whole(log.topic)


def goes_on(sender: Sender, counted: Counted) -> None:
    """Wait until events are acknowledged, and counted, that were sent from now on."""
    before = len(sender.acknowledged)
    until(lambda: len(sender.acknowledged) > before + 100)
    newest = sender.acknowledged[-1]
    until(lambda: newest in counted.events())


@pytest.fixture
def flowing(owners: Owners, sender: Sender, counted: Counted) -> Sender:
    """Events that come and are counted, by one node."""
    owners.start("a")
    sender.begin()
    goes_on(sender, counted)
    return sender


def test_kill_9_of_a_leader_loses_nothing(
    whole: Kafka, log: KafkaUrl, flowing: Sender, counted: Counted, run: int
) -> None:
    leader = whole.leader(log.topic, run % 6)
    whole.kill9(leader)
    whole.wait_until_led_by_another(log.topic, run % 6, than=leader)
    goes_on(flowing, counted)
    flowing.end()
    everything_once(counted, flowing)


def test_kill_9_of_the_controller_loses_nothing(whole: Kafka, flowing: Sender, counted: Counted, run: int) -> None:
    elected = whole.controller()
    whole.kill9(elected)
    until(lambda: whole.controller() != elected)
    goes_on(flowing, counted)
    flowing.end()
    everything_once(counted, flowing)


def test_a_leader_that_hangs_loses_nothing(
    whole: Kafka, log: KafkaUrl, flowing: Sender, counted: Counted, run: int
) -> None:
    leader = whole.leader(log.topic, run % 6)
    whole.pause(leader)
    whole.wait_until_led_by_another(log.topic, run % 6, than=leader)
    goes_on(flowing, counted)
    whole.cont(leader)
    flowing.end()
    everything_once(counted, flowing)


def test_a_broker_that_led_a_partition_a_moment_ago_is_not_the_last_that_is_asked(
    whole: Kafka, log: KafkaUrl, sender: Sender, run: int
) -> None:
    sender.send(40)
    past, partition = open_past(log), run % 6
    leader = whole.leader(log.topic, partition)
    whole.kill9(leader)
    whole.wait_until_led_by_another(log.topic, partition, than=leader)
    whole.restart(leader)
    whole.wait_until_whole(log.topic)
    before = [message.offset for message in past.read(partition, 0, 1000)]

    whole.elect_preferred(log.topic, partition)

    assert [message.offset for message in past.read(partition, 0, 1000)] == before != []
    past.close()


def turn(wires: list[Wire], mode: Mode) -> None:
    for wire in wires:
        wire.mode = mode


@pytest.fixture
def way(wires: Wires, server: Postgres) -> Wire:
    """A node's own way to the database."""
    return wires.wire(server.port)


@pytest.mark.parametrize("from_what", ["kafka", "postgres", "both"])
def test_a_node_that_is_cut_off_is_replaced_and_comes_back(
    cluster: Kafka,
    log: KafkaUrl,
    brokers_wires: list[Wire],
    way: Wire,
    server: Postgres,
    owners: Owners,
    sender: Sender,
    counted: Counted,
    from_what: str,
    run: int,
) -> None:
    cut = (brokers_wires if from_what != "postgres" else []) + ([way] if from_what != "kafka" else [])
    wired = parse_kafka_url(f"kafka://{cluster.bootstrap('node')}/{log.topic}")
    owners.start("wired", log=wired, database=counted.url.replace(f":{server.port}/", f":{way.port}/"))
    sender.begin()
    goes_on(sender, counted)
    owners.start("b")
    until(lambda: set(counted.owners().values()) == {"wired", "b"})
    try:
        turn(cut, Mode.BLACKHOLE)
        until(lambda: set(counted.owners().values()) == {"b"})
        goes_on(sender, counted)
    finally:
        turn(cut, Mode.PASS)
    until(lambda: set(counted.owners().values()) == {"wired", "b"})
    sender.end()
    everything_once(counted, sender)
