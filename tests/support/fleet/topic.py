"""The log on Kafka: a topic on three brokers, and wires from each node to each of them.

≠ what a message holds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from tests.support.drivers import driver
from tests.support.kafka import NODES, Advertise, Kafka, start_kafka
from tests.support.netfault import Mode, Wire, Wires

NAME = "claxon-events"
PARTITIONS = 6
WRITTEN_S = 30


class Topic:
    """A topic of six partitions.

    Attributes:
        kafka: The brokers.
        name: Of the topic.
    """

    def __init__(self, kafka: Kafka, ways: dict[str, list[Wire]]) -> None:
        """Create it."""
        self.kafka = kafka
        self.name = NAME
        self._ways = ways
        kafka.create_topic(self.name, partitions=PARTITIONS)

    def url_for(self, node: str) -> str:
        """Return where a node finds it, by wires of its own."""
        return f"kafka://{self.kafka.bootstrap(node)}/{self.name}"

    def cut_off(self, node: str) -> None:
        """Lose all that goes to or comes from a node, and say so to nobody."""
        for way in self._ways[node]:
            way.mode = Mode.BLACKHOLE

    def mend(self, node: str) -> None:
        """Have a node reach the brokers again."""
        for way in self._ways[node]:
            way.mode = Mode.PASS

    def put(self, value: bytes) -> None:
        """Write a message to each partition, past everybody's doors."""
        producer = driver("confluent_kafka").Producer({"bootstrap.servers": self.kafka.bootstrap(), "acks": "all"})
        for partition in range(PARTITIONS):
            producer.produce(self.name, value, partition=partition)
        assert producer.flush(WRITTEN_S) == 0, f"{self.name}: not written after {WRITTEN_S} s"

    def leader(self, partition: int) -> int:
        """Return which broker leads a partition."""
        found = self.kafka.leader(self.name, partition)
        return found if found in NODES else NODES[0]

    def kill(self, broker: int) -> None:
        """Kill a broker as `kill -9` does."""
        self.kafka.kill9(broker)

    def restore(self, broker: int) -> None:
        """Start a broker again; return when every replica is in sync."""
        self.kafka.restart(broker)
        self.kafka.wait_until_whole(self.name)


@contextlib.contextmanager
def start_topic(nodes: Sequence[str], wires: Wires) -> Iterator[Topic]:
    """Run three brokers until the block ends, with a way of each node's own to them; skips the test without Kafka."""
    ways: dict[str, list[Wire]] = {node: [] for node in nodes}

    def advertise(node: str) -> Advertise:
        def at(port: int) -> tuple[str, int]:
            wire = wires.wire(port)
            ways[node].append(wire)
            return "127.0.0.1", wire.port

        return at

    with start_kafka(doors={node: advertise(node) for node in nodes}) as kafka:
        yield Topic(kafka, ways)
