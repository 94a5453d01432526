"""Intake: counts what came in and what was refused, for metrics.

≠ what an event means.
"""

from __future__ import annotations

from dataclasses import dataclass

from .decoding import Batch


@dataclass(slots=True)
class Intake:
    """What the door has seen since the start.

    Attributes:
        requests: Bodies that could be read.
        rejected: Events refused.
        dropped_fields: Fields that no event has.
    """

    requests: int = 0
    rejected: int = 0
    dropped_fields: int = 0

    def took(self, batch: Batch) -> None:
        """Count one body."""
        self.requests += 1
        self.rejected += len(batch.refusals)
        self.dropped_fields += batch.dropped_fields
