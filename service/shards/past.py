"""Past: the log read again, for a restart and for a proof.

≠ who owns what, engines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from ..nodes.shard import Logged
from ..storage import envelope, topics
from ..storage.envelope import NewerError, UnreadableError


class Past(Protocol):
    """What a partition held."""

    def read(self, partition: int, first: int, last: int) -> Iterator[Logged]:
        """Yield the messages from one offset to another, both included, that are still there and can be read."""


class PastOf:
    """That of a log, which is opened when somebody asks for the first time."""

    def __init__(self, open_past: Callable[[], topics.Past]) -> None:
        """Take what opens it."""
        self._open = open_past
        self._past: topics.Past | None = None

    def read(self, partition: int, first: int, last: int) -> Iterator[Logged]:
        """Yield messages.

        Raises:
            LogError: The log cannot be read now.
        """
        self._past = past = self._past or self._open()
        for message in past.read(partition, first, last):
            try:
                read = envelope.read(message.value)
            except (UnreadableError, NewerError):
                # Such a one was passed over when it came; whoever asks counts what is missing.
                continue
            yield Logged(message.offset, message.logged_at, read)

    def close(self) -> None:
        """Read no more."""
        if self._past is not None:
            self._past.close()
