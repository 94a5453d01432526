"""Intake: counts what came in and what was refused, for metrics.

≠ what an event means.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from .decoding import Batch

DROPPED_HEADER = "claxon-client-dropped"


@dataclass(slots=True)
class Intake:
    """What the door has seen since the start.

    Attributes:
        requests: Bodies that could be read.
        rejected: Events refused.
        dropped_fields: Fields that no event has.
        client_dropped: Events that clients say they dropped before sending.
    """

    requests: int = 0
    rejected: int = 0
    dropped_fields: int = 0
    client_dropped: int = 0

    def took(self, request: Request, batch: Batch) -> None:
        """Count one body."""
        self.requests += 1
        self.rejected += len(batch.refusals)
        self.dropped_fields += batch.dropped_fields
        said = request.headers.get(DROPPED_HEADER, "")
        if said.isdigit() and len(said) < 12:
            self.client_dropped += int(said)
