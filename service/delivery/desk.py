"""Desk: what the workers share. Who is sent to, who stands in for whom, and how an outcome is noted.

≠ when something is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TypeVar

import structlog

from alerts.decisions import Decision, What
from alerts.notification import Status

from ..receivers import Answer, DeliveryError, Receiver
from ..storage import attempts, deliverers, outbox, stand_ins
from ..storage.attempts import Attempt
from ..storage.connecting import Connection
from ..storage.deciding import Deciding, may_decide
from ..storage.leases import Which
from ..storage.outbox import Delivery, Head
from ..targets import receiver_of
from ..uncommitted import DELIVER_FOR_S
from .deliveries import Deliveries
from .notes import Notes
from .office import Office

UNKNOWN = "no such receiver in the configuration any more"

T = TypeVar("T")

_log = structlog.get_logger(__name__)


class Desk:
    """One of it; the workers are many."""

    def __init__(
        self,
        office: Office,
        receivers: Mapping[str, Receiver],
        *,
        fallback: str,
        clock: Callable[[], float],
        steady: Callable[[], float],
    ) -> None:
        """Take the parts over.

        Args:
            office: Has the outbox.
            receivers: Who is sent to, by "receiver/kind/index", in the order of the configuration.
            fallback: The receiver that gets what another one refused; "" is the first other one.
            clock: Unix seconds.
            steady: Seconds that never jump.
        """
        self.office = office
        self.receivers = receivers
        self.fallback = fallback
        self.clock = clock
        self.steady = steady
        self.deliveries = Deliveries()
        self.notes = Notes(office)

    async def in_office(self, function: Callable[[], T]) -> T:
        """Return what a function finds in the office's thread."""
        return await asyncio.wrap_future(self.office.submit(function))

    def holds(self, delivery: Delivery) -> bool:
        """Whether a message is still this node's to send."""
        return self.office.leases.holds(delivery.id, steady=self.steady())

    def drop(self, delivery: Delivery) -> None:
        """Take note that nothing is known of what came of a message: it is sent again, by whoever finds it first."""
        self.office.submit(partial(self.office.leases.forget, [delivery.id]))

    async def give_back(self, deliveries: Collection[Delivery]) -> None:
        """Have others send what is not begun."""
        leases, rows = self.office.leases, [delivery.id for delivery in deliveries]
        if rows and leases.by_server:
            await self.in_office(lambda: leases.give_back(self.office.connection, rows))

    def stand_ins(self, target: str) -> list[str]:
        """Return the integrations that get what this one refused: of one other receiver; none if there is no other."""
        mine = receiver_of(target)
        there = list(dict.fromkeys(map(receiver_of, self.receivers)))
        others = [name for name in there if name != mine]
        chosen = self.fallback if self.fallback in others else next(iter(others), None)
        return [] if chosen is None else [other for other in self.receivers if receiver_of(other) == chosen]

    # ── what is due; in the office's thread ───────────────────────────────────

    def pick(
        self, target: str, *, pairs: bool, room: int, busy: Collection[str]
    ) -> tuple[list[Delivery], float | None]:
        """Return what is due to an integration, and when the next row is if there was room for more and that is known.

        An end whose beginning the integration did not take goes to who took it instead, or to
        nobody: nobody has to be told of the end of what nobody was told of.
        """
        connection, leases = self.office.connection, self.office.leases
        now, steady = self.clock(), self.steady()
        due: list[Delivery] = []
        next_at: float | None = None
        with Deciding(connection, at_once=leases.by_server) as deciding:
            taken = set(busy)
            while len(due) < room and next_at is None:
                found = leases.heads(connection, target, limit=room - len(due), busy=taken, now=now)
                if not found:
                    break
                for head in found:
                    if head.next_at > now and not leases.by_server:
                        next_at = head.next_at
                        break
                    delivery = outbox.load(connection, target, head, pairs=pairs)
                    if not self._may_be_decided(delivery):
                        taken.add(head.dedup_key)
                    elif self._is_wanted(delivery, head, deciding):
                        due.append(delivery)
                        taken.add(head.dedup_key)
            leases.take(connection, [delivery.id for delivery in due], steady=steady)
        if deciding.changed:
            self.office.on_outbox(None)
        return due, next_at

    def _may_be_decided(self, delivery: Delivery) -> bool:
        """Whether nobody else decides just now who is told of an end."""
        if delivery.notification.status is Status.FIRING:
            return True
        return may_decide(self.office.connection, delivery.notification.dedup_key)

    def _is_wanted(self, delivery: Delivery, head: Head, deciding: Deciding) -> bool:
        if delivery.notification.status is Status.FIRING:
            return True
        connection, receiver = self.office.connection, self.receivers.get(delivery.target)
        # What is merged with its beginning is news; an end alone is, where the beginning was told.
        told = delivery.begins or (
            receiver is not None and receiver.send_resolved and outbox.is_open(connection, delivery)
        )
        began = stand_ins.who_began(connection, delivery.target, head.dedup_key)
        if told and not began:
            return True
        now = self.clock()
        deciding.write()
        self._end_at(began, delivery, now=now)
        if not told:
            said = f"it began at {', '.join(began)}, and ends there" if began else "its beginning was not delivered"
            outbox.end(connection, delivery.rows, state="cancelled", now=now, answer=said, tried=False)
        return told

    def _end_at(self, began: list[str], delivery: Delivery, *, now: float) -> None:
        """Tell the end to stand-ins that were told of the beginning; inside a transaction."""
        wanted = [other for other in began if other in self.receivers and self.receivers[other].send_resolved]
        stand_ins.tell_the_end(self.office.connection, delivery, wanted, deadline=now + DELIVER_FOR_S)

    def overdue(self, target: str, *, pairs: bool, limit: int, busy: Collection[str]) -> list[Delivery]:
        """Return what waits for an integration and nobody wants any more."""
        connection, leases, steady = self.office.connection, self.office.leases, self.steady()
        with Deciding(connection, at_once=leases.by_server):
            found = leases.heads(connection, target, limit=limit, busy=busy, now=self.clock(), which=Which.OVERDUE)
            late = [outbox.load(connection, target, head, pairs=pairs) for head in found]
            leases.take(connection, [delivery.id for delivery in late], steady=steady)
        return late

    def give_up_unknown(self) -> list[str]:
        """End what waits for integrations that no node knows any more, and hand it over; return those."""
        connection = self.office.connection
        known = {target for node in deliverers.delivering(connection) or () for target in node.targets}
        known |= self.receivers.keys()
        gone = [target for target in outbox.targets_waiting(connection) if target not in known]
        for target in gone:
            self._give_up_all(target)
        if gone:
            self.office.on_outbox(None)
        return gone

    def _give_up_all(self, target: str) -> None:
        """End what waits for an integration that is not there any more, but for what another node sends just now."""
        connection, leases, now = self.office.connection, self.office.leases, self.clock()
        left: set[str] = set()
        with Deciding(connection, at_once=leases.by_server) as deciding:
            deciding.write()
            while found := leases.heads(connection, target, limit=1000, busy=left, now=now, which=Which.ALL):
                for head in found:
                    if not may_decide(connection, head.dedup_key):
                        left.add(head.dedup_key)
                        continue
                    delivery = outbox.load(connection, target, head, pairs=False)
                    if not delivery.begins:
                        self._end_at(stand_ins.who_began(connection, target, head.dedup_key), delivery, now=now)
                    self._give_up(delivery, said=UNKNOWN, now=now, tried=False)
                    self._count_given_up(delivery, UNKNOWN)

    # ── what came of it ───────────────────────────────────────────────────────

    async def note_taken(self, delivery: Delivery, answer: Answer, *, at: float, took_s: float) -> None:
        """Note that a message was taken."""
        now = self.clock()
        said = f"{answer.status or ''} {answer.text}".strip() or "taken"
        attempt = Attempt(
            at=at, duration_s=took_s, outcome=attempts.DELIVERED, status=answer.status, answer=answer.text
        )
        self.deliveries.count(delivery.target, attempts.DELIVERED)
        _log.info(
            "notification.delivered",
            target=delivery.target,
            status=delivery.notification.status.value,
            dedup_key=delivery.notification.dedup_key,
            after_s=round(now - delivery.created_at, 3),
        )

        def write(connection: Connection) -> Decision:
            outbox.end(connection, delivery.rows, state="delivered", now=now, answer=said)
            attempts.add(connection, delivery.id, delivery.target, attempt)
            return _for_ledger(delivery, What.DELIVERED, now, said)

        await self._note(delivery, write)

    async def note_deferred(
        self, delivery: Delivery, fault: DeliveryError, *, at: float, took_s: float, again: float
    ) -> None:
        """Note that a message was not taken, and is tried again."""
        attempt = _failed_attempt(fault, at=at, took_s=took_s, gave_up=False)
        self.deliveries.count(delivery.target, fault.reason.value)
        _log.warning(
            "delivery.deferred",
            target=delivery.target,
            reason=fault.reason.value,
            error=str(fault),
            next_in_s=round(again - self.clock(), 1),
        )

        def write(connection: Connection) -> None:
            outbox.defer(connection, delivery, next_at=again, answer=str(fault))
            attempts.add(connection, delivery.id, delivery.target, attempt)

        await self._note(delivery, write)

    async def note_refused(self, delivery: Delivery, fault: DeliveryError, *, at: float, took_s: float) -> None:
        """Note that a message was not taken and is not tried again, and hand it over in the same transaction."""
        attempt = _failed_attempt(fault, at=at, took_s=took_s, gave_up=True)
        self.deliveries.count(delivery.target, fault.reason.value)

        def write(connection: Connection) -> None:
            attempts.add(connection, delivery.id, delivery.target, attempt)

        await self._note_end(delivery, said=str(fault), reason=fault.reason.value, write=write, tried=True)

    async def note_overdue(self, delivery: Delivery, *, last_error: str) -> None:
        """Note that a message waited for too long while its integration took nothing, and hand it over."""
        said = f"its deadline passed; the last failure: {last_error}"
        write = partial(attempts.give_up, target=delivery.target)
        await self._note_end(delivery, said=said, reason="deadline", write=write, tried=False)

    async def _note_end(
        self, delivery: Delivery, *, said: str, reason: str, write: Callable[[Connection], None], tried: bool
    ) -> None:
        now = self.clock()
        _log.error("delivery.failed", target=delivery.target, reason=reason, error=said)

        def end(connection: Connection) -> Decision:
            write(connection)
            self._give_up(delivery, said=said, now=now, tried=tried)
            return _for_ledger(delivery, What.FAILED, now, said)

        await self._note(
            delivery, end, after=lambda: self._count_given_up(delivery, said), key=delivery.notification.dedup_key
        )
        self.office.on_outbox(None)

    async def _note(
        self,
        delivery: Delivery,
        write: Callable[[Connection], Decision | None],
        *,
        after: Callable[[], None] = lambda: None,
        key: str = "",
    ) -> None:
        """Note what came of a message, if it is this node's still; else another one has sent it too, and notes that."""
        leases, mine = self.office.leases, True

        def settle() -> Iterable[Decision]:
            nonlocal mine
            connection = self.office.connection
            mine = leases.settle(connection, delivery.id)
            row = write(connection) if mine else None
            return () if row is None else (row,)

        def settled() -> None:
            leases.forget([delivery.id])
            if mine:
                after()
            else:
                _log.warning("delivery.not_ours", target=delivery.target, row=delivery.id)

        await self.notes.write(settle, after=settled, key=key)

    def _who_gets(self, delivery: Delivery) -> list[str]:
        """Return who gets what was not taken: whoever stands in already has nobody, or it would go round."""
        return [] if delivery.origin or not delivery.begins else self.stand_ins(delivery.target)

    def _give_up(self, delivery: Delivery, *, said: str, now: float, tried: bool) -> None:
        """End a message that was not taken, and hand it over; inside a transaction."""
        connection = self.office.connection
        others = {other: self.receivers[other].send_resolved for other in self._who_gets(delivery)}
        instead = "".join(f"; {name} gets it instead" for name in dict.fromkeys(map(receiver_of, others)))
        outbox.end(connection, delivery.rows, state="failed", now=now, answer=f"{said}{instead}", tried=tried)
        why = f"{delivery.target.rpartition('/')[0]}: {said}"
        stand_ins.hand_over(connection, delivery, others, said=why, deadline=now + DELIVER_FOR_S)

    def _count_given_up(self, delivery: Delivery, said: str) -> None:
        if not delivery.begins:
            return
        others = self._who_gets(delivery)
        self.deliveries.give_up(delivery.target, handed_over=bool(others))
        if not others:
            remedy = "nobody else is there to be told: add a second receiver, and name it in fallback_receiver"
            _log.error("delivery.lost", target=delivery.target, error=f"{said}: {remedy}")


def _for_ledger(delivery: Delivery, what: What, now: float, said: str) -> Decision:
    told = delivery.notification
    note = f"{told.status.value} to {delivery.target}: {said}"
    if what is What.FAILED and told.status is Status.RESOLVED and not delivery.begins:
        note = f"resolved to {delivery.target}, where it still fires: {said}"
    return Decision(
        at=now,
        what=what,
        subject=told.alerts[0].fingerprint,
        labels=told.alerts[0].labels,
        value={"attempts": delivery.attempts + 1, "after_s": round(now - delivery.created_at, 3)},
        note=note[:300],
    )


def _failed_attempt(fault: DeliveryError, *, at: float, took_s: float, gave_up: bool) -> Attempt:
    return Attempt(
        at=at, duration_s=took_s, outcome=fault.reason.value, status=fault.status, answer=str(fault), gave_up=gave_up
    )
