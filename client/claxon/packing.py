"""packing: events that wait become the body of one request; and again, with other times."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import msgspec

from . import compression
from .backlog import Waiting


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """A request, the same bytes and the same key at each try.

    Attributes:
        body: Compressed JSON array of events.
        encoding: Its Content-Encoding.
        key: The Idempotency-Key.
        events: How many events it holds.
        dropped: How many events were given up before it.
        failed: Whether there is an error among them.
        at: When the oldest of them ended, Unix seconds by our own clock.
        filed: Whether it lies in the spool too.
        retimed: Whether its times were put right after the service had refused them.
    """

    body: bytes
    encoding: str
    key: str
    events: int
    dropped: int
    failed: bool = True
    at: float = 0.0
    filed: bool = False
    retimed: bool = False


def pack(waiting: Sequence[Waiting], *, encoding: str, compress: Callable[[bytes], bytes], dropped: int) -> Batch:
    """Return the batch of these events, which are not none."""
    return Batch(
        body=compress(b"[" + b",".join([one.event for one in waiting]) + b"]"),
        encoding=encoding,
        key=uuid.uuid4().hex,
        events=len(waiting),
        dropped=dropped,
        failed=any(one.failed for one in waiting),
        at=min(one.at for one in waiting),
    )


def retime(
    batch: Batch, places: Collection[int], seconds: float, *, encoding: str, compress: Callable[[bytes], bytes]
) -> Batch:
    """Return a batch of the events at these places, each `seconds` later than it said.

    With a key of its own: of the first one the service may have taken the others.

    Raises:
        ValueError: The body cannot be decompressed here, or is no array of events.
    """
    events = msgspec.json.decode(compression.undo(batch.encoding, batch.body), type=list[dict[str, object]])
    chosen = [events[place] for place in places]
    for event in chosen:
        time = event.get("time")
        if isinstance(time, (int, float)):
            event["time"] = round(time + seconds, 6)
    body = compress(msgspec.json.encode(chosen))
    key = uuid.uuid4().hex
    return replace(batch, body=body, encoding=encoding, key=key, events=len(chosen), filed=False, retimed=True)
