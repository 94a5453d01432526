"""Delivery: one batch at a time, tried until it is answered for good."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from time import monotonic

from . import guard
from .exporter import Answer, Exporter, Outcome
from .packing import Batch, retime
from .settings import Settings
from .spool import Spool

LONGEST_BACKOFF_S = 30.0
MOST_SERVER_ERRORS = 10
"""Answers 5xx to one batch before it is given up: it may be the batch's fault."""

PATIENCE = frozenset({"HTTP 502", "HTTP 503", "HTTP 504", "HTTP 507"})
"""But for these, which say that the service is away, busy, or has no disk left."""


@dataclass(slots=True)
class Counts:
    """What became of batches and their events."""

    sent: int = 0
    rejected: int = 0
    refused: int = 0
    abandoned: int = 0
    batches: int = 0
    retries: int = 0
    from_spool: int = 0


class Delivery:
    """Knows the batch that is sent now, what its answers mean, and when it may be sent again.

    Attributes:
        exporter: None ships nothing.
        spool: None keeps nothing on disk.
        batch: The one that is being sent; None when there is none.
        gave_up: Whether events were abandoned at shutdown.
    """

    def __init__(self, settings: Settings, exporter: Exporter | None, spool: Spool | None = None) -> None:
        self._settings = settings
        self.exporter = exporter
        self.spool = spool
        self.batch: Batch | None = None
        self.counts = Counts()
        self.gave_up = False
        self._failures = 0
        self._tried = ""
        self._server_errors: dict[str, int] = {}
        self._not_before = 0.0
        self._asked_to_wait = False
        self._reported = 0

    @property
    def in_flight(self) -> int:
        """Events in the current batch that are nowhere else."""
        batch = self.batch
        return batch.events if batch is not None and not batch.filed else 0

    @property
    def away(self) -> bool:
        """Whether the last try failed."""
        return self._failures > 0

    def may_send(self, now: float) -> bool:
        """Return whether the pause after the last failure is over."""
        return now >= self._not_before

    def wait_s(self, interval: float) -> float:
        """Return how long the shipping thread may sleep, in seconds."""
        if self.batch is None:
            return interval
        return min(interval, max(0.001, self._not_before - monotonic()))

    def hurry(self) -> None:
        """Try at once, unless the service itself asked for the pause."""
        if not self._asked_to_wait:
            self._not_before = 0.0

    def news_of(self, dropped: int) -> int:
        """Return how many of all dropped events no batch has told of."""
        return max(0, dropped - self._reported)

    def told(self, dropped: int) -> None:
        """Note that a batch tells of so many dropped events, and will reach the service."""
        self._reported += dropped

    def next_try(self) -> Batch:
        """Return the current batch, and note that it is tried."""
        assert self.batch is not None
        self.counts.retries += self.batch.key == self._tried
        self._tried = self.batch.key
        return self.batch

    def settle(self, answer: Answer) -> None:
        """Act on the answer to the current batch."""
        assert self.batch is not None
        batch, self._asked_to_wait = self.batch, False
        if answer.outcome is Outcome.ACCEPTED:
            self._accepted(batch, answer)
        elif answer.outcome is Outcome.REFUSED or self._hopeless(batch, answer):
            self._refused(batch, answer)
        else:
            self._postpone(batch, answer)

    def _accepted(self, batch: Batch, answer: Answer) -> None:
        again = self._retimed(batch, answer)
        self.counts.sent += answer.accepted
        self.counts.from_spool += answer.accepted if batch.filed else 0
        self.counts.rejected += answer.rejected - (again.events if again is not None else 0)
        self.counts.batches += 1
        if not batch.filed:
            self.told(batch.dropped)
        self._done(batch, again and replace(again, dropped=0))
        if answer.rejected and again is None:
            guard.warn_once("rejected", f"{self._settings.url}: events were rejected: {answer.why}")

    def _refused(self, batch: Batch, answer: Answer) -> None:
        again = self._retimed(batch, answer)
        self._done(batch, again)
        if again is not None:
            return
        self.counts.refused += batch.events
        guard.warn_once(
            f"refused {answer.why[:8]}",
            f"{self._settings.url}: a batch was refused and dropped: {answer.why}",
        )

    def _retimed(self, batch: Batch, answer: Answer) -> Batch | None:
        """Return those events with their times put right that were refused for them, if our clock is known to be wrong.

        Once: a batch that was put right and is refused is refused.
        """
        exporter = self.exporter
        if not answer.misdated or batch.retimed or exporter is None or not exporter.skew.correction:
            return None
        try:
            return retime(
                batch,
                [place for place in answer.misdated if 0 <= place < batch.events],
                exporter.skew.correction,
                encoding=exporter.encoding,
                compress=exporter.compress,
            )
        except Exception as error:  # noqa: BLE001 - then they are refused, and counted
            guard.fault("retime", error)
            return None

    def _done(self, batch: Batch, following: Batch | None = None) -> None:
        if batch.filed and self.spool is not None:
            self.spool.done(batch)
        self.batch = following
        self._server_errors.pop(batch.key, None)
        self._failures = 0
        self._not_before = 0.0

    def _hopeless(self, batch: Batch, answer: Answer) -> bool:
        # By key: a batch of the spool is not tried twice in a row.
        errors = self._server_errors.get(batch.key, 0)
        if answer.outcome is Outcome.BUSY and answer.why.startswith("HTTP 5") and answer.why not in PATIENCE:
            self._server_errors[batch.key] = errors = errors + 1
        return errors >= MOST_SERVER_ERRORS

    def _postpone(self, batch: Batch, answer: Answer) -> None:
        pause = min(LONGEST_BACKOFF_S, self._settings.backoff_s * 2.0 ** min(self._failures, 16))
        self._failures += 1
        # Jitter, or all processes of an app would come back at the same moment.
        pause *= random.uniform(0.5, 1.0)  # noqa: S311
        if answer.retry_after_s is not None:
            pause = max(pause, answer.retry_after_s)
            self._asked_to_wait = True
        self._not_before = monotonic() + pause
        if batch.filed and self.spool is not None:
            # It is safe where it is, and what happens now is tried before it.
            self.spool.unsend(batch)
            self.batch = None
        if self._failures > 1:
            guard.warn_once(
                "unreached", f"{self._settings.url}: {answer.why}: events wait and are sent again; is it up?"
            )

    def abandon(self, waiting: int) -> None:
        """Give up the current batch and `waiting` further events, because the process ends."""
        lost = self.in_flight + waiting
        self.counts.abandoned += lost
        self.gave_up = self.gave_up or lost > 0
        self.batch = None

    def close(self) -> None:
        """Let the connection go."""
        if self.exporter is not None:
            self.exporter.close()
