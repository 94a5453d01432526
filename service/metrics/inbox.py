"""What the catalog says of several nodes on one database: what waits between who takes events and who evaluates them.

≠ what comes in by a door, what the elected node decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .metric import Chapter, Metric, Row
from .sample import Sample


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxSample:
    """What one node knows of the inbox; None is what it has nothing to do with.

    Attributes:
        batches: That wait, about.
        bytes: Of their bodies, about.
        age_s: For how long the one with the lowest number has waited; 0.0 where none does.
        faults: Times the database was away, or did not answer, or a row could not be logged.
        written, written_events: What this node wrote.
        unwritten: Batches that it could not write in time.
        keys_age_s: How old what it knows of the keys is.
        taken: Batches that this node, elected, put into the log.
        poison: Batches that lie aside.
    """

    batches: int
    bytes: int
    age_s: float
    faults: int
    written: int | None = None
    written_events: int | None = None
    unwritten: int | None = None
    keys_age_s: float | None = None
    taken: int | None = None
    poison: int | None = None


def _read(number: Callable[[InboxSample], float | None]) -> Callable[[Sample], Iterable[Row]]:
    def rows(sample: Sample) -> list[Row]:
        found = number(sample.inbox) if sample.inbox is not None else None
        return [] if found is None else [((), found)]

    return rows


INBOX = Chapter(
    title="Several nodes",
    about=(
        "Only where several nodes share a PostgreSQL. A node that takes events and is not elected answers with these, "
        "with what comes in by its doors, and with its keys; all else is the elected one's. Each node counts since its "
        "process started: sum over them."
    ),
    metrics=(
        Metric(
            name="claxon_inbox_batches",
            unit="batches",
            help="Batches that wait for the elected node, about.",
            read=_read(lambda inbox: inbox.batches),
        ),
        Metric(
            name="claxon_inbox_bytes",
            unit="bytes",
            help="Bytes of them, about; beyond a limit ingest nodes answer 503.",
            read=_read(lambda inbox: inbox.bytes),
        ),
        Metric(
            name="claxon_inbox_age_seconds",
            unit="seconds",
            help="For how long the batch with the lowest number has waited; some milliseconds are usual, and over 10 s "
            "nobody is elected, or it cannot keep up.",
            read=_read(lambda inbox: inbox.age_s),
        ),
        Metric(
            name="claxon_inbox_faults_total",
            unit="faults",
            help="Times the database was away or did not answer in time, or a batch of the inbox could not be logged.",
            read=_read(lambda inbox: inbox.faults),
        ),
        Metric(
            name="claxon_inbox_written_batches_total",
            unit="batches",
            help="Batches that this node wrote to the inbox, and acknowledged.",
            read=_read(lambda inbox: inbox.written),
        ),
        Metric(
            name="claxon_inbox_written_events_total",
            unit="events",
            help="Events in them; those that are known already are left out later.",
            read=_read(lambda inbox: inbox.written_events),
        ),
        Metric(
            name="claxon_inbox_unwritten_batches_total",
            unit="batches",
            help="Batches that this node could not write in time; their senders were told to send them again.",
            read=_read(lambda inbox: inbox.unwritten),
        ),
        Metric(
            name="claxon_keys_age_seconds",
            unit="seconds",
            help="How old what this node knows of the keys is; a key that was revoked since is let in.",
            read=_read(lambda inbox: inbox.keys_age_s),
        ),
        Metric(
            name="claxon_inbox_taken_batches_total",
            unit="batches",
            help="Batches that the elected node took from the inbox into the event log.",
            read=_read(lambda inbox: inbox.taken),
        ),
        Metric(
            name="claxon_inbox_poison_batches",
            unit="batches",
            help="Batches in `inbox_poison`: the elected node cannot read them, or not write them.",
            read=_read(lambda inbox: inbox.poison),
        ),
    ),
)
