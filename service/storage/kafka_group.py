"""Reads the topic, together with other nodes: each partition is given to one of them, which says from where on.

Kafka gives partitions out (a classic group, cooperative: who goes on with a partition notices nothing of a rebalance);
where one is read from is its owner's business, and so is who may write.

≠ what a message holds, what is done with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import structlog
from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from .kafka_client import Setting, Troubles, ends_of, said_of, settings_of
from .kafka_url import KafkaUrl
from .topics import Delivered, Given, LogError, Polled, Taken

SESSION_S = 6.0
"""Partitions of a node that is not heard of for so long are given to others; brokers take no less by default."""

_HEARTBEAT_S = 1.0  # so soon others hear of a rebalance
# A node whose thread does not ask for so long has its partitions taken away; and so long, at most, a rebalance waits
# for a member. With 30 s partitions once stood still for 41 s when their coordinator was killed, most likely for one
# that was there before and came back as another.
_STUCK_S = 12.0
_PREFETCH_KB = 16 * 1024
_ANSWER_S = 5.0
_AT_END = KafkaError._PARTITION_EOF  # noqa: SLF001 — how confluent_kafka names librdkafka's own
_OUT_OF_RANGE = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)  # noqa: SLF001

_log = structlog.get_logger(__name__)


class KafkaGroup:
    """One member of the group; one thread uses it. What is called back is called in `poll` and `close`."""

    def __init__(
        self,
        url: KafkaUrl,
        *,
        node: str = "",
        given: Given,
        taken: Taken,
        settings: dict[str, Setting] | None = None,
    ) -> None:
        """Join it.

        Args:
            url: The topic, and the group's name.
            node: Who reads; for the brokers' logs.
            given: Called with partitions that are this node's from now on; none is read before `read_from`.
            taken: Called with partitions that are not, and whether others may have them already.
            settings: More of librdkafka's.

        Raises:
            LogError: librdkafka does not take the settings.
        """
        self._url = url
        self._given = given
        self._taken = taken
        self._troubles = Troubles(url)
        # Those that are read; of this node's, some may rest.
        self._assigned: set[int] = set()
        try:
            self._consumer = Consumer(
                {
                    **settings_of(url, node=node),
                    "group.id": url.group,
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "auto.offset.reset": "error",
                    "enable.partition.eof": True,
                    "partition.assignment.strategy": "cooperative-sticky",
                    "session.timeout.ms": int(SESSION_S * 1000),
                    "heartbeat.interval.ms": int(_HEARTBEAT_S * 1000),
                    "max.poll.interval.ms": int(_STUCK_S * 1000),
                    "queued.max.messages.kbytes": _PREFETCH_KB,
                    "fetch.wait.max.ms": 200,  # so long a partition that was just given waits for the others
                    "fetch.queue.backoff.ms": 20,
                    "error_cb": self._troubles.note,
                    **(settings or {}),
                }
            )
        except KafkaException as fault:
            raise LogError(f"{url}: {said_of(fault)}") from fault
        self.join()

    @property
    def unready(self) -> str:
        """Why nothing can be read now, as far as is known; "" if it can."""
        return self._troubles.newest

    def join(self) -> None:
        """Ask for partitions, after `leave` too."""
        self._consumer.subscribe(
            [self._url.topic], on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def leave(self) -> None:
        """Let others have all partitions; `poll` goes on to be called, and `taken` is called by that."""
        self._consumer.unsubscribe()

    def poll(self, most: int, wait_s: float) -> Polled:
        """Return messages of partitions that are read: as many as are there, at most, after a wait for the first."""
        found = Polled()
        first = self._consumer.poll(wait_s)
        if first is None:
            return found
        for message in (first, *self._consumer.consume(most - 1, timeout=0)):
            self._sort(message, found)
        return found

    def read_from(self, partition: int, offset: int) -> None:
        """Have a partition of this node's read from an offset on."""
        try:
            # Not by `seek`: that refuses for good once an offset was out of range.
            self._stop_reading([partition])
            self._consumer.incremental_assign([TopicPartition(self._url.topic, partition, offset)])
        except KafkaException as fault:
            raise LogError(f"{self._url}: partition {partition}: {said_of(fault)}") from fault
        self._assigned.add(partition)

    def rest(self, partition: int) -> None:
        """Read a partition no further, until `read_from`."""
        # Not by `pause`: to go on then takes a second.
        self._stop_reading([partition])

    def ends(self, partition: int) -> tuple[int, int]:
        """Return the offset of a partition's first message, and that of its next one.

        Raises:
            LogError: Nobody answers.
        """
        try:
            return ends_of(self._consumer, self._url.topic, partition, within_s=_ANSWER_S)
        except KafkaException as fault:
            raise LogError(f"{self._url}: partition {partition}: {said_of(fault)}") from fault

    def next_known(self, partition: int) -> int | None:
        """Return the offset of a partition's next message as the last answer had it; None before one."""
        try:
            _, high = self._consumer.get_watermark_offsets(TopicPartition(self._url.topic, partition), cached=True)
        except KafkaException:
            return None
        return int(high) if high >= 0 else None

    def first_after(self, partition: int, logged_at: float) -> int:
        """Return the offset of the first message that was logged after an instant; of the next one if none was.

        Raises:
            LogError: Nobody answers.
        """
        asked = TopicPartition(self._url.topic, partition, int(logged_at * 1000) + 1)
        try:
            [found] = self._consumer.offsets_for_times([asked], timeout=_ANSWER_S)
            if found.error is not None:
                raise KafkaException(found.error)
        except KafkaException as fault:
            raise LogError(f"{self._url}: partition {partition}: {said_of(fault)}") from fault
        return int(found.offset) if found.offset >= 0 else self.ends(partition)[1]

    def tell(self, offsets: Iterable[tuple[int, int]]) -> None:
        """Tell Kafka up to where partitions are read, for its tools; whether it hears does not matter."""
        places = [TopicPartition(self._url.topic, partition, offset) for partition, offset in offsets]
        if places:
            try:
                self._consumer.commit(offsets=places, asynchronous=True)
            except KafkaException as fault:
                _log.debug("log.offsets_not_told", error=said_of(fault))

    def close(self) -> None:
        """Leave; `taken` is called with what was this node's."""
        self._consumer.close()

    # ── called back by the consumer ───────────────────────────────────────────

    def _on_assign(self, consumer: Any, places: list[Any]) -> None:
        # None is read before it is said from where: were it read from its end till then, the answer to where that is
        # might come later, and skip what is between (seen in one of three tries).
        consumer.incremental_assign([])
        if places:
            self._given([place.partition for place in places])

    def _on_revoke(self, _: Any, places: list[Any]) -> None:
        self._let_go(places, lost=False)

    def _on_lost(self, _: Any, places: list[Any]) -> None:
        self._let_go(places, lost=True)

    def _let_go(self, places: list[Any], *, lost: bool) -> None:
        partitions = [place.partition for place in places]
        try:
            if partitions:
                self._taken(partitions, lost)
        finally:
            self._stop_reading(partitions)

    def _stop_reading(self, partitions: Iterable[int]) -> None:
        gone = self._assigned.intersection(partitions)
        self._assigned -= gone
        self._consumer.incremental_unassign([TopicPartition(self._url.topic, partition) for partition in gone])

    # ── what came ─────────────────────────────────────────────────────────────

    def _sort(self, message: Message, found: Polled) -> None:
        error = message.error()
        if error is None:
            kind, milliseconds = message.timestamp()
            logged_at = milliseconds / 1000 if kind != TIMESTAMP_NOT_AVAILABLE else 0.0
            found.at_end.discard(message.partition())
            found.messages.append(Delivered(message.partition(), message.offset(), logged_at, message.value()))
            self._troubles.over()
        elif error.code() == _AT_END:
            found.at_end.add(message.partition())
        elif error.code() in _OUT_OF_RANGE and message.partition() >= 0:
            found.out_of_range.add(message.partition())
        else:
            self._troubles.note(error)
            _log.debug("log.read_troubled", log=str(self._url), error=said_of(error))
