"""Taking: a decoded batch -> the log -> the answer. Every way in ends here.

≠ what a body says.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from claxon.event import DEFAULT_APP

from alerts.config import KeyConfig

from ..decoding import Batch, decode
from ..keys.only_app import keep_to_app
from ..storage.corruption import is_corrupt
from ..storage.errors import DatabaseError, LostError, is_full
from ..work import Ingest, NoneGood, Posted, Taken
from .auth import wait
from .problems import Problem

if TYPE_CHECKING:
    from .doors import Doors

MAX_WAITING = 512
"""Batches in the queue; each waits at most for a few commits."""

MAX_WAITING_HELD = 24 * 1024 * 1024
"""Bytes of bodies whose senders wait for an answer: a few tenths of a second of work."""

MAX_WAITING_BYTES = 64 * 1024 * 1024
"""Bytes of their text; decoded they take up to three times as much."""

MAX_IDEMPOTENCY = 200
"""Characters of an Idempotency-Key that count."""


NOT_TAKEN = {
    400: "nothing of it can be read, or no event is good",
    403: "a key of another scope, or one that posts for another app alone",
    413: "it is too large",
    415: "its `Content-Type` or `Content-Encoding` is not spoken",
    429: "the key asks, or posts, too often",
    503: "Claxon is busy, or cannot write: send again after `Retry-After`",
    507: "the disk is full: nothing was kept; send again after `Retry-After`",
}
"""When nothing of a body is taken, by status."""


def app_of(key: KeyConfig | None) -> str:
    """Return the app of events that name none."""
    return key.app if key is not None and key.app else DEFAULT_APP


def refuse_when_busy(service: Doors) -> None:
    """Refuse a request while nothing can be written, or more is queued than can be soon, before its body is read.

    Raises:
        Problem: 503.
    """
    taker = service.taker
    if refusal := taker.refusal:
        raise Problem(503, refusal, headers={"Retry-After": "5"})
    held = service.bodies.held
    if taker.waiting > MAX_WAITING or taker.waiting_bytes > MAX_WAITING_BYTES or held > MAX_WAITING_HELD:
        raise Problem(503, "queue: full: send again after a second", headers={"Retry-After": "1"})


class Told(NamedTuple):
    """What a sender says of a batch beside its events.

    Attributes:
        idempotency: Makes a re-post harmless: it gets the first answer.
        client_dropped: Events that it gave up before.
        spans: Whether it came by a door by which spans come.
    """

    idempotency: str | None = None
    client_dropped: int = 0
    spans: bool = False


NOTHING = Told()


async def take(service: Doors, batch: Batch, told: Told = NOTHING, *, key: KeyConfig | None, received_at: float) -> str:
    """Return the answer, JSON of `accepted` and `rejected`, once the good events are durable.

    Args:
        service: Whose log.
        batch: What was posted.
        told: What else its sender says.
        key: With which it was sent.
        received_at: When it arrived, Unix seconds.

    Raises:
        Problem: 400 when none is good; 403 when none is of the key's app; 429 when the key posts too many; 507 on a
            full disk, 503 on other faults of it.
    """
    try:
        taken = await submit(service, batch, told, key=key, received_at=received_at)
    except NoneGood as fault:
        raise none_good(fault.batch, fault.status) from fault
    return taken.answer


async def submit(
    service: Doors, batch: Batch | Posted, told: Told, *, key: KeyConfig | None, received_at: float
) -> Taken:
    """Return what became of a batch, or of a body that the core decodes, once the good events are durable.

    Raises:
        Problem: As `take` does, but for 400.
        BadBody, NoneGood, NotPlain: Of a body.
    """
    if isinstance(batch, Batch) and batch.refusals and not batch.events:
        raise NoneGood(batch)
    if key is not None and (key.only_app or key.events_per_second):
        batch = _kept_within_limits(service, batch, key, received_at)
    name = key.name if key is not None else ""
    work = Ingest(
        batch=batch,
        received_at=received_at,
        app=app_of(key),
        key=f"{name}\0{told.idempotency[:MAX_IDEMPOTENCY]}" if told.idempotency else None,
        client_dropped=told.client_dropped,
        spans=told.spans,
    )
    try:
        return await asyncio.wrap_future(service.taker.ingest(work))
    except DatabaseError as fault:
        raise storage_problem(fault) from fault


def none_good(batch: Batch, status: int) -> Problem:
    """Return the answer to a batch without one good event."""
    return Problem(
        status, batch.refusals[0].error, more={"accepted": 0, "rejected": msgspec.to_builtins(batch.refusals)}
    )


def _kept_within_limits(service: Doors, batch: Batch | Posted, key: KeyConfig, at: float) -> Batch:
    """Return what a key may post of a batch."""
    if isinstance(batch, Posted):
        batch = decode(batch.body, ndjson=batch.ndjson, received_at=at, app=app_of(key))
        if batch.refusals and not batch.events:
            raise NoneGood(batch)
    keep_to_app(batch, key)
    if batch.refusals and not batch.events:
        raise NoneGood(batch, 403)
    if wait_s := service.keys.spend(key, len(batch.events), at):
        limit = f"over {key.events_per_second:g} events a second"
        raise wait(f"key {key.name!r}: {limit}: send these again after {wait_s:.1f} s", wait_s)
    return batch


def storage_problem(fault: DatabaseError) -> Problem:
    """Return the answer to a batch that could not be written, with when to send it again."""
    if is_corrupt(fault):
        said = f"database: {fault}: nothing is taken until Claxon has started again, on a new one: send again then"
        return Problem(503, said, headers={"Retry-After": "10"})
    if is_full(fault):
        return Problem(
            507, "disk: full: free some space; nothing of this batch was kept", headers={"Retry-After": "30"}
        )
    # Another node is elected within seconds; whoever waits for longer keeps people from being paged.
    after = "1" if isinstance(fault, LostError) else "5"
    return Problem(503, f"log: cannot be written: {fault}: send again later", headers={"Retry-After": after})
