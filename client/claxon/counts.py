"""Stats: what became of the events of this process."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Counts since the process, or its fork, began.

    Attributes:
        queued: Events that wait to be sent, now.
        sent: Events the service has accepted.
        rejected: Events the service refused one by one.
        dropped: Events given up, by reason: `queue_full`, `refused` (the
            service refused the whole batch), `shutdown`, `fault`.
        batches: Requests that were answered 2xx.
        retries: Requests that were sent again.
        faults: Faults of the client's own; each is logged once.
    """

    queued: int = 0
    sent: int = 0
    rejected: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    batches: int = 0
    retries: int = 0
    faults: int = 0
