"""A log in memory that is given out as a test says: to see what an owner of partitions does, in milliseconds."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import partial

from service.storage.topics import Delivered, Given, LogError, Polled, Taken


class MemoryLog:
    """Some partitions, each with messages from an offset on.

    Attributes:
        told: The offsets that owners told of.
    """

    def __init__(self, partitions: int = 1) -> None:
        self.told: dict[int, int] = {}
        self._first = [0] * partitions
        self._messages: list[list[Delivered]] = [[] for _ in range(partitions)]
        self._lock = threading.Lock()

    def append(self, value: bytes | None, *, partition: int = 0, logged_at: float = 1.0, gap: int = 0) -> int:
        """Add a message, perhaps after a gap, and return its offset."""
        with self._lock:
            offset = self.end(partition) + gap
            self._messages[partition].append(Delivered(partition, offset, logged_at, value))
            return offset

    def end(self, partition: int = 0) -> int:
        """Return the offset of the next message."""
        messages = self._messages[partition]
        return messages[-1].offset + 1 if messages else self._first[partition]

    def prune(self, before: int, *, partition: int = 0) -> None:
        """Drop what is older than an offset, as retention does."""
        with self._lock:
            self._first[partition] = before
            self._messages[partition] = [one for one in self._messages[partition] if one.offset >= before]

    def make_anew(self, *, partition: int = 0) -> None:
        """Drop all, and begin at 0 again."""
        with self._lock:
            self._first[partition], self._messages[partition] = 0, []

    def first(self, partition: int) -> int:
        """Return the offset of the oldest message, or of the next one."""
        messages = self._messages[partition]
        return messages[0].offset if messages else self._first[partition]

    def after(self, partition: int, offset: int) -> list[Delivered]:
        """Return the messages from an offset on."""
        with self._lock:
            return [one for one in self._messages[partition] if one.offset >= offset]


class MemoryGroup:
    """A member; `give` and `take_away` are what a rebalance does, at its next `poll`.

    Attributes:
        left: Whether it has left.
        seeks: From where each partition was to be read, one after another.
    """

    unready = ""

    def __init__(self, log: MemoryLog, *, given: Given, taken: Taken) -> None:
        self.left = False
        self.seeks: list[tuple[int, int]] = []
        self.skip_once: set[int] = set()
        # How many partitions were read when messages were asked for, each time that it was another number.
        self.asked_after: list[int] = []
        self._log = log
        self._given = given
        self._taken = taken
        self._places: dict[int, int] = {}
        self._owned: set[int] = set()
        self._resting: set[int] = set()
        self._changes: list[partial[None]] = []
        self._happened = threading.Condition()

    def give(self, *partitions: int) -> None:
        """Give it partitions."""
        self._change(partial(self._on_given, partitions))

    def take_away(self, *partitions: int, lost: bool = False) -> None:
        """Take partitions away; lost: others have had them for a while."""
        self._change(partial(self._on_taken, partitions, lost))

    def lose_messages_once(self, partition: int) -> None:
        """Have the next reading of a partition leave its first message out, as a faulty client might."""
        self.skip_once.add(partition)

    def join(self) -> None:
        self.left = False

    def leave(self) -> None:
        self.left = True
        self.take_away(*self._owned)

    def poll(self, most: int, wait_s: float) -> Polled:
        with self._happened:
            changes, self._changes = self._changes, []
        for change in changes:
            change()
        if self._places and (not self.asked_after or self.asked_after[-1] != len(self._places)):
            self.asked_after.append(len(self._places))
        found = Polled()
        for partition in sorted(self._places.keys() - self._resting):
            self._read(partition, most, found)
        if not found.messages and not found.out_of_range:
            with self._happened:
                self._happened.wait(0.002)
        return found

    def read_from(self, partition: int, offset: int) -> None:
        if partition not in self._owned:
            raise LogError(f"partition {partition}: not ours")
        self.seeks.append((partition, offset))
        self._places[partition] = offset
        self._resting.discard(partition)

    def rest(self, partition: int) -> None:
        self._resting.add(partition)

    def ends(self, partition: int) -> tuple[int, int]:
        return self._log.first(partition), self._log.end(partition)

    def next_known(self, partition: int) -> int | None:
        return self._log.end(partition)

    def first_after(self, partition: int, logged_at: float) -> int:
        later = [one.offset for one in self._log.after(partition, 0) if one.logged_at > logged_at]
        return later[0] if later else self._log.end(partition)

    def tell(self, offsets: Iterable[tuple[int, int]]) -> None:
        self._log.told.update(offsets)

    def close(self) -> None:
        self._on_taken(tuple(self._owned), False)

    def _change(self, change: partial[None]) -> None:
        with self._happened:
            self._changes.append(change)
            self._happened.notify()

    def _on_given(self, partitions: Iterable[int]) -> None:
        self._owned.update(partitions)
        self._given(list(partitions))

    def _on_taken(self, partitions: Iterable[int], lost: bool) -> None:
        self._taken(list(partitions), lost)
        for partition in partitions:
            self._owned.discard(partition)
            self._places.pop(partition, None)

    def _read(self, partition: int, most: int, found: Polled) -> None:
        place = self._places[partition]
        if not self._log.first(partition) <= place <= self._log.end(partition):
            found.out_of_range.add(partition)
            return
        messages = self._log.after(partition, place)[:most]
        if partition in self.skip_once and messages:
            self.skip_once.discard(partition)
            messages = messages[1:]
        found.messages.extend(messages)
        if messages:
            self._places[partition] = messages[-1].offset + 1
        else:
            found.at_end.add(partition)
