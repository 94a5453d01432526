"""batch: from the app's threads to the service, by way of one background thread.

The app's threads only append to a deque and ring a bell; both are single steps
of the interpreter, so a finalizer may do so in the middle of anything. All the
rest (building events, encoding, compressing, sending, files, waiting) happens
in the shipping thread. The one exception is the end: whoever shuts down, and
finds that thread stuck in the network, writes what is left to the spool itself.
"""

from __future__ import annotations

import contextvars
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable

from . import exits, guard, otel
from .attempt import Attempt
from .counts import Stats
from .outgoing import Outgoing, Sink
from .settings import Settings
from .tally import Tally


class Ticket(threading.Event):
    """Set when what its owner waits for is over.

    Attributes:
        impatient: Also when a try has failed.
        spooled: How many batches had been written to the spool before.
        ok: Whether all of it was answered.
    """

    def __init__(self, *, impatient: bool = False, spooled: int = 0) -> None:
        super().__init__()
        self.impatient = impatient
        self.spooled = spooled
        self.ok = False


class Shipper:
    """Takes attempts from any thread, and ships them as events from its own.

    Args:
        settings: Sizes, times and the service's address.
        sinks: Called with each attempt and its event in the shipping thread:
            the log line, the metrics. A sink that raises is counted as a fault.
        clock: Unix seconds, as the machine believes.

    Attributes:
        pid: The process that the shipping thread runs in; None if it does not.
    """

    def __init__(
        self, settings: Settings, sinks: tuple[Sink, ...] = (), *, clock: Callable[[], float] = time.time
    ) -> None:
        self.settings = settings
        self._sinks = sinks
        self._clock = clock
        self._starting = threading.Lock()
        self._reset()
        _shippers.add(self)

    def _reset(self) -> None:
        """Begin anew, as after a fork: what the parent queued is the parent's to send."""
        self._inbox: deque[Attempt] = deque()
        self._bell = threading.Lock()
        self._bell.acquire()
        # Whoever holds it may touch what is outgoing; it is free while the network is waited for.
        self._work = threading.Lock()
        self._tickets: deque[Ticket] = deque()
        self._waiting: list[Ticket] = []
        self._thread: threading.Thread | None = None
        self.pid: int | None = None
        self._stopping = self._ended = False
        self._turns = 0
        self._late = Tally()
        self._out = Outgoing(self.settings, self._sinks, self._work, clock=self._clock)
        self._backlog, self._overflow = self._out.backlog, self._out.overflow

    def after_fork(self) -> None:
        """Forget the parent's queue, thread, connection and spool; in the child only."""
        self._starting = threading.Lock()
        self._out.leave_to_parent()
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
                exits.arm()
        except RuntimeError as error:
            guard.fault("shipper", error)  # the interpreter is shutting down
        finally:
            self._starting.release()

    @property
    def idle(self) -> bool:
        """Whether nothing waits to be sent; False where that cannot be told at once."""
        turns = self._turns
        empty = not (self._inbox or self._out.unsent or self._tickets or self._waiting)
        # Odd: the shipping thread has events in its hands.
        return empty and turns % 2 == 0 and turns == self._turns

    def flush(self, timeout: float, *, impatient: bool = False) -> bool:
        """Send what is queued now; return whether all of it was answered within `timeout` seconds.

        `impatient` gives up at the first try that fails. What is written to the
        spool meanwhile is safe, but was not answered.
        """
        if self.idle:
            return True
        self.ensure_started()
        thread = self._thread
        if thread is None or thread.ident == threading.get_ident():
            return False
        ticket = Ticket(impatient=impatient, spooled=self._out.spooled)
        self._tickets.append(ticket)
        self._ring()
        # One that has just ended may not have seen the ticket.
        return not self._ended and ticket.wait(timeout) and ticket.ok

    def shutdown(self, timeout: float) -> bool:
        """Flush, then stop; return whether nothing was lost. Later attempts are dropped and counted.

        Gives up at the first failure to send; what is left goes to the spool.
        """
        if self._thread is None and not self._inbox:
            self._stopping = True
            return True
        self.ensure_started()
        ticket = Ticket()
        # In this order: who sees that it is to stop finds the ticket too.
        self._tickets.append(ticket)
        self._stopping = True
        self._ring()
        thread = self._thread
        if thread is None:
            return self._take_over(timeout)
        if thread.ident == threading.get_ident():
            return False
        if self._out.spool is None:
            return ticket.wait(timeout) and not self._out.delivery.gave_up
        # Half is for the network, and the other half for the disk if that does not answer.
        if ticket.wait(timeout / 2):
            return not self._out.delivery.gave_up
        return self._take_over(timeout / 2)

    def _take_over(self, timeout: float) -> bool:
        """End in place of the shipping thread, which is stuck or never ran; return whether nothing was lost."""
        if not self._work.acquire(timeout=timeout):
            return False
        try:
            if not self._ended:
                self._out.taken_over = True
                self._end()
        finally:
            self._work.release()
        return not self._out.delivery.gave_up

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
        return self._out.stats(inbox=len(self._inbox), late=self._late.value())

    # -- the shipping thread

    def _run(self) -> None:
        otel.suppress()
        while True:
            stop = self._stopping
            if not stop:
                self._bell.acquire(timeout=self._out.pause_s())
                stop = self._stopping
            with self._work:
                self._turn()
                if stop and not self._ended:
                    self._end()
                if self._ended:
                    # Also when another thread has ended it: that left the connection to this one.
                    self._out.delivery.close()
                    return

    def _turn(self) -> None:
        """Send what can be sent, and write to the spool what cannot, if it is much."""
        if self._ended:
            return
        out = self._out
        self._turns += 1
        try:
            came = [self._tickets.popleft() for _ in range(len(self._tickets))]
            self._waiting += came
            out.take_in(self._inbox)
            if came:
                out.delivery.hurry()
            out.ship(lambda: self._stopping)
            if not out.taken_over:
                out.relieve()
                self._tell()
        except Exception as error:  # noqa: BLE001 - the thread must live on
            guard.fault("shipper", error)
        finally:
            self._turns += 1

    def _end(self) -> None:
        """Write what could not be sent to the spool, give up the rest, and stop; with the work lock."""
        self._ended = True
        out = self._out
        try:
            out.take_in(self._inbox)
            out.write_all()
            if out.unsent:
                out.delivery.abandon(out.backlog.clear())
            # A connection that the shipping thread waits for is left to it.
            if not out.taken_over:
                out.close()
        except Exception as error:  # noqa: BLE001 - whoever waits must be told
            guard.fault("shipper", error)
        # In this order: who comes later finds no thread to wait for.
        self._thread = self.pid = None
        self._waiting += [self._tickets.popleft() for _ in range(len(self._tickets))]
        self._tell()

    def _tell(self) -> None:
        """Wake those whose wait is over."""
        out = self._out
        for ticket in list(self._waiting):
            if self._ended or not out.unsent or (ticket.impatient and out.delivery.away):
                ticket.ok = not out.unsent and not out.delivery.gave_up and out.spooled == ticket.spooled
                self._waiting.remove(ticket)
                ticket.set()


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
