"""Reads the topic again, where somebody asks for what was there: no member of any group, and commits nothing.

≠ what a message holds, who owns a partition.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException, Message, TopicPartition

from ..clock import monotonic
from .kafka_client import Troubles, ends_of, said_of, settings_of
from .kafka_url import KafkaUrl
from .topics import Delivered, LogError

_ANSWER_S = 10.0
_POLL_S = 0.2
_MOST = 500
_AT_END = KafkaError._PARTITION_EOF  # noqa: SLF001 — how confluent_kafka names librdkafka's own


class KafkaPast:
    """One thread uses it. What is asked for in order is read in one go."""

    def __init__(self, url: KafkaUrl, *, node: str = "") -> None:
        """Take where the topic is; no broker need be there yet.

        Raises:
            LogError: librdkafka does not take the settings.
        """
        self._url = url
        self._troubles = Troubles(url)
        self._at: tuple[int, int] | None = None
        self._read: deque[Message] = deque()
        try:
            self._consumer = Consumer(
                {
                    **settings_of(url, node=node),
                    # librdkafka wants a name; nobody joins.
                    "group.id": f"{url.group}-past",
                    "enable.auto.commit": False,
                    "enable.auto.offset.store": False,
                    "auto.offset.reset": "error",
                    "enable.partition.eof": True,
                    "error_cb": self._troubles.note,
                }
            )
        except KafkaException as fault:
            raise LogError(f"{url}: {said_of(fault)}") from fault

    def read(self, partition: int, first: int, last: int) -> Iterator[Delivered]:
        """Yield the messages of a partition from one offset to another, both included, that are still there.

        Raises:
            LogError: Nobody answers, or not with these.
        """
        try:
            yield from self._yield(partition, first, last)
        except KafkaException as fault:
            self._at = None
            raise LogError(f"{self._url}: partition {partition}: {said_of(fault)}") from fault

    def close(self) -> None:
        """Read no more."""
        self._consumer.close()

    def _yield(self, partition: int, first: int, last: int) -> Iterator[Delivered]:
        if self._at is None or self._at[0] != partition or self._at[1] > first:
            low, high = self._ends_of(partition)
            first = max(first, low)
            if first > last or first >= high:
                return
            self._consumer.assign([TopicPartition(self._url.topic, partition, first)])
            self._read.clear()
        self._at = (partition, first)
        while True:
            if (message := self._next(partition)) is None:
                # The end as it was when it was read: by now there may be more, and what is asked for may be in it.
                if self._at[1] > last or self._at[1] >= self._ends_of(partition)[1]:
                    return
                continue
            offset = int(message.offset() or 0)
            if offset > last:
                self._read.appendleft(message)
                return
            self._at = (partition, offset + 1)
            if offset >= first:
                yield _delivered(message)
            if offset == last:
                return

    def _ends_of(self, partition: int) -> tuple[int, int]:
        return ends_of(self._consumer, self._url.topic, partition, within_s=_ANSWER_S)

    def _next(self, partition: int) -> Message | None:
        """Return the next message; None at the partition's end."""
        until = monotonic() + _ANSWER_S
        while not self._read:
            self._read.extend(self._consumer.consume(_MOST, timeout=_POLL_S))
            if not self._read and monotonic() > until:
                why = self._troubles.newest or "no answer"
                self._at = None
                raise LogError(f"{self._url}: partition {partition}: {why} for {_ANSWER_S:.0f} s")
        message = self._read.popleft()
        fault = message.error()
        if fault is None:
            return message
        if fault.code() == _AT_END:
            return None
        raise KafkaException(fault)


def _delivered(message: Message) -> Delivered:
    kind, at_ms = message.timestamp()
    value = message.value()
    return Delivered(
        partition=int(message.partition() or 0),
        offset=int(message.offset() or 0),
        logged_at=at_ms / 1000 if kind != TIMESTAMP_NOT_AVAILABLE else 0.0,
        value=value if isinstance(value, bytes) else None,
    )
