"""Intake: counts what came in and what was refused, for metrics.

≠ what an event means.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from .decoding import Batch
from .expanding import Reason


def _none() -> Counter[str]:
    return Counter(dict.fromkeys(map(str, Reason), 0))


@dataclass(slots=True)
class Intake:
    """What the door has seen since the start.

    Attributes:
        requests: Bodies that could be read.
        rejected: Events refused.
        dropped_fields: Fields that no event has.
        reasons: Events and bodies refused, by `Reason`.
        refused_bodies: Bodies of which nothing could be read.
        unkept: Of what was refused, what is not kept: there was too much at a time, or it could not be written.
        too_much: Requests refused, as too many bytes of bodies were held.
        connections: Open now.
        ended: Connections that were ended before their time, by reason.
        not_ours: Spans, records and lines that are no calls to Claude.
        twins: Spans that told of a call of which another one of the same body tells more.
    """

    requests: int = 0
    rejected: int = 0
    dropped_fields: int = 0
    reasons: Counter[str] = field(default_factory=_none)
    refused_bodies: int = 0
    unkept: int = 0
    too_much: int = 0
    connections: int = 0
    ended: Counter[str] = field(default_factory=Counter)
    not_ours: int = 0
    twins: int = 0

    def saw(self, *, not_ours: int = 0, twins: int = 0) -> None:
        """Count what of a body was left out without being refused."""
        self.not_ours += not_ours
        self.twins += twins

    def took(self, batch: Batch) -> None:
        """Count one body."""
        self.requests += 1
        self.rejected += len(batch.refusals)
        self.dropped_fields += batch.dropped_fields
        self.reasons.update(batch.reasons)

    def refused(self, reason: Reason) -> None:
        """Count one body of which nothing could be read."""
        self.refused_bodies += 1
        self.reasons[reason.value] += 1
