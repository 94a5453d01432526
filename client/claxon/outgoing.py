"""outgoing: what waits, in memory and on disk, and how it leaves; for whoever holds the work lock.

In memory events go in the order in which they came. The spool is sent beside
them, the oldest batch first, at a bounded rate: what happens now is what
somebody can still be woken for.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

import msgspec

from . import guard
from .attempt import Attempt
from .backlog import Backlog, Waiting
from .counting import count
from .counts import Stats
from .delivery import Delivery
from .event import Event
from .exporter import Exporter
from .packing import Batch, pack
from .recording import to_event
from .settings import Settings
from .spool import open_spool
from .tally import Tally

LARGEST_BODY = 900 * 1024
"""Bytes of one request's JSON, before compression."""

DRAIN_S = 0.1
"""Seconds between two batches of the spool, so that the service is not flooded when it is back."""

DISK_PAUSE_S = 30.0
"""Seconds before a spool that could not be written to, or read, is tried again."""

Sink = Callable[[Attempt, Event], None]


class Outgoing:
    """Events that wait to be sent.

    Args:
        settings: Sizes, times, the service's address, the spool's folder.
        sinks: Called with each attempt and its event.
        work: The lock that callers hold; let go while the network is waited for.
        clock: Unix seconds.

    Attributes:
        overflow: Events that found the queue full.
        broken: Events that could not be made or packed.
        spooled: Batches written to the spool.
        taken_over: Whether another thread has ended this; nothing may be touched then.
    """

    def __init__(
        self,
        settings: Settings,
        sinks: tuple[Sink, ...],
        work: threading.Lock,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._sinks = sinks
        self._work = work
        self._encode = msgspec.json.Encoder().encode
        self._drain_at = self._disk_at = 0.0
        self.overflow = Tally()
        self.broken = Tally()
        self.spooled = 0
        self.taken_over = False
        self.backlog = Backlog(settings.queue_size)
        self.spool = open_spool(settings)
        exporter = Exporter(settings, clock=clock) if settings.url else None
        self.delivery = Delivery(settings, exporter, self.spool)

    @property
    def unsent(self) -> int:
        """Events that are in memory only."""
        return self.backlog.size + self.delivery.in_flight

    def close(self) -> None:
        """Let the connection go, and another process send what is in the spool."""
        self.delivery.close()
        if self.spool is not None:
            self.spool.close()

    def leave_to_parent(self) -> None:
        """Let go, in a forked child, what its parent goes on using."""
        if self.spool is not None:
            self.spool.close()
        if self.delivery.exporter is not None:
            self.delivery.exporter.leave_to_parent()

    def pause_s(self) -> float:
        """Return how long to sleep if nobody rings; the lock is not needed."""
        pause = self.delivery.wait_s(self._settings.interval_s)
        if self.spool is not None and self.spool.sending and not self.delivery.away:
            return min(pause, max(0.001, self._drain_at - monotonic()))
        return pause

    def take_in(self, inbox: deque[Attempt]) -> None:
        """Make events of what lies in the inbox."""
        exporter = self.delivery.exporter
        for _ in range(len(inbox)):
            attempt = inbox.popleft()
            try:
                event = to_event(attempt, self._settings)
                if exporter is not None and exporter.skew.correction:
                    event.time = round(attempt.time + exporter.skew.correction, 6)
                self.backlog.add(self._encode(event), failed=attempt.failed, at=attempt.time)
            except Exception as error:  # noqa: BLE001 - one bad event must not stop the others
                self.broken.add()
                guard.fault("recording", error)
                continue
            for sink in self._sinks:
                try:
                    sink(attempt, event)
                except Exception as error:  # noqa: BLE001 - as above
                    guard.fault("sink", error)

    def ship(self, stopping: Callable[[], bool]) -> None:
        """Send batch after batch, until nothing is left or the service wants a pause.

        Once `stopping`, the first failure is the last, and none is needed where there is a spool.
        """
        delivery = self.delivery
        if delivery.exporter is None:
            self.backlog.clear()
            return
        failed = self.spool is not None and delivery.away
        while delivery.may_send(monotonic()) and not (stopping() and failed):
            if delivery.batch is None and not (self._load() or (not stopping() and self._load_spooled())):
                return
            self._exchange(delivery.exporter)
            if self.taken_over:
                return
            failed = delivery.away

    def _exchange(self, exporter: Exporter) -> None:
        """Try the current batch once, without the work lock."""
        batch = self.delivery.next_try()
        self._work.release()
        try:
            answer = exporter.send(batch)
        finally:
            self._work.acquire()
        if not self.taken_over:
            self.delivery.settle(answer)

    def _load(self) -> bool:
        """Make the next batch of what waits in memory; return whether there is one."""
        while waiting := self.backlog.take(self._settings.batch_size, LARGEST_BODY):
            try:
                self.delivery.batch = self._pack(waiting)
            except Exception as error:  # noqa: BLE001 - what cannot be packed must not stop the rest
                self.broken.add(len(waiting))
                guard.fault("pack", error)
                continue
            return True
        return False

    def _load_spooled(self) -> bool:
        """Take the next batch of the spool, if it is time for one; return whether there is one."""
        now = monotonic()
        if self.spool is None or now < self._drain_at:
            return False
        self._drain_at = now + DRAIN_S
        try:
            self.delivery.batch = self.spool.oldest()
        except OSError as error:
            self._drain_at = now + DISK_PAUSE_S
            guard.warn_once("spool read", f"spool: {error}: what lies there is not sent; may it be read?")
            return False
        return self.delivery.batch is not None

    def _pack(self, waiting: Sequence[Waiting], *, tells: bool = True) -> Batch:
        """Return a batch; one that `tells` also says how many events were dropped before it."""
        exporter = self.delivery.exporter
        assert exporter is not None
        dropped = self.overflow.value() + self.backlog.dropped + self.delivery.counts.refused
        if self.spool is not None:
            dropped += self.spool.dropped
        return pack(
            waiting,
            encoding=exporter.encoding,
            compress=exporter.compress,
            dropped=self.delivery.news_of(dropped) if tells else 0,
        )

    def relieve(self) -> None:
        """While the service is away, write all full batches to the spool: memory keeps less than one."""
        if self.spool is None or not self.delivery.away:
            return
        while self.backlog.size >= self._settings.batch_size and monotonic() >= self._disk_at:
            # A file may be dropped, and what it tells with it: only the last ones tell.
            self._write_oldest(tells=False)

    def _write_oldest(self, *, tells: bool) -> None:
        """Write the oldest events to the spool, successes and errors apart; what cannot be written waits as before."""
        waiting = self.backlog.take(self._settings.batch_size, LARGEST_BODY)
        try:
            for failed in (False, True):
                group = [one for one in waiting if one.failed is failed]
                if group:
                    self._write(self._pack(group, tells=tells))
                waiting = [one for one in waiting if one.failed is not failed]
        except Exception as error:  # noqa: BLE001 - a full disk is no reason to lose what memory can hold
            self.backlog.put_back(waiting)
            self._not_written(error)

    def _write(self, batch: Batch) -> None:
        assert self.spool is not None
        written, full = self.spool.written, self.spool.full
        self.spool.write(batch)
        self.delivery.told(batch.dropped)
        count("spooled", self.spool.written - written)
        count("spool_dropped", self.spool.full - full)
        self.spooled += 1

    def _not_written(self, error: Exception) -> None:
        self._disk_at = monotonic() + DISK_PAUSE_S
        guard.warn_once("spool write", f"spool: {error}: events wait in memory; is there space, and may it be written?")

    def write_all(self) -> None:
        """Write all that is in memory to the spool; what cannot be written stays."""
        delivery = self.delivery
        if self.spool is None or not self.unsent:
            return
        try:
            if delivery.batch is not None and not delivery.batch.filed:
                self._write(delivery.batch)
            delivery.batch = None
        except Exception as error:  # noqa: BLE001 - as in _write_oldest
            self._not_written(error)
            return
        self._disk_at = 0.0
        while self.backlog.size and monotonic() >= self._disk_at:
            self._write_oldest(tells=True)

    def stats(self, *, inbox: int, late: int) -> Stats:
        """Return what became of the events so far.

        Args:
            inbox: How many attempts are no events yet.
            late: How many came after the end.
        """
        delivery, spool = self.delivery, self.spool
        counts, exporter = delivery.counts, delivery.exporter
        dropped = {
            "queue_full": self.overflow.value() + self.backlog.dropped,
            "refused": counts.refused,
            "shutdown": late + counts.abandoned,
            "fault": self.broken.value(),
        }
        if spool is not None:
            dropped |= {"spool_full": spool.full, "spool_old": spool.old, "spool_torn": spool.torn}
        return Stats(
            queued=inbox + self.unsent,
            sent=counts.sent,
            rejected=counts.rejected,
            dropped={reason: count for reason, count in dropped.items() if count},
            batches=counts.batches,
            retries=counts.retries,
            faults=guard.faults.value(),
            spooled=spool.written if spool is not None else 0,
            spool_sent=counts.from_spool,
            spool_waiting=spool.waiting if spool is not None else 0,
            clock_skew_s=exporter.skew.seconds if exporter is not None else None,
        )
