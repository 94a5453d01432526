"""sqs_parcel: a job as a message of SQS carries it, and what the message's own counts say about it.

A message cannot be changed. What a job has lived through is in its body as of
the last time it was sent; since then SQS has counted how often it was received.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

import msgspec

from .job import Job, Reason, State

LONGEST_DELAY_S = 900
LONGEST_HIDING_S = 43_200
"""SQS delays a message for 15 minutes at most, and hides a received one for 12 hours at most."""


class Parcel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of a message.

    Attributes:
        runs: Runs before the message was sent; `lost` likewise.
        content: As in a job, inside of the same JSON.
    """

    id: str
    key: str
    deferred_at: float
    due_at: float
    content: msgspec.Raw
    runs: int = 0
    lost: int = 0
    reason: Reason | None = None
    ended_at: float | None = None

    def encoded(self) -> str:
        """Return it as JSON."""
        return msgspec.json.encode(self).decode()


def parcel_of(job: Job, **changed: Any) -> Parcel:
    """Return the parcel of a job, with some of it changed."""
    given: dict[str, Any] = {
        "id": job.id,
        "key": job.key,
        "deferred_at": job.deferred_at,
        "due_at": job.due_at,
        "content": msgspec.Raw(job.content),
        "runs": job.runs,
        "lost": job.lost,
        "reason": job.reason,
    }
    return Parcel(**{**given, **changed})


def read_job(message: Mapping[str, Any], *, delays: bool) -> Job | None:
    """Return the job in a message that was just received; None if it is not ours.

    Args:
        message: As boto3 gives it, with its system attributes.
        delays: Whether the queue can delay single messages; a FIFO queue cannot.
    """
    try:
        parcel = msgspec.json.decode(message["Body"], type=Parcel)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    received = int(message["Attributes"]["ApproximateReceiveCount"])
    sent_at = int(message["Attributes"]["SentTimestamp"]) / 1000
    lost = max(0, received - 1 - early_receipts(parcel.due_at, sent_at=sent_at, delays=delays))
    return Job(
        id=parcel.id,
        key=parcel.key,
        state=State.RUNNING if parcel.ended_at is None else State.DEAD,
        deferred_at=parcel.deferred_at,
        due_at=parcel.due_at,
        runs=parcel.runs + lost + (parcel.ended_at is None),
        lost=parcel.lost + lost,
        reason=parcel.reason,
        ended_at=parcel.ended_at,
        content=bytes(parcel.content),
    )


def early_receipts(due_at: float, *, sent_at: float, delays: bool) -> int:
    """Return how often a job is received before it is due, only to be hidden again: those are no runs."""
    left = due_at - sent_at - (LONGEST_DELAY_S if delays else 0)
    return math.ceil(left / LONGEST_HIDING_S) if left > 1 else 0


def name_of(text: str) -> str:
    """Return a text as SQS takes names of groups and of duplicates: the same for the same."""
    return hashlib.sha256(text.encode()).hexdigest()
