"""Past: the log read again, for a restart and for a proof.

≠ who owns what, engines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ..nodes.shard import Logged


class Past(Protocol):
    """What a partition held."""

    def read(self, partition: int, first: int, last: int) -> Iterator[Logged]:
        """Yield the messages from one offset to another, both included, that are still there and can be read."""
