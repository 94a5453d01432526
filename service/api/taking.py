"""Taking: a decoded batch -> the log -> the answer. Every way in ends here.

≠ what a body says.
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING

import msgspec
from claxon.event import DEFAULT_APP

from alerts.config import KeyConfig

from ..decoding import Batch
from ..work import Ingest
from .problems import Problem

if TYPE_CHECKING:
    from ..app import Service

_BUSY = 512  # batches in the queue; each waits at most for a commit or two


def app_of(key: KeyConfig | None) -> str:
    """Return the app of events that name none."""
    return key.app if key is not None and key.app else DEFAULT_APP


def refuse_when_busy(service: Service) -> None:
    """Refuse a request while more is queued than can be written soon, before its body is read.

    Raises:
        Problem: 503.
    """
    if service.core.waiting > _BUSY:
        raise Problem(503, "queue: full: send again after a second", headers={"Retry-After": "1"})


async def take(
    service: Service,
    batch: Batch,
    *,
    key: KeyConfig | None,
    received_at: float,
    idempotency: str | None = None,
    client_dropped: int = 0,
) -> str:
    """Return the answer, JSON of `accepted` and `rejected`, once the good events are durable.

    Args:
        service: Whose log.
        batch: With one good event at least, or nothing is written.
        key: With which it was sent.
        received_at: When it arrived, Unix seconds.
        idempotency: Makes a re-post harmless: it gets the first answer.
        client_dropped: Events that the sender gave up before this batch.

    Raises:
        Problem: They cannot be written: 507 on a full disk, 503 otherwise.
    """
    work = Ingest(
        batch=batch,
        received_at=received_at,
        app=app_of(key),
        key=f"{key.name if key is not None else ''}\0{idempotency[:200]}" if idempotency else None,
        answer=msgspec.json.encode({"accepted": len(batch.events), "rejected": batch.refusals}).decode(),
        client_dropped=client_dropped,
    )
    try:
        return await asyncio.wrap_future(service.core.ingest(work))
    except sqlite3.Error as fault:
        raise _storage_problem(fault) from fault


def _storage_problem(fault: sqlite3.Error) -> Problem:
    if "full" in str(fault):
        return Problem(
            507, "disk: full: free some space; nothing of this batch was kept", headers={"Retry-After": "30"}
        )
    return Problem(503, f"log: cannot be written: {fault}: send again later", headers={"Retry-After": "5"})
