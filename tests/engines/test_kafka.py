"""A Kafka of the tests' own: what each of its methods does to somebody who uses it. One cluster for all of these."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support import kafka_jars
from tests.support.drivers import driver
from tests.support.kafka import NODES, Kafka, start_kafka
from tests.support.netfault import Mode, Wire, lay_wires
from tests.support.process_tree import is_paused, lives

pytestmark = [pytest.mark.faults, pytest.mark.peer("kafka")]
SOON_S = 2
LONG_S = 60


@pytest.fixture(scope="module")
def wires_of_a_node() -> dict[int, Wire]:
    """Of each port of a broker that the node uses, its wire; laid when the cluster starts."""
    return {}


@pytest.fixture(scope="module")
def cluster(wires_of_a_node: dict[int, Wire]) -> Iterator[Kafka]:
    with lay_wires() as wires:

        def advertise(port: int) -> tuple[str, int]:
            wires_of_a_node[port] = wires.wire(port)
            return "127.0.0.1", wires_of_a_node[port].port

        with start_kafka(doors={"node": advertise}) as started:
            folder = started.brokers[1].folder.parent
            yield started
            processes = [psutil.Process(broker.pid) for broker in started.brokers.values()]
        assert not any(lives(process) for process in processes)
        assert not folder.exists()


@pytest.fixture
def topic(cluster: Kafka, request: pytest.FixtureRequest) -> str:
    """The name of an empty topic of six partitions."""
    name = request.node.name.replace("[", "-").rstrip("]")[:200]
    cluster.create_topic(name, partitions=6)
    return name


def test_three_brokers_listen_on_loopback_alone(cluster: Kafka) -> None:
    known = (
        driver("confluent_kafka.admin").AdminClient({"bootstrap.servers": cluster.bootstrap()}).list_topics(timeout=9)
    )

    assert set(known.brokers) == set(NODES)
    for broker in cluster.brokers.values():
        links = psutil.Process(broker.pid).net_connections()
        hosts = {link.laddr.ip.removeprefix("::ffff:") for link in links if link.status == psutil.CONN_LISTEN}
        assert hosts == {"127.0.0.1"}


def test_a_topic_has_three_replicas_and_takes_nothing_with_fewer_than_two(cluster: Kafka, topic: str) -> None:
    admin = driver("confluent_kafka.admin")
    client = admin.AdminClient({"bootstrap.servers": cluster.bootstrap()})

    found = client.list_topics(topic, timeout=9).topics[topic]
    resource = admin.ConfigResource(admin.ConfigResource.Type.TOPIC, topic)
    settings = client.describe_configs([resource])[resource].result()

    assert {len(partition.replicas) for partition in found.partitions.values()} == {3}
    assert settings["min.insync.replicas"].value == "2"
    assert settings["unclean.leader.election.enable"].value == "false"


def test_what_is_produced_is_consumed_in_the_order_of_its_key(cluster: Kafka, topic: str) -> None:
    sent = _Sender(cluster.bootstrap(), topic)
    sent.send(range(20_000))
    sent.flush()

    found = _consume(cluster.bootstrap(), topic, 20_000)

    assert sorted(n for ns in found.values() for n in ns) == list(range(20_000))
    assert all(ns == sorted(ns) for ns in found.values())


def test_kill_9_of_a_leader_loses_nothing_that_was_acknowledged(cluster: Kafka, topic: str) -> None:
    leader = cluster.leader(topic, 0)
    sent = _Sender(cluster.bootstrap(), topic)
    sent.begin()
    _until(lambda: len(sent.acknowledged) > 1_000)

    cluster.kill9(leader)

    assert not cluster.brokers[leader].is_running
    cluster.wait_until_led_by_another(topic, 0, than=leader)
    before = len(sent.acknowledged)
    _until(lambda: len(sent.acknowledged) > before + 1_000)
    sent.end()
    cluster.restart(leader)
    cluster.wait_until_whole(topic)
    found = _consume(cluster.bootstrap(), topic, len(sent.acknowledged))
    kept = [n for ns in found.values() for n in ns]
    assert sent.acknowledged <= set(kept)
    assert len(kept) == len(set(kept))  # the producer is idempotent


def test_a_broker_that_is_restarted_has_its_ports_again(cluster: Kafka, topic: str) -> None:
    ports, pid = dict(cluster.brokers[2].ports), cluster.brokers[2].pid

    cluster.restart(2)

    cluster.wait_until_whole(topic)
    assert cluster.brokers[2].ports == ports
    assert cluster.brokers[2].pid != pid


def test_one_replica_alone_acknowledges_nothing(cluster: Kafka, topic: str) -> None:
    """Two of three hang; what was asked meanwhile is acknowledged when they go on, and is there once."""
    leader = cluster.leader(topic, 0)
    others = [node for node in NODES if node != leader]
    sent = _Sender(cluster.bootstrap(), topic)
    sent.send([0], partition=0)
    sent.flush()
    for node in others:
        cluster.pause(node)
    try:
        sent.send([1], partition=0)
        sent.poll(SOON_S)
        assert all(is_paused(cluster.brokers[node].pid) for node in others)
        assert sent.acknowledged == {0}
    finally:
        for node in others:
            cluster.cont(node)

    sent.flush()
    assert sent.acknowledged == {0, 1}
    cluster.wait_until_whole(topic)
    assert [n for ns in _consume(cluster.bootstrap(), topic, 2).values() for n in ns] == [0, 1]


def test_another_controller_is_elected_while_the_elected_one_hangs(cluster: Kafka) -> None:
    elected = cluster.controller()
    cluster.pause(elected)
    try:
        _until(lambda: cluster.controller() != elected)
    finally:
        cluster.cont(elected)

    cluster.create_topic("after-an-election")
    assert cluster.leader("after-an-election") in NODES


def test_a_node_behind_its_door_is_cut_off_alone(cluster: Kafka, topic: str, wires_of_a_node: dict[int, Wire]) -> None:
    cut_off = _Sender(cluster.bootstrap("node"), topic)
    others = _Sender(cluster.bootstrap(), topic)
    cut_off.send([0])
    cut_off.flush()
    assert any(wire.open for wire in wires_of_a_node.values())

    _turn(wires_of_a_node, Mode.BLACKHOLE)
    try:
        cut_off.send([1])
        others.send([2])
        others.flush()
        cut_off.poll(SOON_S)
        assert cut_off.acknowledged == {0}
        assert others.acknowledged == {2}
    finally:
        _turn(wires_of_a_node, Mode.PASS)

    cut_off.flush()
    assert cut_off.acknowledged == {0, 1}


def test_jars_that_are_not_those_that_were_pinned_are_named(tmp_path: Path) -> None:
    fetched = kafka_jars.require_kafka()
    for jar in fetched.glob("*.jar"):
        (tmp_path / jar.name).symlink_to(jar)
    assert kafka_jars.differences(tmp_path) == []

    [pinned] = tmp_path.glob("kafka_2.13-*.jar")
    [missing] = tmp_path.glob("zstd-jni-*.jar")
    missing.unlink()
    pinned.unlink()
    pinned.write_bytes(b"another")
    (tmp_path / "more.jar").touch()

    assert kafka_jars.differences(tmp_path) == [
        f"{missing.name}: missing",
        "more.jar: not pinned",
        f"{pinned.name}: another hash",
    ]


def _turn(wires: dict[int, Wire], mode: Mode) -> None:
    for wire in wires.values():
        wire.mode = mode


class _Sender:
    """Sends numbers, keyed by their last digit, and knows which were acknowledged by two brokers at least."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.acknowledged: set[int] = set()
        self._topic = topic
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        quick = {"linger.ms": 5, "reconnect.backoff.max.ms": 500, "log_level": 0}
        safe = {"acks": "all", "enable.idempotence": True}
        self._producer = driver("confluent_kafka").Producer({"bootstrap.servers": bootstrap, **safe, **quick})

    def send(self, numbers: range | list[int], *, partition: int = -1) -> None:
        for n in numbers:
            self._producer.produce(self._topic, str(n), key=str(n % 10), partition=partition, on_delivery=self._note(n))

    def poll(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._producer.poll(left)

    def flush(self) -> None:
        assert self._producer.flush(LONG_S) == 0

    def begin(self) -> None:
        """Send on and on, in a thread."""
        self._thread.start()

    def end(self) -> None:
        """Stop that; return when everything was acknowledged."""
        self._ended.set()
        self._thread.join()
        self.flush()

    def _run(self) -> None:
        n = 0
        while not self._ended.is_set():
            # No more under way than a queue of a moment: it may wait for seconds.
            if n - len(self.acknowledged) < 2_000:
                self.send(range(n, n + 50))
                n += 50
            self._producer.poll(0.01)

    def _note(self, n: int) -> Callable[[Any, Any], None]:
        def note(error: Any, _: Any) -> None:
            if error is None:
                self.acknowledged.add(n)

        return note


def _consume(bootstrap: str, topic: str, at_least: int) -> dict[str, list[int]]:
    """Return the numbers of a topic by key, in the order in which they came, all that are there."""
    settings = {"group.id": topic, "auto.offset.reset": "earliest", "enable.partition.eof": True, "log_level": 0}
    kafka = driver("confluent_kafka")
    consumer = kafka.Consumer({"bootstrap.servers": bootstrap, **settings})
    consumer.subscribe([topic])
    found: dict[str, list[int]] = {}
    n, at_its_end = 0, set[int]()
    deadline = time.monotonic() + LONG_S
    while n < at_least or len(at_its_end) < 6:
        assert time.monotonic() < deadline, f"{topic}: {n} of {at_least}"
        for message in consumer.consume(1000, timeout=1):
            if message.error() is None:
                found.setdefault(message.key().decode(), []).append(int(message.value()))
                n += 1
            elif message.error().code() == kafka.KafkaError._PARTITION_EOF:
                at_its_end.add(message.partition())
    consumer.close()
    return found


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
