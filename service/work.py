"""What the core is given to do, and what it counts of what it did.

≠ how it is done.
"""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from .decoding import Batch


class NoneGood(ValueError):
    """A batch without one good event: nothing of it is logged.

    Attributes:
        batch: With the refusals.
        status: Of the answer.
    """

    def __init__(self, batch: Batch, status: int = 400) -> None:
        super().__init__("no event of it can be taken")
        self.batch = batch
        self.status = status


class NotPlain(ValueError):
    """A body whose events are not all as they should be, and that is too long to be looked through at once."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A body that the core decodes: its events are evaluated where they were made, with what they are still at hand.

    Attributes:
        body: Not compressed, without space around it.
        stored: The same, as the log keeps it.
        ndjson: Whether it was announced as lines.
    """

    body: bytes
    stored: bytes
    ndjson: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a batch.

    Attributes:
        answer: What its sender is told, JSON; the first answer for a re-post.
        batch: What was in it, but for the events.
    """

    answer: str
    batch: Batch


@dataclass(slots=True, kw_only=True)
class Ingest:
    """A batch on its way into the log.

    Attributes:
        batch: Decoded and checked, or yet to be.
        received_at: When it arrived, Unix seconds.
        app: The app of events that name none.
        key: Makes a re-post harmless; None where the sender gave none.
        client_dropped: Events that the sender says it gave up before this batch.
        spans: Whether it came by a door by which spans come.
        inbox_row: Where it waited for the log, and waits no longer once it is there; None: it was posted here.
        done: What became of it, once that is durable; or BadBody, NoneGood, NotPlain, or DatabaseError.
    """

    batch: Batch | Posted
    received_at: float
    app: str
    key: str | None
    client_dropped: int = 0
    spans: bool = False
    inbox_row: int | None = None
    done: Future[Taken] = field(default_factory=Future)


class Taker(Protocol):
    """Who takes batches: the core, or what writes them down for it."""

    @property
    def refusal(self) -> str:
        """Why nothing can be taken for a while, *where: value: remedy*; "" if it can."""

    @property
    def waiting(self) -> int:
        """How much is queued."""

    @property
    def waiting_bytes(self) -> int:
        """How much of events is queued, in bytes."""

    def ingest(self, work: Ingest) -> Future[Taken]:
        """Have a batch written down; the future says what became of it once it is durable."""

    async def spans_come(self, now: float) -> None:
        """Note that spans come, before they are taken.

        Raises:
            DatabaseError: It cannot be written.
        """


@dataclass(slots=True)
class Tally:
    """What the core has done since the start; for metrics.

    Attributes:
        batches: Committed to the log.
        events: In them.
        duplicates: Events left out, as their id was known.
        client_dropped: Events that clients gave up before they were sent.
        commits: Transactions.
        decided: Those of them that hold decisions.
        failures: Batches that could not be committed.
        refusing: Whether the last one could not.
        refused_at: When that was, by the clock that never jumps; -inf if the last one could be.
        refused: Why.
        snapshot_bytes: Size of the newest snapshot.
        snapshot_s: How long it took to make.
        faults: Evaluations that raised.
        replayed: Events that the restart took from the log.
        restart_s: How long the restart took, until events could be taken.
        unreadable: Rows of the log that the restart had to leave out.
        diverged: Restarts whose replay of the log decided otherwise than what is committed.
        wal_bytes: Size of the write-ahead log when it was looked at last.
        jumps: How often the wall clock was set, by direction.
    """

    batches: int = 0
    events: int = 0
    duplicates: int = 0
    client_dropped: int = 0
    commits: int = 0
    decided: int = 0
    failures: int = 0
    refusing: bool = False
    refused_at: float = float("-inf")
    refused: str = ""
    snapshot_bytes: int = 0
    snapshot_s: float = 0.0
    faults: int = 0
    replayed: int = 0
    restart_s: float = 0.0
    unreadable: int = 0
    diverged: int = 0
    wal_bytes: int = 0
    jumps: dict[str, int] = field(default_factory=lambda: {"ahead": 0, "back": 0})

    def refuse(self, batches: int, why: str, at: float) -> None:
        """Count batches that could not be committed."""
        self.failures += batches
        self.refusing, self.refused, self.refused_at = True, why, at

    def took(self) -> None:
        """Count a commit of batches."""
        self.commits += 1
        self.refusing, self.refused_at = False, float("-inf")
