"""Delivery: outbox -> receivers, one worker an integration, so that one that hangs delays no other.

≠ rules, vendors' formats.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import structlog

from alerts.decisions import Decision, What
from alerts.notification import Notification, Status
from alerts.retries import next_attempt

from .core import Core
from .receivers import Answer, DeliveryError, Reason, Receiver
from .storage import outbox
from .storage.outbox import Delivery

_IDLE_S = 30.0
"""How long a worker sleeps when nothing waits; new rows wake it at once."""

_FAREWELL_S = 30.0
"""How long a worker that leaves may go on with what it sends."""

T = TypeVar("T")

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Deliveries:
    """How deliveries ended, by (target, outcome); for metrics."""

    outcomes: dict[tuple[str, str], int]

    def count(self, target: str, outcome: str) -> None:
        """Count one attempt's outcome: `delivered`, or the reason it failed."""
        self.outcomes[target, outcome] = self.outcomes.get((target, outcome), 0) + 1


@dataclass(slots=True)
class _Worker:
    """Who sends to one integration.

    Attributes:
        target: "receiver/kind/index".
        wake: Set when there may be something to send.
        sending: Held while a notification is on its way, so that no receiver is closed under it.
        leaving: The configuration no longer has the integration.
        task: What runs.
    """

    target: str
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    leaving: bool = False
    task: asyncio.Task[None] | None = None


class Deliverer:
    """Sends what the outbox holds, at least once, until each row's deadline."""

    def __init__(self, core: Core, receivers: dict[str, Receiver], *, clock: Callable[[], float]) -> None:
        self.deliveries = Deliveries({})
        self._core = core
        self._receivers = receivers
        self._clock = clock
        self._workers: dict[str, _Worker] = {}
        # What a receiver took and the outbox could not note yet: a full disk must not page again and again.
        self._taken: dict[int, str] = {}

    @property
    def receivers(self) -> dict[str, Receiver]:
        """Who is sent to, by "receiver/kind/index"."""
        return self._receivers

    @property
    def integrations(self) -> tuple[str, ...]:
        """Every "receiver/kind/index" of the configuration."""
        return tuple(self._receivers)

    def targets(self, notification: Notification) -> list[str]:
        """Return the integrations that a notification goes to."""
        return [
            target
            for target, receiver in self._receivers.items()
            if target.rpartition("/")[0].rpartition("/")[0] == notification.receiver
            and (receiver.send_resolved or notification.status is Status.FIRING)
        ]

    def start(self) -> None:
        """Start the workers on the running event loop."""
        loop = asyncio.get_running_loop()
        self._core.on_outbox = partial(_wake_from_thread, loop, self.wake)
        self._employ()

    async def stop(self) -> None:
        """Stop the workers; what is not delivered stays in the outbox."""
        tasks = [worker.task for worker in self._workers.values() if worker.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for receiver in self._receivers.values():
            await receiver.close()

    def wake(self) -> None:
        """Have every worker look at the outbox now."""
        for worker in self._workers.values():
            worker.wake.set()

    @property
    def alive(self) -> bool:
        """Whether every worker runs."""
        return all(worker.task is not None and not worker.task.done() for worker in self._workers.values())

    # ── other receivers ───────────────────────────────────────────────────────

    def adopt(self, receivers: dict[str, Receiver]) -> dict[str, Receiver]:
        """Send to these from now on, and return those so far; any thread may. `settle` follows."""
        before, self._receivers = self._receivers, receivers
        return before

    async def settle(self, before: dict[str, Receiver]) -> None:
        """Have a worker for each receiver, and let go of those that are not sent to any more."""
        self._employ()
        gone = [self._workers.pop(target) for target in before.keys() - self._receivers.keys()]
        for worker in gone:
            worker.leaving = True
            worker.wake.set()
        for worker in gone:
            await _end(worker)
        for target, receiver in before.items():
            if self._receivers.get(target) is not receiver:
                await self._close(target, receiver)

    async def _close(self, target: str, receiver: Receiver) -> None:
        worker = self._workers.get(target)
        async with worker.sending if worker is not None else contextlib.nullcontext():
            await receiver.close()

    def _employ(self) -> None:
        for target in self._receivers.keys() - self._workers.keys():
            worker = self._workers[target] = _Worker(target)
            worker.task = asyncio.create_task(self._work(worker), name=f"deliver {target}")

    # ── one integration ───────────────────────────────────────────────────────

    async def _work(self, worker: _Worker) -> None:
        while not worker.leaving:
            try:
                await self._deliver_next(worker)
            except Exception:  # noqa: BLE001
                # A fault of ours must not end the worker; the row stays and is tried again.
                _log.exception("delivery.faulted", target=worker.target)
                await asyncio.sleep(5)

    async def _deliver_next(self, worker: _Worker) -> None:
        worker.wake.clear()
        now = self._clock()
        due, next_at = await self._in_core(lambda: outbox.next_due(self._core.connection, worker.target, now))
        if due is not None:
            async with worker.sending:
                await self._deliver(due)
            return
        pause = _IDLE_S if next_at is None else min(max(next_at - now, 0.01), _IDLE_S)
        # Not wait_for: until 3.12 it can swallow the cancellation that ends the worker.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await worker.wake.wait()

    async def _deliver(self, delivery: Delivery) -> None:
        if delivery.id in self._taken:
            await self._note_taken(delivery)
            return
        receiver = self._receivers.get(delivery.target)
        if receiver is None:
            return
        try:
            answer = await receiver.send(delivery.notification)
        except DeliveryError as fault:
            await self._failed(delivery, fault)
            return
        except Exception as fault:  # noqa: BLE001
            # A row that a receiver stumbles over must not block those behind it.
            _log.exception("delivery.faulted", target=delivery.target)
            said = f"{delivery.target}: a fault of Claxon's own ({type(fault).__name__}): its log says more"
            await self._failed(delivery, DeliveryError(said, reason=Reason.SERVER))
            return
        await self._delivered(delivery, answer)

    async def _delivered(self, delivery: Delivery, answer: Answer) -> None:
        now = self._clock()
        said = f"{answer.status or ''} {answer.text}".strip() or "taken"
        self._taken[delivery.id] = said
        self.deliveries.count(delivery.target, "delivered")
        await self._note(delivery, What.DELIVERED, now, said)
        _log.info(
            "notification.delivered",
            target=delivery.target,
            status=delivery.notification.status.value,
            dedup_key=delivery.notification.dedup_key,
            after_s=round(now - delivery.created_at, 3),
        )
        await self._note_taken(delivery)

    async def _note_taken(self, delivery: Delivery) -> None:
        """Note in the outbox that a delivery was taken."""
        now, said = self._clock(), self._taken[delivery.id]
        await self._in_core(
            lambda: outbox.end(self._core.connection, delivery.id, state="delivered", now=now, answer=said)
        )
        del self._taken[delivery.id]

    async def _failed(self, delivery: Delivery, fault: DeliveryError) -> None:
        now = self._clock()
        again = next_attempt(
            attempts=delivery.attempts + 1,
            retryable=fault.retryable,
            retry_after=fault.retry_after,
            now=now,
            deadline=delivery.deadline,
            jitter=random.random(),  # noqa: S311 — spreads retries, guards nothing
        )
        self.deliveries.count(delivery.target, fault.reason.value)
        said = str(fault)
        if again is None:
            _log.error("delivery.failed", target=delivery.target, reason=fault.reason.value, error=said)
            await self._note(delivery, What.FAILED, now, said)
            await self._in_core(
                lambda: outbox.end(self._core.connection, delivery.id, state="failed", now=now, answer=said)
            )
            return
        _log.warning(
            "delivery.deferred",
            target=delivery.target,
            reason=fault.reason.value,
            error=said,
            next_in_s=round(again - now, 1),
        )
        await self._in_core(lambda: outbox.defer(self._core.connection, delivery.id, next_at=again, answer=said))

    async def _note(self, delivery: Delivery, what: What, now: float, said: str) -> None:
        alert = delivery.notification.alerts[0]
        note = f"{delivery.notification.status.value} to {delivery.target}: {said}"[:300]
        row = Decision(
            at=now,
            what=what,
            subject=alert.fingerprint,
            labels=alert.labels,
            value={"attempts": delivery.attempts + 1, "after_s": round(now - delivery.created_at, 3)},
            note=note,
        )
        await self._in_core(lambda: self._core.note(row))

    async def _in_core(self, function: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._core.submit(function))


async def _end(worker: _Worker) -> None:
    """Wait for a worker that leaves to finish what it sends, but not for ever."""
    assert worker.task is not None
    _, running = await asyncio.wait([worker.task], timeout=_FAREWELL_S)
    for task in running:
        task.cancel()
    await asyncio.gather(worker.task, return_exceptions=True)


def _wake_from_thread(loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(wake)
