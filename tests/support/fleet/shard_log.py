"""The log on Kafka, as the owners of its partitions observed it: read again beside them, and proved.

≠ what should be in it.
"""

from __future__ import annotations

from service.shards.again import observed, rebuild_from_the_oldest
from service.shards.past import PastOf
from service.storage import shards
from service.storage.database import open_reader
from service.storage.kafka_url import KafkaUrl
from service.storage.places import Place
from service.storage.topics import Past, open_past
from tests.support.fleet.judging import Log
from tests.support.fleet.topic import PARTITIONS, Topic


class ShardLog(Log):
    """That of a fleet whose log is on Kafka: what was observed of each partition, without what was known before."""

    def __init__(self, topic: Topic) -> None:
        """Have read nothing."""
        super().__init__()
        self._url = KafkaUrl(topic.kafka.bootstrap(), topic.name, group="judge")
        self._past = PastOf(self._open)
        self._seq = dict.fromkeys(range(PARTITIONS), 0)

    def read(self, place: Place) -> None:
        """Read what was added.

        Raises:
            DatabaseError: The database or the brokers cannot be reached now.
        """
        reader = open_reader(place)
        try:
            for partition in self._seq:
                for told in shards.told(reader, partition, after=self._seq[partition]):
                    events, _ = observed(self._past, partition, told)
                    self._seq[partition] = told.seq
                    for event in events:
                        self.note(event.event_id or "", event.app)
        finally:
            reader.close()

    def is_proved(self, place: Place) -> bool:
        """Whether each partition, decided again, comes to the hash that was committed."""
        reader = open_reader(place)
        past = PastOf(self._open)
        try:
            return all(rebuild_from_the_oldest(reader, partition, past).agrees is not False for partition in self._seq)
        finally:
            past.close()
            reader.close()

    def close(self) -> None:
        """Let the brokers go."""
        self._past.close()

    def _open(self) -> Past:
        return open_past(self._url)
