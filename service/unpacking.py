"""Unpacking: what a sender posted -> a batch, checked, as it is stored; and what its sender is told of it.

≠ where it is stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import structlog

from .decoding import BadBody, Batch, decode, decode_fast
from .storage import event_log
from .work import Ingest, NoneGood, NotPlain, Posted, Taken

_SLOW = 16 * 1024
"""Bytes up to which a body whose events are not all as they should be is looked through at once."""

_ENCODER = msgspec.json.Encoder()
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A batch that can be stored.

    Attributes:
        work: Where it comes from.
        batch: What is in it.
        stored: Its good events, as the log keeps them.
    """

    work: Ingest
    batch: Batch
    stored: bytes

    @property
    def answer(self) -> str:
        """What its sender is told, JSON."""
        return _ENCODER.encode({"accepted": len(self.batch.events), "rejected": self.batch.refusals}).decode()

    def taken(self, answer: str) -> Taken:
        """Return what became of it, once it is durable.

        Without the events: they are let go where they were made, not by whoever reads the answer.
        """
        return Taken(answer, msgspec.structs.replace(self.batch, events=[], body=b"", stored=b""))


def unpack(work: Ingest) -> Unpacked | None:
    """Return what a sender sent, decoded; None if nothing of it is to be stored, and the sender knows."""
    posted = work.batch
    if isinstance(posted, Batch):
        return Unpacked(work, posted, posted.stored or event_log.compress(posted.body))
    try:
        batch = _batch_of(posted, work)
    except Exception as fault:  # noqa: BLE001 — a body that we stumble over is its sender's, and must not end a thread
        if not isinstance(fault, BadBody | NoneGood | NotPlain):
            _log.exception("batch.faulted")
        if work.done.set_running_or_notify_cancel():
            work.done.set_exception(fault)
        return None
    return Unpacked(work, batch, posted.stored if batch.body is posted.body else event_log.compress(batch.body))


def _batch_of(posted: Posted, work: Ingest) -> Batch:
    batch = decode_fast(posted.body, work.received_at, work.app)
    if batch is not None:
        return batch
    # What an ingest node took was looked through there: if it is none of ours, somebody else decides.
    if len(posted.body) > _SLOW or work.inbox_row is not None:
        raise NotPlain
    batch = decode(posted.body, ndjson=posted.ndjson, received_at=work.received_at, app=work.app)
    if batch.refusals and not batch.events:
        raise NoneGood(batch)
    return batch
