"""Shard: what evaluates one partition, for as long as its node owns that.

≠ who owns what, how messages come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from ..storage.envelope import Envelope
from ..storage.partitions import Tenure


@dataclass(frozen=True, slots=True)
class Logged:
    """A part of a batch, as it is in the log.

    Attributes:
        offset: Its place in the partition.
        logged_at: When the log took it, Unix seconds, by the brokers' clock.
        envelope: It.
    """

    offset: int
    logged_at: float
    envelope: Envelope


class Shard(Protocol):
    """Made from what is committed, when a partition is claimed; used by one thread.

    It writes in transactions of its tenure alone, and there all that belongs together: then what a crash, or another
    owner, cuts off is as if it had never been. Whatever it raises, it is forgotten with all that it remembers; another
    one is made from what is committed, if the partition is still this node's.
    """

    def take(self, messages: Sequence[Logged], now: float) -> None:
        """Evaluate messages and commit what they decide, with a standing that is after the last of them.

        Args:
            messages: In order, and all after those before; offsets may have gaps.
            now: The present, Unix seconds.

        Raises:
            PoisonError: One of them can never be evaluated; nothing is committed.
            Exception: Nothing is committed. It is tried again from what is committed, message by message; the one that
                raises again when it is alone is passed over, and noted.
        """

    def tick(self, now: float) -> None:
        """Evaluate what time alone changes, every second or so; commit it, if there is anything."""

    def end(self) -> None:
        """Let go while the tenure is still this node's: the next owner begins now, from what is committed."""


class PoisonError(Exception):
    """A message can never be evaluated; the text says why.

    Attributes:
        offset: Which.
    """

    def __init__(self, offset: int, why: str) -> None:
        super().__init__(why)
        self.offset = offset


MakeShard: TypeAlias = Callable[[Tenure], Shard]
"""Reads what is committed; may take a while."""
