"""A body of events -> a batch, in bounded time on the event loop, and what is kept of what was refused.

≠ what an event is, the log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from fastapi import Request

from alerts.config import KeyConfig

from ..decoding import BadBody, Batch, BodyTooLarge, UnknownEncoding, decode, expand
from ..expanding import Reason
from ..rejects import reject_of_body
from ..storage import event_log
from ..work import NoneGood, NotPlain, Posted
from .bodies import LARGE, read_body
from .problems import Problem
from .taking import Told, app_of, none_good, submit

if TYPE_CHECKING:
    from .doors import Doors

T = TypeVar("T")

_SMALL = 64 * 1024  # bytes of a body of another format that are read on the event loop
NDJSON_TYPES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")
"""Those that say: one object a line."""

JSON_TYPES = (
    "",
    "application/json",
    "text/plain",
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    *NDJSON_TYPES,
)
"""The Content-Types of a body of events."""

DROPPED_HEADER = "claxon-client-dropped"
"""How many events a client gave up before this batch; a re-post repeats it, so it counts with the batch."""


class UnknownType(UnknownEncoding):
    """A Content-Type that is not spoken here."""

    reason = Reason.BAD_TYPE


async def take_body(request: Request, *, key: KeyConfig | None, received_at: float) -> str:
    """Take the events of a request; what is refused of it, or all of it, is counted and kept. Return the answer.

    Raises:
        Problem: Nothing of it was taken.
    """
    service: Doors = request.app.state.service
    headers = request.headers
    told = Told(idempotency=headers.get("idempotency-key"), client_dropped=_client_dropped(request))
    body = await receive_body(request, key=key)
    try:
        posted = await _read(service, request, body, received_at, app_of(key))
        try:
            taken = await submit(service, posted, told, key=key, received_at=received_at)
        except NotPlain:
            apart = await _decode_apart(service, posted, received_at, app_of(key))
            taken = await submit(service, apart, told, key=key, received_at=received_at)
    except NoneGood as fault:
        note_batch(request, fault.batch, key=key)
        raise none_good(fault.batch, fault.status) from fault
    except BadBody as fault:
        note_body(request, fault, key=key, size=len(body))
        raise Problem(_status(fault), str(fault)) from fault
    # Once it is durable: what is sent again after a 503 is counted once.
    note_batch(request, taken.batch, key=key)
    return taken.answer


async def receive_body(request: Request, *, key: KeyConfig | None) -> bytes:
    """Return the body of a request, as `read_body` does; that one was too large is kept.

    Raises:
        Problem: Nothing of it can be read.
    """
    try:
        return await read_body(request)
    except Problem as problem:
        if problem.status == 413:
            note_body(request, BodyTooLarge(problem.detail), key=key, size=None)
        raise


async def read_body_as(request: Request, body: bytes, read: Callable[[], T], *, key: KeyConfig | None) -> T:
    """Return what a body holds in another format, read beside the event loop where that may take long.

    Raises:
        Problem: 400, 413, 415: nothing of it can be read; it is counted and kept.
    """
    service: Doors = request.app.state.service
    # A small body may hold a large one.
    apart = len(body) > _SMALL or "content-encoding" in request.headers
    try:
        return await service.bodies.apart(read) if apart else read()
    except BadBody as fault:
        note_body(request, fault, key=key, size=len(body))
        raise Problem(_status(fault), str(fault)) from fault


async def _read(service: Doors, request: Request, body: bytes, received_at: float, app: str) -> Posted | Batch:
    """Return the text of a body, for the core to decode, or what it holds where that may take long."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in JSON_TYPES:
        raise UnknownType(f"Content-Type: {kind[:100]}: send application/json or application/x-ndjson")
    encoding = request.headers.get("content-encoding", "")
    ndjson = kind in NDJSON_TYPES

    def whole() -> Batch:
        return _stored(decode(expand(body, encoding), ndjson=ndjson, received_at=received_at, app=app))

    if len(body) > LARGE:
        return await service.bodies.apart(whole)
    try:
        # A small body may hold a large one.
        text = expand(body, encoding, most=LARGE)
    except BodyTooLarge:
        return await service.bodies.apart(whole)
    return Posted(text.strip(), event_log.stored_from(body, text), ndjson)


async def _decode_apart(service: Doors, posted: Posted | Batch, received_at: float, app: str) -> Batch:
    ndjson = isinstance(posted, Posted) and posted.ndjson
    return await service.bodies.apart(
        lambda: _stored(decode(posted.body, ndjson=ndjson, received_at=received_at, app=app))
    )


def _stored(batch: Batch) -> Batch:
    batch.stored = event_log.compress(batch.body)
    return batch


def _status(fault: BadBody) -> int:
    match fault:
        case BodyTooLarge():
            return 413
        case UnknownEncoding():
            return 415
    return 400


def note_batch(request: Request, batch: Batch, *, key: KeyConfig | None) -> None:
    """Count a body that could be read, and keep what was refused of it. Every way in calls this, or `take_body`."""
    service: Doors = request.app.state.service
    service.intake.took(batch)
    if batch.rejects:
        service.intake.unkept += sum(batch.reasons.values()) - len(batch.rejects)
        service.intake.unkept += service.rejects.note(batch.rejects, **_sender(request, key))


def note_body(request: Request, fault: BadBody, *, key: KeyConfig | None, size: int | None) -> None:
    """Count and keep a body of which nothing could be read. Every way in calls this."""
    service: Doors = request.app.state.service
    service.intake.refused(fault.reason)
    service.intake.unkept += service.rejects.note([reject_of_body(fault, size=size)], **_sender(request, key))


def _sender(request: Request, key: KeyConfig | None) -> dict[str, str]:
    return {
        "key": key.name if key is not None else "",
        "app": key.app or "" if key is not None else "",
        "address": request.client.host if request.client is not None else "",
        "door": request.url.path,
    }


def _client_dropped(request: Request) -> int:
    said = request.headers.get(DROPPED_HEADER, "")
    return int(said) if said.isdecimal() and said.isascii() and len(said) < 12 else 0
