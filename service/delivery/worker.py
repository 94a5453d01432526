"""Worker: sends to one integration what is due to it, several messages at once, never two of one key.

≠ how an outcome is noted, who stands in.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Coroutine

import structlog

from alerts.retries import next_attempt

from ..receivers import Answer, DeliveryError, Reason, Receiver
from ..receivers.base import Rate, Resender
from ..storage.errors import LostError
from ..storage.outbox import Delivery
from .desk import Desk
from .gate import Gate
from .repeating import tell_again

IDLE_S = 30.0
"""How long a worker sleeps when nothing waits; new rows wake it at once."""

FAREWELL_S = 30.0
"""How long a worker that leaves may go on with what it sends."""

OWN_FAULTS = 3
"""So often a message is tried that we stumble over ourselves; then it goes to who stands in."""

_AFTER_A_FAULT_S = 5.0
_AWAY_S = 1.0
_OVERDUE_AT_ONCE = 100

_log = structlog.get_logger(__name__)


class OwnFaultError(DeliveryError):
    """A fault of Claxon's own, most likely in laying out this one message."""

    def __init__(self, target: str, fault: Exception) -> None:
        said = f"{target}: a fault of Claxon's own ({type(fault).__name__}): its log says more"
        super().__init__(said, reason=Reason.SERVER)


class Worker:
    """Sends to one integration.

    Attributes:
        target: "receiver/kind/index".
        wake: Set when there may be something to send.
        leaving: Whether to end when what is on its way has arrived.
        task: What runs.
    """

    def __init__(self, target: str, desk: Desk) -> None:
        self.target = target
        self.wake = asyncio.Event()
        self.leaving = False
        self.task = asyncio.create_task(self._work(), name=f"deliver {target}")
        self._desk = desk
        self._gate = Gate()
        self._last_error = ""
        self._busy: set[str] = set()
        self._in_flight = 0
        self._using: dict[asyncio.Task[None], Receiver] = {}
        self._repeating: asyncio.Task[None] | None = None
        self._repeat_at = float("-inf")

    async def end(self, *, within: float = FAREWELL_S) -> None:
        """Finish what is on its way, but do not wait for it for ever."""
        self.leaving = True
        self.wake.set()
        await asyncio.wait([self.task, *self._using], timeout=within)
        left = [task for task in (self.task, *self._using) if not task.done()]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def let_go(self, receiver: Receiver) -> None:
        """Return when nothing is on its way by this receiver."""
        tasks = [task for task, used in self._using.items() if used is receiver]
        if tasks:
            await asyncio.wait(tasks)

    async def _work(self) -> None:
        while not self.leaving:
            try:
                await self._round()
            except LostError:
                # Whoever has the connection says so, and wakes us when there is one.
                await self._sleep(_AWAY_S)
            except Exception:  # noqa: BLE001
                # A fault of ours must not end the worker; the rows stay and are tried again.
                _log.exception("delivery.faulted", target=self.target)
                await asyncio.sleep(_AFTER_A_FAULT_S)

    async def _round(self) -> None:
        """Begin what may begin now, then sleep until there may be more."""
        self.wake.clear()
        receiver = self._desk.receivers.get(self.target)
        if receiver is None:
            await self._sleep(IDLE_S)
            return
        pause = self._repeat(receiver)
        now = self._desk.steady()
        rate = self._rate(receiver)
        room = self._gate.room(now, in_flight=self._in_flight, rate=rate)
        if room:
            due, next_at = await self._pick(receiver, room)
            if self.leaving or self._desk.receivers.get(self.target) is not receiver:
                # Another one is in force by now; it may take less together.
                await self._desk.give_back(due)
                self.wake.set()
                return
            for delivery in due:
                self._begin(delivery, receiver)
            if len(due) == room:
                return
            if next_at is not None:
                pause = min(pause, max(next_at - self._desk.clock(), 0.01))
        else:
            closed = self._gate.wait_s(now, rate=rate)
            if self._gate.failures:
                await self._give_up_overdue(receiver)
            # Where all places are taken, whoever arrives wakes us.
            pause = min(pause, closed) if closed > 0 else pause
        await self._sleep(pause)

    def _rate(self, receiver: Receiver) -> Rate | None:
        """Return how many messages it may be sent from here."""
        rate = receiver.rate
        return None if rate is None else rate.shared_by(self._desk.office.leases.nodes)

    async def _sleep(self, seconds: float) -> None:
        # Not wait_for: until 3.12 it can swallow the cancellation that ends the worker.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, IDLE_S)):
                await self.wake.wait()

    async def _pick(self, receiver: Receiver, room: int) -> tuple[list[Delivery], float | None]:
        busy = frozenset(self._busy)
        return await self._desk.in_office(
            lambda: self._desk.pick(self.target, pairs=receiver.pairs, room=room, busy=busy)
        )

    def _begin(self, delivery: Delivery, receiver: Receiver) -> None:
        self._busy.add(delivery.notification.dedup_key)
        self._in_flight += 1
        self._gate.begin(self._rate(receiver))
        self._run(self._carry(delivery, receiver), receiver)

    def _run(self, work: Coroutine[None, None, None], receiver: Receiver) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"send to {self.target}")
        self._using[task] = receiver
        task.add_done_callback(self._using.pop)
        return task

    async def _carry(self, delivery: Delivery, receiver: Receiver) -> None:
        """Send one message and note what came of it; until that is durable its key is busy."""
        taken = noted = False
        try:
            at, begun_at = self._desk.clock(), self._desk.steady()
            answer = await self._send(delivery, receiver)
            if answer is None:
                return
            took_s = self._desk.steady() - begun_at
            taken = isinstance(answer, Answer)
            self._weigh(answer, begun_at)
            self.wake.set()
            if isinstance(answer, Answer):
                await self._desk.note_taken(delivery, answer, at=at, took_s=took_s)
                taken = False
            else:
                await self._note_fault(delivery, answer, at=at, took_s=took_s)
            noted = True
        except Exception:  # noqa: BLE001
            _log.exception("delivery.faulted", target=self.target)
            await asyncio.sleep(_AFTER_A_FAULT_S)
        finally:
            # What was taken and cannot be noted must not page again.
            if not taken:
                self._busy.discard(delivery.notification.dedup_key)
                if not noted:
                    self._desk.drop(delivery)
            self.wake.set()

    async def _send(self, delivery: Delivery, receiver: Receiver) -> Answer | DeliveryError | None:
        """Return what the integration said; None where nothing was sent, for this process stood still until another
        node may have sent it."""
        try:
            if not self._desk.holds(delivery):
                _log.warning("delivery.not_ours", target=self.target, row=delivery.id)
                return None
            return await receiver.send(delivery.notification)
        except DeliveryError as fault:
            return fault
        except Exception as fault:  # noqa: BLE001
            # A message that a receiver stumbles over must not block those behind it.
            _log.exception("delivery.faulted", target=self.target)
            return OwnFaultError(self.target, fault)
        finally:
            self._in_flight -= 1

    def _weigh(self, answer: Answer | DeliveryError, begun_at: float) -> None:
        """Open or close the integration by what it said to one message."""
        if isinstance(answer, OwnFaultError):
            return
        if isinstance(answer, Answer) or not answer.retryable:
            self._gate.answered()
            return
        self._last_error = str(answer)
        self._gate.failed(
            self._desk.steady(),
            begun_at=begun_at,
            retry_after=answer.retry_after,
            limited=answer.reason is Reason.RATE_LIMITED,
            jitter=_chance(),
        )

    async def _note_fault(self, delivery: Delivery, fault: DeliveryError, *, at: float, took_s: float) -> None:
        tried = delivery.attempts + 1
        again = next_attempt(
            attempts=tried,
            retryable=fault.retryable and not (isinstance(fault, OwnFaultError) and tried >= OWN_FAULTS),
            retry_after=fault.retry_after,
            now=self._desk.clock(),
            deadline=delivery.deadline,
            jitter=_chance(),
        )
        if again is None:
            await self._desk.note_refused(delivery, fault, at=at, took_s=took_s)
        else:
            await self._desk.note_deferred(delivery, fault, at=at, took_s=took_s, again=again)

    async def _give_up_overdue(self, receiver: Receiver) -> None:
        """Give up what is past its deadline: where one message is tried at a time, not each gets a last try."""
        busy = frozenset(self._busy)
        found = await self._desk.in_office(
            lambda: self._desk.overdue(self.target, pairs=receiver.pairs, limit=_OVERDUE_AT_ONCE, busy=busy)
        )
        await asyncio.gather(*(self._desk.note_overdue(one, last_error=self._last_error) for one in found))

    def _repeat(self, receiver: Receiver) -> float:
        """Tell again what stands, if it is time; return in how many seconds it is."""
        every_s = receiver.resend_s
        if every_s is None or not isinstance(receiver, Resender):
            return IDLE_S
        now = self._desk.steady()
        if now >= self._repeat_at:
            self._repeat_at = now + every_s
            if self._repeating is None or self._repeating.done():
                again = tell_again(self._desk, self.target, receiver, every_s=every_s)
                self._repeating = self._run(again, receiver)
        return self._repeat_at - now


def _chance() -> float:
    return random.random()  # noqa: S311 — spreads retries, guards nothing
