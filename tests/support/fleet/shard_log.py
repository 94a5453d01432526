"""The log on Kafka, as the owners of its partitions observed it: read again beside them, and proved.

≠ what should be in it.
"""

from __future__ import annotations

from claxon.event import Event

from service.nodes.shard import Logged, PoisonError
from service.shards.again import observed
from service.shards.past import PastOf
from service.shards.proof import prove
from service.shards.sifting import events_of
from service.storage import shards
from service.storage.connecting import Connection
from service.storage.database import open_reader
from service.storage.kafka_url import KafkaUrl
from service.storage.places import Place
from service.storage.topics import Past, open_past
from tests.support.fleet.judging import Log
from tests.support.fleet.topic import PARTITIONS, Topic

_LAST = 2**62
"""No owner is told so much."""


class ShardLog(Log):
    """That of a fleet whose log is on Kafka: what was observed of each partition, without what was known before."""

    def __init__(self, topic: Topic) -> None:
        """Have read nothing."""
        super().__init__()
        self._url = KafkaUrl(topic.kafka.bootstrap(), topic.name, group="judge")
        self._past = PastOf(self._open)
        self._seq = dict.fromkeys(range(PARTITIONS), 0)
        self._next = dict.fromkeys(range(PARTITIONS), 0)

    def read(self, place: Place) -> None:
        """Read what was added.

        Raises:
            DatabaseError: The database or the brokers cannot be reached now.
        """
        reader = open_reader(place)
        try:
            for partition in self._seq:
                self._read(reader, partition)
        finally:
            reader.close()

    def _read(self, reader: Connection, partition: int) -> None:
        end = shards.standing(reader, partition).next_offset
        for told in shards.told(reader, partition, after=self._seq[partition], up_to=_LAST):
            if told.first is not None and told.last is not None:
                self._fill(partition, told.first)
                events, _ = observed(self._past, partition, told)
                for event in events:
                    self.note(event.event_id or "", event.app)
                self._next[partition] = told.last + 1
            self._seq[partition] = told.seq
        self._fill(partition, end)

    def _fill(self, partition: int, end: int) -> None:
        """Count what was observed before an offset, and of which it is forgotten how: a snapshot holds it by now."""
        if self._next[partition] >= end:
            return
        for message in self._past.read(partition, self._next[partition], end - 1):
            for event in _events_of(message):
                if not self.times[event.event_id or ""]:
                    self.note(event.event_id or "", event.app)
        self._next[partition] = end

    def is_proved(self, place: Place) -> bool:
        """Whether each partition, decided again, comes to the hash that was committed."""
        reader = open_reader(place)
        past = PastOf(self._open)
        try:
            return all(proof.same for proof in prove(reader, past))
        finally:
            past.close()
            reader.close()

    def close(self) -> None:
        """Let the brokers go."""
        self._past.close()

    def _open(self) -> Past:
        return open_past(self._url)


def _events_of(message: Logged) -> list[Event]:
    try:
        return events_of(message)
    except PoisonError:
        return []
