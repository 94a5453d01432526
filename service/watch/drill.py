"""Fire drill: a marked test page to one receiver and its end, and how each integration took them.

Through the outbox of a service that runs, on the way of every page, or directly.

≠ HTTP, the command line.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import msgspec

from alerts.labels import fingerprint
from alerts.notification import AlertMessage, Notification, NotifyReason, Status, facts

from ..audit import Actor, Entry, What, entry
from ..core import Core
from ..delivery import Deliverer
from ..receivers import Answer, DeliveryError, Receiver
from ..storage import audit, drill_rows, outbox
from ..storage.database import Transaction
from ..storage.deciding import decide
from ..storage.drill_rows import DrillRow
from ..targets import receiver_of

WAIT_S = 30.0
MAX_WAIT_S = 120.0
"""So long each of the two messages may take."""

NAME = "ClaxonFireDrill"

_LOOK_S = 0.05

T = TypeVar("T")


class DrillError(Exception):
    """There is nothing to drill; the text is *where: value: remedy*."""


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two messages of a drill, to one integration.

    Attributes:
        state: delivered, failed, pending (it is tried still), cancelled, or unwanted (no ends are wanted).
        seconds: From its being decided to the answer; None while there is none.
        status: Of HTTP.
        answer: What the vendor said.
    """

    state: str
    seconds: float | None = None
    status: int | None = None
    answer: str = ""


class Drilled(msgspec.Struct, frozen=True, kw_only=True):
    """How one integration did.

    Attributes:
        target: "receiver/kind/index".
        trigger: The page.
        resolve: Its end.
    """

    target: str
    trigger: Leg
    resolve: Leg

    @property
    def ok(self) -> bool:
        """Whether it took the page, and its end if it wants ends."""
        return self.trigger.state == "delivered" and self.resolve.state in ("delivered", "unwanted")


class Drill(msgspec.Struct, frozen=True, kw_only=True):
    """How a drill went.

    Attributes:
        receiver: Its name.
        dedup_key: Of both messages.
        direct: Whether it went past the outbox.
        integrations: All of the receiver.
    """

    receiver: str
    dedup_key: str
    direct: bool
    integrations: list[Drilled]

    @property
    def ok(self) -> bool:
        """Whether every integration took it."""
        return all(one.ok for one in self.integrations)


class Drills:
    """Drills of a service that runs."""

    def __init__(
        self,
        core: Core,
        deliverer: Deliverer,
        *,
        external_url: Callable[[], str],
        clock: Callable[[], float],
        make_id: Callable[[], str],
    ) -> None:
        """Take the parts over.

        Args:
            core: Owns the outbox.
            deliverer: Sends.
            external_url: Where people reach this Claxon now.
            clock: Unix seconds.
            make_id: Names a drill.
        """
        self._core = core
        self._deliverer = deliverer
        self._external_url = external_url
        self._clock = clock
        self._make_id = make_id

    async def run(self, receiver: str, *, actor: Actor, wait_s: float = WAIT_S) -> Drill:
        """Send a test page and its end through the outbox, and return what came of both.

        What is not taken in time goes on as any page does, but only for as long again.

        Raises:
            DrillError: There is no such receiver, or it has no integration.
            DatabaseError: The outbox cannot be written.
        """
        receivers = chosen(self._deliverer.receivers, receiver)
        drill = self._make_id()[:13]
        page = make_page(receiver, drill, at=self._clock(), external_url=self._external_url())
        after = {"dedup_key": page.dedup_key, "integrations": list(receivers)}
        entered = [entry(actor, What.DRILLED, receiver, at=page.at, after=after)]
        await self._send(page, list(receivers), page.dedup_key, wait_s, entered=entered)
        over = end_of(page, at=self._clock())
        wants = await self._in_core(lambda: self._deliverer.targets(over))
        rows = await self._send(over, wants, page.dedup_key, wait_s, look_at=list(receivers))
        return Drill(
            receiver=receiver,
            dedup_key=page.dedup_key,
            direct=False,
            integrations=[_drilled(target, [row for row in rows if row.target == target]) for target in receivers],
        )

    async def _send(
        self,
        told: Notification,
        targets: list[str],
        key: str,
        wait_s: float,
        *,
        look_at: list[str] | None = None,
        entered: Iterable[Entry] = (),
    ) -> list[DrillRow]:
        """Add a message for each integration; return all rows of the drill once each was tried, or it took too long."""
        connection = self._core.connection

        def add() -> None:
            with Transaction(connection):
                decide(connection, [key])
                for target in targets:
                    outbox.add(connection, target, told, deadline=told.at + 2 * wait_s)
                audit.add(connection, entered)
            self._core.on_outbox(targets)

        await self._in_core(add)
        until = asyncio.get_running_loop().time() + wait_s
        while True:
            rows = await self._in_core(lambda: drill_rows.rows(connection, look_at or targets, key))
            waits = [row for row in rows if row.state == "pending" and row.status is told.status]
            if not waits or asyncio.get_running_loop().time() >= until:
                return rows
            await asyncio.sleep(_LOOK_S)

    async def _in_core(self, function: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._core.submit(function))


async def run_directly(
    receivers: Mapping[str, Receiver],
    receiver: str,
    *,
    external_url: str,
    drill: str,
    clock: Callable[[], float],
    steady: Callable[[], float],
) -> Drill:
    """Send a test page and its end past any outbox, each once; an end without a beginning goes to nobody who pairs.

    Raises:
        DrillError: There is no such receiver, or it has no integration.
    """
    mine = chosen(receivers, receiver)
    page = make_page(receiver, drill, at=clock(), external_url=external_url)

    async def one(target: str, by: Receiver) -> Drilled:
        trigger = await _try(by, page, steady)
        if not by.send_resolved:
            resolve = Leg(state="unwanted")
        elif trigger.state == "failed" and by.pairs:
            resolve = Leg(state="cancelled", answer="its beginning was not delivered")
        else:
            resolve = await _try(by, end_of(page, at=clock()), steady)
        await by.close()
        return Drilled(target=target, trigger=trigger, resolve=resolve)

    drilled = await asyncio.gather(*(one(target, by) for target, by in mine.items()))
    return Drill(receiver=receiver, dedup_key=page.dedup_key, direct=True, integrations=list(drilled))


def chosen(receivers: Mapping[str, Receiver], receiver: str) -> dict[str, Receiver]:
    """Return the integrations of a receiver.

    Raises:
        DrillError: There are none.
    """
    found = {target: one for target, one in receivers.items() if receiver_of(target) == receiver}
    if not found:
        names = ", ".join(sorted({receiver_of(target) for target in receivers})) or "there are none"
        raise DrillError(f"receiver: {receiver[:100]}: none with an integration has this name: {names}")
    return found


def make_page(receiver: str, drill: str, *, at: float, external_url: str) -> Notification:
    """Return the page of a drill."""
    labels = {"alertname": NAME, "severity": "page", "receiver": receiver}
    message = AlertMessage(
        status=Status.FIRING,
        labels=labels,
        annotations={
            "description": "Nothing is wrong, and nothing is to be done. The end of this page follows at once."
        },
        starts_at=at,
        ends_at=None,
        url=external_url,
        ack_url=external_url,
        fingerprint=fingerprint({**labels, "drill": drill}),
        episode=1,
        summary=f"[FIRE DRILL] a test of the receiver {receiver}",
        since=at,
        measured="",
        errors="",
        blame="nobody",
        advice="",
        request_ids=[],
        resolve_reason="",
        rule_hash="",
    )
    return _notification(message, receiver, f"claxon/fire-drill/{receiver[:200]}/{drill}", NotifyReason.FIRST, at)


def end_of(page: Notification, *, at: float) -> Notification:
    """Return the end of a drill's page."""
    message = msgspec.structs.replace(
        page.alerts[0], status=Status.RESOLVED, ends_at=at, resolve_reason="the fire drill is over"
    )
    return _notification(message, page.receiver, page.dedup_key, NotifyReason.RESOLVED, at)


def _notification(message: AlertMessage, receiver: str, key: str, reason: NotifyReason, at: float) -> Notification:
    return Notification(
        status=message.status,
        receiver=receiver,
        group_key=f"{{}}:{{{key}}}",
        group_labels=message.labels,
        common_labels=message.labels,
        common_annotations=facts(message),
        external_url=message.url,
        reason=reason.value,
        dedup_key=key,
        at=at,
        alerts=[message],
        test=True,
    )


async def _try(by: Receiver, told: Notification, steady: Callable[[], float]) -> Leg:
    began_at = steady()
    try:
        answer = await by.send(told)
    except DeliveryError as fault:
        return Leg(state="failed", seconds=steady() - began_at, status=fault.status, answer=str(fault))
    return _taken(answer, steady() - began_at)


def _taken(answer: Answer, seconds: float) -> Leg:
    return Leg(state="delivered", seconds=seconds, status=answer.status, answer=answer.text)


def _drilled(target: str, rows: list[DrillRow]) -> Drilled:
    legs = {row.status: _leg(row) for row in rows}
    return Drilled(
        target=target,
        trigger=legs[Status.FIRING],
        resolve=legs.get(Status.RESOLVED, Leg(state="unwanted")),
    )


def _leg(row: DrillRow) -> Leg:
    last = row.last
    return Leg(
        state=row.state,
        seconds=row.ended_at - row.created_at if row.ended_at is not None else None,
        status=last.status if last is not None else None,
        answer=last.answer if last is not None else row.answer,
    )
