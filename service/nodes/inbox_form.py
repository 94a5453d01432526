"""A batch as a row of the inbox, and back.

≠ when it is written or read.
"""

from __future__ import annotations

import msgspec

from .. import known
from ..decoding import BadBody, Batch, Refusal, decode
from ..storage import event_log
from ..storage.inbox import FORM, InboxRow
from ..unpacking import Unpacked
from ..work import Ingest, Posted

_REFUSALS = msgspec.json.Decoder(list[Refusal])


class Unreadable(ValueError):
    """A row of which nothing can be made; the text says why."""


def row_of(unpacked: Unpacked, node: str) -> InboxRow:
    """Return what is written of a batch; `node` is who took it."""
    work, batch = unpacked.work, unpacked.batch
    return InboxRow(
        received_at=work.received_at,
        app=work.app,
        key=work.key,
        n=len(batch.events),
        claims=known.to_text(batch.claims),
        refusals=msgspec.json.encode(batch.refusals).decode() if batch.refusals else "",
        spans=work.spans,
        client_dropped=work.client_dropped,
        node=node,
        body=unpacked.stored,
    )


def ingest_of(row: InboxRow, *, whole: bool = False) -> Ingest:
    """Return what the core is given for a row.

    Args:
        row: As it was read.
        whole: Whether its events are decoded here, one by one where need be; else the core does so where it can.

    Raises:
        Unreadable: It is of a newer Claxon, or was damaged.
    """
    if row.form > FORM:
        raise Unreadable(f"form {row.form}: a newer Claxon wrote it; this one knows {FORM}")
    body = event_log.expanded(row.body)
    if body is None:
        raise Unreadable("body: damaged: it cannot be expanded")
    batch = _batch(row, body) if whole or row.claims or row.refusals else Posted(body, row.body)
    return Ingest(
        batch=batch,
        received_at=row.received_at,
        app=row.app,
        key=row.key,
        client_dropped=row.client_dropped,
        spans=row.spans,
        inbox_row=row.id,
    )


def _batch(row: InboxRow, body: bytes) -> Batch:
    try:
        batch = decode(body, ndjson=False, received_at=row.received_at, app=row.app)
        claims = known.from_text(row.claims)
        refusals = _REFUSALS.decode(row.refusals) if row.refusals else []
    except (BadBody, msgspec.MsgspecError, ValueError, RecursionError) as fault:
        raise Unreadable(str(fault)) from fault
    # All or nothing: what a newer Claxon reads one day must not be in the log in part.
    if batch.refusals:
        raise Unreadable(f"event {batch.refusals[0].index}: {batch.refusals[0].error}")
    if len(batch.events) != row.n:
        raise Unreadable(f"body: {len(batch.events)} events, where {row.n} were taken")
    batch.claims, batch.refusals, batch.stored = claims, refusals, row.body
    return batch
