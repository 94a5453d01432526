"""KafkaWriter: what an ingest node takes -> the topic, acknowledged by the brokers, then the answers.

A batch is unpacked by whoever brings it, and cut by app and environment in a thread of its own; it is answered once all
of its parts are acknowledged. If one is not, it is sent again, and what was acknowledged counts once, by its key.

≠ what is known already, where the log is.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future

import structlog

from ..storage import envelope
from ..storage.errors import StorageError
from ..storage.topics import LogError, Producer
from ..unpacking import Unpacked, unpack
from ..work import Ingest, Taken
from .envelopes import envelopes, partition_key
from .inbox_writer import WriterTally
from .pause import Pause

MOST = 2_000
"""Batches that are not acknowledged yet."""

MOST_BYTES = 64 * 1024 * 1024
"""Bytes of them, as they are stored."""

_log = structlog.get_logger(__name__)


class KafkaWriter:
    """A `Taker` that writes to a topic.

    Attributes:
        tally: What it has done.
        full: Why nothing more may wait in the inbox; "" as nothing does.
    """

    def __init__(self, producer: Producer, *, node: str, prepare: Callable[[], object] = lambda: None) -> None:
        """Take the parts over.

        Args:
            producer: Closed at the end.
            node: Who takes it, for whoever looks at a message.
            prepare: Sees that the topic is there, or raises StorageError; called until it does, before anything is
                written.
        """
        self.tally = WriterTally()
        self.full = ""
        self._producer = producer
        self._prepare = prepare
        self._away = "log: not reached yet: send again later"
        self._closing = threading.Event()
        self._node = node
        self._queue: queue.SimpleQueue[tuple[_Waiting, Unpacked] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = self._waiting_bytes = 0
        self._thread = threading.Thread(target=self._run, name="claxon-log", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is queued, if the brokers answer, and end."""
        self._closing.set()
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join()
        self._producer.close()

    # ── for the event loop ────────────────────────────────────────────────────

    @property
    def refusal(self) -> str:
        """Why nothing can be taken for a while; "" if it can."""
        if self._away:
            return self._away
        why = self._producer.unready
        return f"log: away: {why}: send again later" if why else ""

    @property
    def waiting(self) -> int:
        """How many batches are not cut yet; those that wait for brokers have their own limit."""
        return self._queue.qsize()

    @property
    def waiting_bytes(self) -> int:
        """How much of events is not acknowledged yet, in bytes as they are stored."""
        return self._waiting_bytes

    def ingest(self, work: Ingest) -> Future[Taken]:
        """Have a batch written down; the future says what its sender is told once all of it is acknowledged."""
        unpacked = unpack(work)
        if unpacked is None:
            return work.done
        waiting = _Waiting(self, unpacked)
        if self._away or not self._admit(waiting):
            _refuse(work, LogError(self._away or "log: too much waits for the brokers"))
            self.tally.failures += 1
            return work.done
        self._queue.put((waiting, unpacked))
        return work.done

    async def spans_come(self, now: float) -> None:
        """Do nothing: the envelope says so, and who evaluates notes it before."""

    def _admit(self, waiting: _Waiting) -> bool:
        with self._lock:
            if self._waiting >= MOST or self._waiting_bytes >= MOST_BYTES:
                return False
            self._waiting += 1
            self._waiting_bytes += waiting.size
        return True

    # ── the thread that cuts ──────────────────────────────────────────────────

    def _run(self) -> None:
        self._reach()
        while (next_ := self._queue.get()) is not None:
            waiting, unpacked = next_
            try:
                self._send(waiting, unpacked)
            except Exception as fault:  # noqa: BLE001 — it is this batch's, and the thread must go on
                _log.exception("batch.not_sent")
                waiting.failed(LogError(f"log: {type(fault).__name__}"))

    def _reach(self) -> None:
        """Return once the topic is there, or it is to end."""
        pause = Pause(self._closing)
        while not self._closing.is_set():
            try:
                self._prepare()
            except StorageError as fault:
                said = f"log: away: {fault}: send again later"
                if said != self._away:
                    _log.warning("log.away", error=str(fault))
                self._away = said
                pause.wait()
            else:
                self._away = ""
                return

    def _send(self, waiting: _Waiting, unpacked: Unpacked) -> None:
        parts = envelopes(unpacked.work, unpacked.batch, unpacked.stored, node=self._node)
        unpacked.batch.events = []
        waiting.left = len(parts)
        if not parts:
            waiting.settle()
        for part in parts:
            try:
                self._producer.send(partition_key(part), envelope.write(part), waiting.told)
            except LogError as fault:
                # The others are of no use: all is sent again.
                waiting.failed(fault)
                return

    def settled(self, waiting: _Waiting) -> None:
        """Take note that a batch waits no longer; called by any thread."""
        with self._lock:
            self._waiting -= 1
            self._waiting_bytes -= waiting.size
            if waiting.fault is None:
                self.tally.batches += 1
                self.tally.events += waiting.n
                self.tally.commits += 1
            else:
                self.tally.failures += 1
                self.tally.faults += 1


class _Waiting:
    """A batch whose parts are on their way.

    Attributes:
        size: Of it, in bytes as it is stored.
        n: How many events it holds.
        left: How many of them are.
        fault: Why one of them is not acknowledged.
    """

    def __init__(self, writer: KafkaWriter, unpacked: Unpacked) -> None:
        self.work = unpacked.work
        self.taken = unpacked.taken(unpacked.answer)
        self.size = len(unpacked.stored)
        self.n = len(unpacked.batch.events)
        self.left = 0
        self.fault: LogError | None = None
        self._writer = writer
        self._lock = threading.Lock()
        self._settled = False

    def told(self, fault: LogError | None) -> None:
        """Take what became of a part, from a thread of the producer's."""
        if fault is not None:
            self.failed(fault)
            return
        with self._lock:
            self.left -= 1
            done = self.left == 0
        if done:
            self.settle()

    def failed(self, fault: LogError) -> None:
        """Refuse the batch, unless it is answered."""
        with self._lock:
            self.fault = self.fault or fault
        self.settle()

    def settle(self) -> None:
        """Answer, once."""
        with self._lock:
            if self._settled:
                return
            self._settled = True
        self._writer.settled(self)
        if self.fault is not None:
            _refuse(self.work, self.fault)
        # A sender that hung up before has sent its events all the same.
        elif self.work.done.set_running_or_notify_cancel():
            self.work.done.set_result(self.taken)


def _refuse(work: Ingest, fault: LogError) -> None:
    if work.done.set_running_or_notify_cancel():
        work.done.set_exception(fault)
