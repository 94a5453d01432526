"""What a sender is told of a batch that is written to a topic, with a producer that answers as the test says."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import msgspec
import pytest

from service.nodes import kafka_writer
from service.nodes.kafka_writer import KafkaWriter
from service.storage import envelope, event_log
from service.storage.errors import DatabaseError, UnreachableError
from service.storage.topics import Done, LogError
from service.work import Ingest, Posted
from tests.support.counting import until


class Brokers:
    """A producer in memory.

    Attributes:
        sent: What was sent and is not answered yet: (key, message, who is told).
        full: Whether it takes nothing more.
    """

    def __init__(self) -> None:
        self.unready = ""
        self.sent: list[tuple[bytes, bytes, Done]] = []
        self.full = False
        self.closed = threading.Event()

    def send(self, key: bytes, message: bytes, done: Done) -> None:
        if self.full:
            raise LogError("kafka://b:1/t: too much waits to be written")
        self.sent.append((key, message, done))

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def brokers() -> Brokers:
    return Brokers()


@pytest.fixture
def writer(brokers: Brokers) -> Iterator[KafkaWriter]:
    found = KafkaWriter(brokers, node="n")
    found.start()
    until(lambda: not found.refusal)
    yield found
    found.stop()
    assert brokers.closed.is_set()


def work(*apps: str) -> Ingest:
    body = msgspec.json.encode([{"model": "m", "app": app} for app in apps])
    return Ingest(batch=Posted(body, event_log.compress(body)), received_at=1e9, app="x", key="k")


def sent(brokers: Brokers, n: int) -> list[tuple[bytes, bytes, Done]]:
    until(lambda: len(brokers.sent) >= n)
    return brokers.sent


def test_a_batch_is_answered_once_all_of_its_parts_are_acknowledged(writer: KafkaWriter, brokers: Brokers) -> None:
    done = writer.ingest(work("a", "b", "a"))
    (first, message, told), (second, _, told_too) = sent(brokers, 2)
    assert (first, second) == (b"a\0", b"b\0")
    assert envelope.read(message).n == 2

    told(None)
    assert not done.done()
    told_too(None)

    taken = done.result(timeout=10)
    assert msgspec.json.decode(taken.answer) == {"accepted": 3, "rejected": []}
    assert taken.batch.events == []
    assert (writer.tally.batches, writer.tally.events, writer.tally.failures) == (1, 3, 0)


def test_a_part_that_is_not_acknowledged_refuses_the_batch_once(writer: KafkaWriter, brokers: Brokers) -> None:
    done = writer.ingest(work("a", "b", "c"))
    parts = sent(brokers, 3)

    parts[0][2](None)
    parts[1][2](LogError("kafka://b:1/t: timed out"))
    with pytest.raises(DatabaseError, match="timed out"):
        done.result(timeout=10)
    parts[2][2](None)

    assert (writer.tally.batches, writer.tally.failures) == (0, 1)
    assert writer.waiting_bytes == 0


def test_a_producer_that_takes_nothing_more_refuses_the_batch(writer: KafkaWriter, brokers: Brokers) -> None:
    brokers.full = True
    with pytest.raises(DatabaseError, match="too much waits"):
        writer.ingest(work("a")).result(timeout=10)
    brokers.full = False
    done = writer.ingest(work("a"))
    sent(brokers, 1)[0][2](None)
    done.result(timeout=10)


def test_no_more_than_so_many_batches_wait(
    writer: KafkaWriter, brokers: Brokers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kafka_writer, "MOST", 3)
    waiting = [writer.ingest(work("a")) for _ in range(3)]

    refused = writer.ingest(work("a"))

    with pytest.raises(DatabaseError, match="too much waits for the brokers"):
        refused.result(timeout=0)
    for _, _, told in sent(brokers, 3):
        told(None)
    assert all(one.result(timeout=10) for one in waiting)
    again = writer.ingest(work("a"))
    sent(brokers, 4)[3][2](None)
    again.result(timeout=10)


def test_a_body_that_is_none_is_its_senders_at_once(writer: KafkaWriter, brokers: Brokers) -> None:
    with pytest.raises(ValueError, match="not valid JSON"):
        writer.ingest(Ingest(batch=Posted(b"[", b""), received_at=1e9, app="x", key=None)).result(timeout=0)
    assert brokers.sent == []


def test_a_sender_that_hung_up_disturbs_nobody(writer: KafkaWriter, brokers: Brokers) -> None:
    gone, there = writer.ingest(work("a")), writer.ingest(work("b"))
    assert gone.cancel()
    for _, _, told in sent(brokers, 2):
        told(None)
    there.result(timeout=10)
    assert writer.tally.batches == 2


def test_nothing_is_taken_before_the_topic_is_there() -> None:
    there = threading.Event()

    def prepare() -> None:
        if not there.is_set():
            raise UnreachableError("kafka://b:1/t: no broker answers")

    brokers = Brokers()
    found = KafkaWriter(brokers, node="n", prepare=prepare)
    found.start()
    until(lambda: found.refusal == "log: away: kafka://b:1/t: no broker answers: send again later")
    with pytest.raises(DatabaseError, match="no broker answers"):
        found.ingest(work("a")).result(timeout=0)

    there.set()
    until(lambda: not found.refusal)
    done = found.ingest(work("a"))
    sent(brokers, 1)[0][2](None)
    done.result(timeout=10)
    found.stop()


def test_the_door_says_so_while_brokers_are_away(writer: KafkaWriter, brokers: Brokers) -> None:
    assert writer.refusal == ""
    brokers.unready = "all brokers down"
    assert writer.refusal == "log: away: all brokers down: send again later"
