"""The topic on real brokers: created, doubted, written to, read from a place."""

from __future__ import annotations

import socket
import time
import uuid
from concurrent.futures import Future

import pytest
import structlog

from service.storage import kafka_topic
from service.storage.errors import StorageError, UnreachableError
from service.storage.kafka_url import KafkaUrl, parse_kafka_url
from service.storage.topics import Delivered, Group, LogError, Producer, open_group, open_producer, prepare
from tests.support.counting import until
from tests.support.kafka import Kafka

pytestmark = pytest.mark.peer("kafka")

JAVAS = {b"app-0\0": 3, b"app-1\0": 5, b"app-7\0": 2, b"shop\0prod": 0, "büro\0".encode(): 4}
"""In which of six partitions Java's own producer puts each key."""


def url(cluster: Kafka, name: str = "", options: str = "") -> KafkaUrl:
    return parse_kafka_url(f"kafka://{cluster.bootstrap()}/{name or uuid.uuid4().hex}{options}")


def send(producer: Producer, *values: bytes, key: bytes = b"k") -> None:
    """Send messages, and return when all are acknowledged."""
    answers: list[Future[LogError | None]] = [Future() for _ in values]
    for value, answer in zip(values, answers, strict=True):
        producer.send(key, value, answer.set_result)
    assert [answer.result(timeout=30) for answer in answers] == [None] * len(values)


def test_a_topic_is_created_so_that_any_one_broker_may_be_lost(cluster: Kafka) -> None:
    log = url(cluster, options="?partitions=4")
    with structlog.testing.capture_logs() as said:
        assert prepare(log) == 4
        assert prepare(log) == 4  # it is there
    found = kafka_topic.prepare(log)
    assert (found.partitions, found.replicas, found.in_sync, found.unclean) == (4, 3, 2, False)
    assert [line["event"] for line in said] == ["log.created"]


@pytest.mark.parametrize(
    ("options", "doubts"),
    [
        ("replicas=1", ["replication factor 1", "min.insync.replicas=1: one", "min.insync.replicas=1 of 1"]),
        ("replicas=2", ["replication factor 2", "min.insync.replicas=1: one"]),
        ("replicas=3", []),
    ],
)
def test_what_may_lose_events_is_said_at_the_start(cluster: Kafka, options: str, doubts: list[str]) -> None:
    with structlog.testing.capture_logs() as said:
        prepare(url(cluster, options=f"?partitions=1&{options}"))
    warned = [line["error"] for line in said if line["event"] == "log.not_durable"]
    assert len(warned) == len(doubts)
    assert all(error.startswith(doubt) for error, doubt in zip(warned, doubts, strict=True))


def test_more_replicas_than_brokers_are_refused_with_what_to_do(cluster: Kafka) -> None:
    with pytest.raises(StorageError, match="create the topic, or say"):
        prepare(url(cluster, options="?replicas=7"))


def test_brokers_that_are_not_there_are_told_apart() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        with pytest.raises(UnreachableError, match=rf"^kafka://127.0.0.1:{port}/t: "):
            prepare(parse_kafka_url(f"kafka://127.0.0.1:{port}/t"))


def test_a_setting_that_librdkafka_does_not_take_is_refused_without_its_value(cluster: Kafka) -> None:
    log = url(cluster, options="?security.protocol=hunter2")
    for opens in (prepare, open_producer, lambda log: open_group(log, given=print, taken=print)):
        with pytest.raises(StorageError) as refused:
            opens(log)
        assert str(refused.value).startswith(str(log))


def test_a_key_is_in_the_partition_where_javas_producer_puts_it(cluster: Kafka) -> None:
    log = url(cluster)
    cluster.create_topic(log.topic, partitions=6)
    producer, reader = open_producer(log), Reader(log, partitions=6)
    for key in JAVAS:
        send(producer, key, key=key)
    found = reader.read(len(JAVAS))
    assert {one.value: one.partition for one in found} == JAVAS
    reader.close()
    producer.close()


def test_a_message_is_acknowledged_within_a_moment_and_read_within_another(cluster: Kafka) -> None:
    log = url(cluster)
    cluster.create_topic(log.topic)
    producer, reader = open_producer(log), Reader(log)
    send(producer, b"first")
    reader.read(1)
    began = time.monotonic()
    send(producer, b"second")
    reader.read(1)
    assert time.monotonic() - began < 2
    reader.close()
    producer.close()


def test_a_partition_is_read_from_where_its_owner_says(cluster: Kafka) -> None:
    log = url(cluster)
    cluster.create_topic(log.topic)
    producer = open_producer(log)
    send(producer, *[str(n).encode() for n in range(10)])
    reader = Reader(log, at=3)

    assert [one.value for one in reader.read(7)] == [str(n).encode() for n in range(3, 10)]
    for place in (9, 0, 5):
        reader.group.read_from(0, place)
        assert [one.offset for one in reader.read(10 - place)] == list(range(place, 10))
    assert reader.group.ends(0) == (0, 10)
    until(lambda: reader.at_end())
    assert reader.group.next_known(0) == 10
    reader.close()
    producer.close()


def test_an_instant_is_found_in_the_log(cluster: Kafka) -> None:
    log = url(cluster)
    cluster.create_topic(log.topic)
    producer, reader = open_producer(log), Reader(log)
    send(producer, b"0")
    [first] = reader.read(1)
    until(lambda: time.time() > first.logged_at + 0.01)
    send(producer, b"1", b"2")
    reader.read(2)
    assert reader.group.first_after(0, first.logged_at) == 1
    assert reader.group.first_after(0, time.time() + 60) == 3
    reader.close()
    producer.close()


def test_what_the_log_does_not_have_is_out_of_range(cluster: Kafka) -> None:
    log = url(cluster)
    cluster.create_topic(log.topic)
    producer, reader = open_producer(log), Reader(log, at=0)
    send(producer, *[str(n).encode() for n in range(4)])
    reader.read(4)
    for nowhere in (99, 7):
        reader.group.read_from(0, nowhere)
        until(lambda: 0 in reader.poll_out_of_range())
        # And from there it goes on.
        reader.group.read_from(0, 2)
        assert [one.offset for one in reader.read(2)] == [2, 3]
    reader.close()
    producer.close()


class Reader:
    """A member that is given all partitions, and reads each from a place."""

    def __init__(self, log: KafkaUrl, *, partitions: int = 1, at: int = 0) -> None:
        self._given: set[int] = set()
        self._messages: list[Delivered] = []
        self.group: Group = open_group(log, given=self._given.update, taken=lambda *_: None)
        until(lambda: self._poll() or len(self._given) == partitions)
        for partition in self._given:
            self.group.read_from(partition, at)

    def read(self, n: int) -> list[Delivered]:
        """Return the next so many messages."""
        until(lambda: self._poll() or len(self._messages) >= n)
        found, self._messages = self._messages[:n], self._messages[n:]
        return found

    def at_end(self) -> bool:
        """Whether the end was just reached."""
        return 0 in self.group.poll(100, 0.05).at_end or self.group.next_known(0) is not None

    def poll_out_of_range(self) -> set[int]:
        """Return what was found to be."""
        return self.group.poll(100, 0.05).out_of_range

    def close(self) -> None:
        """Leave."""
        self.group.close()

    def _poll(self) -> bool:
        self._messages += self.group.poll(100, 0.05).messages
        return False
