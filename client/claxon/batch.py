"""batch: from the app's threads to the service, by way of one background thread.

The app's threads only append to a deque and ring a bell; both are single steps
of the interpreter, so a finalizer may do so in the middle of anything. All the
rest (building events, encoding, compressing, sending, waiting) happens in the
shipping thread.
"""

from __future__ import annotations

import contextvars
import os
import threading
import uuid
import weakref
from collections import deque
from collections.abc import Callable
from time import monotonic

import msgspec

from . import guard, otel
from .attempt import Attempt
from .backlog import Backlog
from .counts import Stats
from .delivery import Delivery
from .event import Event
from .exporter import Batch, Exporter
from .recording import to_event
from .settings import Settings
from .tally import Tally

LARGEST_BODY = 900 * 1024
"""Bytes of one request's JSON, before compression."""

Sink = Callable[[Attempt, Event], None]


class Shipper:
    """Takes attempts from any thread, and ships them as events from its own.

    Args:
        settings: Sizes, times and the service's address.
        sinks: Called with each attempt and its event in the shipping thread:
            the log line, the metrics. A sink that raises is counted as a fault.

    Attributes:
        pid: The process that the shipping thread runs in; None if it does not.
    """

    def __init__(self, settings: Settings, sinks: tuple[Sink, ...] = ()) -> None:
        self.settings = settings
        self._sinks = sinks
        self._starting = threading.Lock()
        self._reset()
        _shippers.add(self)

    def _reset(self) -> None:
        """Begin anew, as after a fork: what the parent queued is the parent's to send."""
        self._inbox: deque[Attempt] = deque()
        self._bell = threading.Lock()
        self._bell.acquire()
        self._tickets: deque[threading.Event] = deque()
        self._thread: threading.Thread | None = None
        self.pid: int | None = None
        self._stopping = False
        self._overflow = Tally()
        self._late = Tally()
        self._broken = Tally()
        self._backlog = Backlog(self.settings.queue_size)
        exporter = Exporter(self.settings) if self.settings.url else None
        self._delivery = Delivery(self.settings, exporter)
        self._encode = msgspec.json.Encoder().encode

    def after_fork(self) -> None:
        """Forget the parent's queue, thread and connection; in the child only."""
        self._starting = threading.Lock()
        self._delivery.close()
        self._reset()

    # -- any thread

    def put(self, attempt: Attempt) -> None:
        """Take an attempt; re-entrant, never blocks. When full, successes go before errors."""
        if self._stopping:
            self._late.add()
            return
        inbox = self._inbox
        waiting = len(inbox) + self._backlog.size
        # The shipping thread makes room for errors by dropping successes; twice the size is the end.
        if waiting >= self.settings.queue_size and not (attempt.failed and len(inbox) < 2 * self.settings.queue_size):
            self._overflow.add()
            return
        inbox.append(attempt)
        if attempt.failed or len(inbox) % self.settings.batch_size == 0:
            self._ring()

    def _ring(self) -> None:
        try:  # noqa: SIM105 - `suppress` costs more than all of the rest
            self._bell.release()
        except RuntimeError:
            pass  # it rings already

    def ensure_started(self) -> None:
        """Start the shipping thread if it does not run in this process. Not for finalizers."""
        if self.pid == os.getpid():
            return
        # Not waited for: whoever holds it is starting the thread already.
        if self._stopping or not self._starting.acquire(blocking=False):
            return
        try:
            if self.pid not in (None, os.getpid()):
                self._reset()
            if self._thread is None:
                # An empty context: no span or tag of the app's is the shipping's.
                context = contextvars.Context()
                thread = threading.Thread(target=context.run, args=(self._run,), name="claxon-shipper", daemon=True)
                thread.start()
                self._thread, self.pid = thread, os.getpid()
        except RuntimeError as error:
            guard.fault("shipper", error)  # the interpreter is shutting down
        finally:
            self._starting.release()

    def flush(self, timeout: float) -> bool:
        """Send what is queued now; return whether all of it was answered within `timeout` seconds."""
        self.ensure_started()
        if self._thread is None:
            return not self._inbox
        done = threading.Event()
        self._tickets.append(done)
        self._ring()
        return done.wait(timeout)

    def shutdown(self, timeout: float) -> bool:
        """Flush, then stop; later attempts are dropped and counted. Gives up at the first failure to send."""
        if self._thread is None and not self._inbox:
            self._stopping = True
            return True
        self.ensure_started()
        done = threading.Event()
        # In this order: who sees that it is to stop finds the ticket too.
        self._tickets.append(done)
        self._stopping = True
        self._ring()
        return done.wait(timeout) and not self._delivery.gave_up

    @property
    def stopped(self) -> bool:
        """Whether it takes no more attempts."""
        return self._stopping

    def retire(self) -> None:
        """Send what is queued, once, and stop, without anybody waiting for it."""
        self._stopping = True
        self._ring()

    def stats(self) -> Stats:
        """Return what became of the events so far."""
        counts = self._delivery.counts
        dropped = {
            "queue_full": self._overflow.value() + self._backlog.dropped,
            "refused": counts.refused,
            "shutdown": self._late.value() + counts.abandoned,
            "fault": self._broken.value(),
        }
        return Stats(
            queued=len(self._inbox) + self._backlog.size + self._delivery.in_flight,
            sent=counts.sent,
            rejected=counts.rejected,
            dropped={reason: count for reason, count in dropped.items() if count},
            batches=counts.batches,
            retries=counts.retries,
            faults=guard.faults.value(),
        )

    # -- the shipping thread

    def _run(self) -> None:
        otel.suppress()
        waiting: list[threading.Event] = []
        while True:
            stop = self._stopping
            try:
                if not stop:
                    self._bell.acquire(timeout=self._delivery.wait_s(self.settings.interval_s))
                    stop = self._stopping
                self._turn(waiting)
            except Exception as error:  # noqa: BLE001 - the thread must live on
                guard.fault("shipper", error)
            if stop:
                self._end(waiting)
                return

    def _turn(self, waiting: list[threading.Event]) -> None:
        """Send what can be sent; `waiting` are the flushes that wait for all of it."""
        came = [self._tickets.popleft() for _ in range(len(self._tickets))]
        waiting += came
        self._drain()
        if came:
            self._delivery.hurry()
        self._ship()
        if not self._unsent():
            _tell(waiting)

    def _end(self, waiting: list[threading.Event]) -> None:
        """Give up what could not be sent, and stop."""
        late = len(self._inbox)
        self._inbox.clear()
        if late or self._unsent():
            self._delivery.abandon(self._backlog.clear() + late)
        self._delivery.close()
        # In this order: who comes later finds no thread to wait for.
        self._thread = self.pid = None
        _tell([*waiting, *self._tickets])

    def _unsent(self) -> bool:
        return bool(self._backlog.size or self._delivery.in_flight)

    def _drain(self) -> None:
        """Make events of what lies in the inbox."""
        for _ in range(len(self._inbox)):
            attempt = self._inbox.popleft()
            try:
                event = to_event(attempt, self.settings)
                self._backlog.add(self._encode(event), failed=attempt.failed)
            except Exception as error:  # noqa: BLE001 - one bad event must not stop the others
                self._broken.add()
                guard.fault("recording", error)
                continue
            for sink in self._sinks:
                try:
                    sink(attempt, event)
                except Exception as error:  # noqa: BLE001 - as above
                    guard.fault("sink", error)

    def _ship(self) -> None:
        """Send batch after batch, until nothing is left or the service wants a pause."""
        delivery = self._delivery
        if delivery.exporter is None:
            self._backlog.clear()
            return
        while delivery.may_send(monotonic()) and not delivery.gave_up:
            if delivery.batch is None:
                events = self._backlog.take(self.settings.batch_size, LARGEST_BODY)
                if not events:
                    return
                try:
                    delivery.batch = self._pack(events)
                except Exception as error:  # noqa: BLE001 - what cannot be packed must not stop the rest
                    self._broken.add(len(events))
                    guard.fault("pack", error)
                    continue
            delivery.send(stopping=self._stopping)

    def _pack(self, events: list[bytes]) -> Batch:
        exporter = self._delivery.exporter
        assert exporter is not None
        dropped = self._overflow.value() + self._backlog.dropped + self._delivery.counts.refused
        return Batch(
            body=exporter.compress(b"[" + b",".join(events) + b"]"),
            encoding=exporter.encoding,
            key=uuid.uuid4().hex,
            events=len(events),
            dropped=self._delivery.news_of(dropped),
        )


def _tell(waiting: list[threading.Event]) -> None:
    for done in waiting:
        done.set()
    waiting.clear()


_shippers: weakref.WeakSet[Shipper] = weakref.WeakSet()


def _after_fork() -> None:
    """Give the child a queue and, at its first call, a thread of its own."""
    guard.faults.renew()
    for shipper in list(_shippers):
        try:
            shipper.after_fork()
        except Exception as error:  # noqa: BLE001 - the app's fork must not fail
            guard.fault("fork", error)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
