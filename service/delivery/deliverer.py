"""Deliverer: a worker for each integration of the configuration.

≠ rules, vendors' formats.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from functools import partial

import structlog

from alerts.notification import Notification, Status

from .. import clock as clocks
from ..receivers import Receiver
from ..storage import stand_ins
from ..targets import receiver_of
from .deliveries import Deliveries
from .desk import UNKNOWN, Desk
from .failing import Failing, failing
from .office import Office
from .worker import Worker

_LAST_WORDS_S = 2.0
"""How long a service that ends waits for what is on its way: what is cut off is sent again."""

_log = structlog.get_logger(__name__)


class Deliverer:
    """Sends what the outbox holds, at least once, until each row's deadline."""

    def __init__(
        self,
        office: Office,
        receivers: dict[str, Receiver],
        *,
        clock: Callable[[], float],
        fallback: str = "",
        steady: Callable[[], float] = clocks.monotonic,
    ) -> None:
        """Take the parts over.

        Args:
            office: Has the outbox.
            receivers: Who is sent to, by "receiver/kind/index", in the order of the configuration.
            clock: Unix seconds.
            fallback: The receiver that gets what another one refused; "" is the first other one.
            steady: Seconds that never jump.
        """
        self._office = office
        self._receivers = receivers
        self._desk = Desk(office, receivers, fallback=fallback, clock=clock, steady=steady)
        self._workers: dict[str, Worker] = {}
        self._sends = False

    @property
    def deliveries(self) -> Deliveries:
        """How deliveries ended, of those that this process sent."""
        return self._desk.deliveries

    def count_by(self, deliveries: Deliveries) -> None:
        """Show what another deliverer of this process counts, which is the one that sends."""
        self._desk.deliveries = deliveries

    @property
    def receivers(self) -> dict[str, Receiver]:
        """Who is sent to, by "receiver/kind/index"."""
        return self._receivers

    @property
    def integrations(self) -> tuple[str, ...]:
        """Every "receiver/kind/index" of the configuration."""
        return tuple(self._receivers)

    def targets(self, notification: Notification) -> list[str]:
        """Return the integrations that a notification goes to; runs in the office's thread."""
        return [
            target
            for target, receiver in self._receivers.items()
            if receiver_of(target) == notification.receiver and self._wants(target, receiver, notification)
        ]

    def _wants(self, target: str, receiver: Receiver, notification: Notification) -> bool:
        if notification.status is Status.RESOLVED and not receiver.send_resolved:
            # It is not told of ends, but who stands in for it may want to be.
            return bool(stand_ins.who_began(self._office.connection, target, notification.dedup_key))
        return notification.send_resolved in (None, receiver.send_resolved)

    def failing(self) -> list[Failing]:
        """Return the integrations that do not take what they are sent; runs in the office's thread."""
        return failing(self._office.connection, self._receivers, now=self._desk.clock())

    def start(self, *, sends: bool = True) -> None:
        """Start the workers on the running event loop; or none, where others send what is decided here."""
        self._sends = sends
        loop = asyncio.get_running_loop()
        self._office.on_outbox = partial(_wake_from_thread, loop, self.wake)
        self._employ()

    async def stop(self, *, within: float = _LAST_WORDS_S) -> None:
        """Stop the workers; what is not delivered after so many seconds stays in the outbox."""
        await asyncio.gather(*(worker.end(within=within) for worker in self._workers.values()))
        await self._desk.notes.stop(within=_LAST_WORDS_S)
        for receiver in self._receivers.values():
            await receiver.close()

    def wake(self, targets: Collection[str] | None = None) -> None:
        """Have the workers of these integrations look at the outbox now; None: every one."""
        for target in self._workers if targets is None else targets:
            if (worker := self._workers.get(target)) is not None:
                worker.wake.set()

    @property
    def alive(self) -> bool:
        """Whether every worker runs."""
        return not any(worker.task.done() for worker in self._workers.values())

    # ── other receivers ───────────────────────────────────────────────────────

    def adopt(self, receivers: dict[str, Receiver], *, fallback: str) -> dict[str, Receiver]:
        """Send to these from now on, and return those so far; any thread may. `settle` follows."""
        before, self._receivers = self._receivers, receivers
        self._desk.receivers, self._desk.fallback = receivers, fallback
        return before

    async def settle(self, before: dict[str, Receiver]) -> None:
        """Have a worker for each receiver, and let go of those that are not sent to any more."""
        self._employ()
        left = before.keys() - self._receivers.keys()
        gone = [self._workers.pop(target) for target in left if target in self._workers]
        await asyncio.gather(*(worker.end() for worker in gone))
        for target, receiver in before.items():
            if self._receivers.get(target) is not receiver:
                if (worker := self._workers.get(target)) is not None:
                    await worker.let_go(receiver)
                await receiver.close()

    async def give_up_unknown(self) -> None:
        """Give up, loudly, what waits for integrations that are not there any more; who stands in gets it."""
        await self._desk.in_office(self.look_for_unknown)

    def look_for_unknown(self) -> None:
        """Do so in the office's thread; what another node sends just now is left for the next time."""
        for target in self._desk.give_up_unknown():
            _log.error("delivery.failed", target=target, error=UNKNOWN)

    def _employ(self) -> None:
        for target in self._receivers if self._sends else ():
            if target not in self._workers:
                self._workers[target] = Worker(target, self._desk)


def _wake_from_thread(
    loop: asyncio.AbstractEventLoop, wake: Callable[[Collection[str] | None], None], targets: Collection[str] | None
) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(wake, targets)
