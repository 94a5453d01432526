"""Delivery: one batch at a time, tried until it is answered for good."""

from __future__ import annotations

import random
from dataclasses import dataclass
from time import monotonic

from . import guard
from .exporter import Answer, Batch, Exporter, Outcome
from .settings import Settings

LONGEST_BACKOFF_S = 30.0
MOST_SERVER_ERRORS = 10
"""Answers 5xx to one batch, other than 502 to 504, before it is given up: it may be the batch's fault."""


@dataclass(slots=True)
class Counts:
    """What became of batches and their events."""

    sent: int = 0
    rejected: int = 0
    refused: int = 0
    abandoned: int = 0
    batches: int = 0
    retries: int = 0


class Delivery:
    """Sends the current batch, and knows when it may be sent again.

    Attributes:
        exporter: None ships nothing.
        batch: The one that is being sent; None when there is none.
        gave_up: Whether events were abandoned at shutdown.
    """

    def __init__(self, settings: Settings, exporter: Exporter | None) -> None:
        self._settings = settings
        self.exporter = exporter
        self.batch: Batch | None = None
        self.counts = Counts()
        self.gave_up = False
        self._failures = 0
        self._server_errors = 0
        self._not_before = 0.0
        self._asked_to_wait = False
        self._reported = 0

    @property
    def in_flight(self) -> int:
        """Events in the current batch."""
        batch = self.batch
        return batch.events if batch is not None else 0

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
        """Return how many of all dropped events no accepted batch has told of."""
        return max(0, dropped - self._reported)

    def send(self, *, stopping: bool) -> None:
        """Try the current batch once, and act on the answer. `stopping` allows no second try."""
        assert self.batch is not None
        assert self.exporter is not None
        batch, self._asked_to_wait = self.batch, False
        answer = self.exporter.send(batch)
        if answer.outcome is Outcome.ACCEPTED:
            self._accepted(batch, answer)
        elif answer.outcome is Outcome.REFUSED or self._hopeless(answer):
            self._refused(batch, answer)
        elif stopping:
            self.abandon(0)
        else:
            self._postpone(answer)

    def _accepted(self, batch: Batch, answer: Answer) -> None:
        self.counts.sent += answer.accepted
        self.counts.rejected += answer.rejected
        self.counts.batches += 1
        self._reported += batch.dropped
        self._done()
        if answer.rejected:
            guard.warn_once("rejected", f"{self._settings.url}: events were rejected: {answer.why}")

    def _refused(self, batch: Batch, answer: Answer) -> None:
        self.counts.refused += batch.events
        self._done()
        guard.warn_once(
            f"refused {answer.why[:8]}",
            f"{self._settings.url}: a batch was refused and dropped: {answer.why}",
        )

    def _done(self) -> None:
        self.batch = None
        self._failures = self._server_errors = 0
        self._not_before = 0.0

    def _hopeless(self, answer: Answer) -> bool:
        if answer.outcome is Outcome.BUSY and answer.why.startswith("HTTP 5"):
            self._server_errors += answer.why not in ("HTTP 502", "HTTP 503", "HTTP 504")
        return self._server_errors >= MOST_SERVER_ERRORS

    def _postpone(self, answer: Answer) -> None:
        self.counts.retries += 1
        pause = min(LONGEST_BACKOFF_S, self._settings.backoff_s * 2.0 ** min(self._failures, 16))
        self._failures += 1
        # Jitter, or all processes of an app would come back at the same moment.
        pause *= random.uniform(0.5, 1.0)  # noqa: S311
        if answer.retry_after_s is not None:
            pause = max(pause, answer.retry_after_s)
            self._asked_to_wait = True
        self._not_before = monotonic() + pause
        if self._failures > 1:
            guard.warn_once(
                "unreached", f"{self._settings.url}: {answer.why}: events wait and are sent again; is it up?"
            )

    def abandon(self, waiting: int) -> None:
        """Give up the current batch and `waiting` further events, because the process ends."""
        self.counts.abandoned += self.in_flight + waiting
        self.gave_up = self.gave_up or self.in_flight + waiting > 0
        self.batch = None

    def close(self) -> None:
        """Let the connection go."""
        if self.exporter is not None:
            self.exporter.close()
