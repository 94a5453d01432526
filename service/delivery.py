"""Delivery: outbox -> receivers, one worker an integration, so that one that hangs delays no other.

≠ rules, vendors' formats.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
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

T = TypeVar("T")

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Deliveries:
    """How deliveries ended, by (target, outcome); for metrics."""

    outcomes: dict[tuple[str, str], int]

    def count(self, target: str, outcome: str) -> None:
        """Count one attempt's outcome: `delivered`, or the reason it failed."""
        self.outcomes[target, outcome] = self.outcomes.get((target, outcome), 0) + 1


class Deliverer:
    """Sends what the outbox holds, at least once, until each row's deadline."""

    def __init__(self, core: Core, receivers: dict[str, Receiver], *, clock: Callable[[], float]) -> None:
        self.deliveries = Deliveries({})
        self._core = core
        self._receivers = receivers
        self._clock = clock
        self._wake = {target: asyncio.Event() for target in receivers}
        self._workers: list[asyncio.Task[None]] = []
        # What a receiver took and the outbox could not note yet: a full disk must not page again and again.
        self._taken: dict[int, str] = {}

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
        self._workers = [
            asyncio.create_task(self._work(target), name=f"deliver {target}") for target in self._receivers
        ]

    async def stop(self) -> None:
        """Stop the workers; what is not delivered stays in the outbox."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        for receiver in self._receivers.values():
            await receiver.close()

    def wake(self) -> None:
        """Have every worker look at the outbox now."""
        for event in self._wake.values():
            event.set()

    @property
    def alive(self) -> bool:
        """Whether every worker runs."""
        return all(not worker.done() for worker in self._workers)

    async def _work(self, target: str) -> None:
        while True:
            try:
                await self._deliver_next(target)
            except Exception:  # noqa: BLE001
                # A fault of ours must not end the worker; the row stays and is tried again.
                _log.exception("delivery.faulted", target=target)
                await asyncio.sleep(5)

    async def _deliver_next(self, target: str) -> None:
        wake = self._wake[target]
        wake.clear()
        now = self._clock()
        due, next_at = await self._in_core(lambda: outbox.next_due(self._core.connection, target, now))
        if due is not None:
            await self._deliver(due)
            return
        pause = _IDLE_S if next_at is None else min(max(next_at - now, 0.01), _IDLE_S)
        # Not wait_for: until 3.12 it can swallow the cancellation that ends the worker.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await wake.wait()

    async def _deliver(self, delivery: Delivery) -> None:
        if delivery.id in self._taken:
            await self._close(delivery)
            return
        try:
            answer = await self._receivers[delivery.target].send(delivery.notification)
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
        await self._close(delivery)

    async def _close(self, delivery: Delivery) -> None:
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


def _wake_from_thread(loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(wake)
