"""The log on a topic, opened by its URL: who writes to it, and who reads it together with others.

The one place that knows which engine has it; what an engine needs is imported here, and nowhere before it is asked for.

≠ what a message holds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Protocol

from .errors import EngineError, StorageError
from .kafka_url import KafkaUrl


class LogError(EngineError):
    """The log does not take, or give, what it should; it may in a while."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message, as the log has it.

    Attributes:
        partition, offset: Where it is.
        logged_at: When the brokers wrote it, Unix seconds; 0 where they do not say.
        value: What was sent.
    """

    partition: int
    offset: int
    logged_at: float
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Polled:
    """What came of asking for messages.

    Attributes:
        messages: In the order of each partition.
        at_end: Partitions that were read to their end, for the moment.
        out_of_range: Partitions whose log does not have what is to be read next.
    """

    messages: list[Delivered] = field(default_factory=list)
    at_end: set[int] = field(default_factory=set)
    out_of_range: set[int] = field(default_factory=set)


Done = Callable[[LogError | None], None]
"""Called once a message is acknowledged, or with why it is not; by a thread of the producer's."""


class Producer(Protocol):
    """Writes messages; any thread may send."""

    @property
    def unready(self) -> str:
        """Why nothing can be written now, as far as is known; "" if it can."""

    def send(self, key: bytes, message: bytes, done: Done) -> None:
        """Have a message written, after all of its key that were sent before.

        Raises:
            LogError: It is not: too many wait, or it is too large. `done` is not called.
        """

    def close(self) -> None:
        """Wait for what was sent, as long as it may take."""


class Group(Protocol):
    """Reads messages together with others; one thread uses it. It calls back in `poll` and in `close`."""

    @property
    def unready(self) -> str:
        """Why nothing can be read now, as far as is known; "" if it can."""

    def join(self) -> None:
        """Ask for partitions."""

    def leave(self) -> None:
        """Let others have all of them; `poll` goes on to be called, and calls back with them."""

    def poll(self, most: int, wait_s: float) -> Polled:
        """Return messages of partitions that are read: as many as are there, at most, after a wait for the first."""

    def read_from(self, partition: int, offset: int) -> None:
        """Have a partition of this node's read from an offset on.

        Raises:
            LogError: It cannot be.
        """

    def rest(self, partition: int) -> None:
        """Read a partition no further, until `read_from`."""

    def ends(self, partition: int) -> tuple[int, int]:
        """Return the offset of a partition's first message, and that of its next one.

        Raises:
            LogError: Nobody answers.
        """

    def next_known(self, partition: int) -> int | None:
        """Return the offset of a partition's next message as the last answer had it; None before one."""

    def first_after(self, partition: int, logged_at: float) -> int:
        """Return the offset of the first message that was logged after an instant; of the next one if none was.

        Raises:
            LogError: Nobody answers.
        """

    def tell(self, offsets: Iterable[tuple[int, int]]) -> None:
        """Tell the brokers up to where partitions are read, for their tools; whether they hear does not matter."""

    def close(self) -> None:
        """Leave."""


class Past(Protocol):
    """The log, read again; one thread uses it."""

    def read(self, partition: int, first: int, last: int) -> Iterator[Delivered]:
        """Yield the messages of a partition from one offset to another, both included, that are still there.

        Raises:
            LogError: Nobody answers.
        """

    def close(self) -> None:
        """Read no more."""


Given = Callable[[Collection[int]], None]
"""Called with partitions that are this node's from now on; none is read before `read_from`."""

Taken = Callable[[Collection[int], bool], None]
"""Called with partitions that are not any more, and whether others may have them already."""


def prepare(url: KafkaUrl, *, node: str = "") -> int:
    """See that the topic is there, created where it is not; return how many partitions it has.

    Raises:
        UnreachableError: No broker answers.
        StorageError: They refuse us.
    """
    from_brokers: int = _engine("kafka_topic").prepare(url, node=node).partitions
    return from_brokers


def open_producer(url: KafkaUrl, *, node: str = "") -> Producer:
    """Return who writes; no broker need be there yet.

    Raises:
        StorageError: A setting of the URL is none.
    """
    try:
        producer: Producer = _engine("kafka_producer").KafkaProducer(url, node=node)
    except LogError as fault:
        raise StorageError(str(fault)) from fault
    return producer


def open_group(url: KafkaUrl, *, node: str = "", given: Given, taken: Taken) -> Group:
    """Join those who read; no broker need be there yet.

    Raises:
        StorageError: A setting of the URL is none.
    """
    try:
        group: Group = _engine("kafka_group").KafkaGroup(url, node=node, given=given, taken=taken)
    except LogError as fault:
        raise StorageError(str(fault)) from fault
    return group


def open_past(url: KafkaUrl, *, node: str = "") -> Past:
    """Return who reads what was there; no broker need be there yet.

    Raises:
        LogError: A setting of the URL is none.
    """
    past: Past = _engine("kafka_past").KafkaPast(url, node=node)
    return past


def _engine(name: str) -> ModuleType:
    try:
        return import_module(f".{name}", __package__)
    except ImportError as fault:
        said = "confluent-kafka is not installed: pip install 'claxon-server[kafka]'"
        raise StorageError(f"--log: kafka://: {said}") from fault
