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
            service refused the whole batch), `shutdown`, `fault`; and of the
            spool's: `spool_full`, `spool_old` (over 24 h), `spool_torn` (a
            file that a dying process left half written).
        batches: Requests that were answered 2xx.
        retries: Requests that were sent again.
        faults: Faults of the client's own; each is logged once.
        spooled: Events this process has written to the spool.
        spool_sent: Those of `sent` that came from the spool, whoever wrote them.
        spool_waiting: Events in the spool when this process last looked, of all processes.
        clock_skew_s: How far the service's clock is ahead of ours, to about a
            second; None before its first answer. Left out of comparisons.
        resilience: What retry policies, breakers and the like did, by name (counting.py).
    """

    queued: int = 0
    sent: int = 0
    rejected: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    batches: int = 0
    retries: int = 0
    faults: int = 0
    spooled: int = 0
    spool_sent: int = 0
    spool_waiting: int = 0
    clock_skew_s: float | None = field(default=None, compare=False)
    resilience: dict[str, int] = field(default_factory=dict)
