"""Messages as they came -> what a shard takes, up to the first that none can.

≠ what is done about that one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..storage import envelope
from ..storage.envelope import NewerError, UnreadableError
from ..storage.topics import Delivered
from .shard import Logged


@dataclass(frozen=True, slots=True)
class Unfit:
    """A message that no shard can take.

    Attributes:
        message: It.
        why: Why not.
        newer: It can be taken after an upgrade; it must not be passed over.
    """

    message: Delivered
    why: str
    newer: bool = False


def fit(messages: Sequence[Delivered], known_bad: Mapping[int, str]) -> tuple[list[Logged], Unfit | None]:
    """Return the messages before the first that is unfit, and that one; None where all are fit.

    Args:
        messages: Of a partition, in order.
        known_bad: Why some offsets were found to be unfit before.
    """
    found: list[Logged] = []
    for message in messages:
        if message.offset in known_bad:
            return found, Unfit(message, known_bad[message.offset])
        try:
            read = envelope.read(message.value)
        except NewerError as fault:
            return found, Unfit(message, str(fault), newer=True)
        except UnreadableError as fault:
            return found, Unfit(message, str(fault))
        found.append(Logged(message.offset, message.logged_at, read))
    return found, None
