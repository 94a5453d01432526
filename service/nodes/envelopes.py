"""A batch -> envelopes: one for each app and environment in it, in the order in which each was sent.

≠ how they travel.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from .. import known
from ..decoding import Batch
from ..storage import event_log
from ..storage.envelope import Envelope
from ..work import Ingest

MOST_BYTES = 900_000
"""Of a stored body: with the rest, less than what a broker takes by default."""

_RAW = msgspec.json.Decoder(list[msgspec.Raw])


def envelopes(work: Ingest, batch: Batch, stored: bytes, *, node: str) -> list[Envelope]:
    """Return a batch's envelopes; empty when it holds no event.

    A second batch with the same key and body becomes the same ones, each with the same key.

    Args:
        work: As it came.
        batch: What was in it.
        stored: Its body, as the log keeps it.
        node: Who took it.
    """
    found: list[Envelope] = []
    for (app, environment), places in _by_key(batch).items():
        whole = len(places) == len(batch.events)
        for number, (piece, body) in enumerate(_pieces(batch, places, stored if whole else None)):
            key = None if work.key is None else f"{work.key}\0{app}\0{environment}\0{number}"
            found.append(
                Envelope(
                    received_at=work.received_at,
                    app=app,
                    environment=environment,
                    key=key,
                    n=len(piece),
                    claims=known.to_text(
                        {new: batch.claims[old] for new, old in enumerate(piece) if old in batch.claims}
                    ),
                    spans=work.spans,
                    client_dropped=work.client_dropped if not found else 0,
                    node=node,
                    body=body,
                )
            )
    return found


def partition_key(envelope: Envelope) -> bytes:
    """Return what decides in which partition it is: events of one app and environment are in one, in order."""
    return f"{envelope.app}\0{envelope.environment}".encode()


def _by_key(batch: Batch) -> dict[tuple[str, str], list[int]]:
    """Return the places of the events of each app and environment."""
    found: dict[tuple[str, str], list[int]] = {}
    for place, event in enumerate(batch.events):
        found.setdefault((event.app, event.environment), []).append(place)
    return found


def _pieces(batch: Batch, places: Sequence[int], stored: bytes | None) -> Iterator[tuple[Sequence[int], bytes]]:
    """Yield places and their body, stored; a body that is too large for a message is halved."""
    if stored is None:
        stored = event_log.compress(_body_of(batch, places))
    if len(stored) <= MOST_BYTES or len(places) == 1:
        yield places, stored
        return
    middle = len(places) // 2
    yield from _pieces(batch, places[:middle], None)
    yield from _pieces(batch, places[middle:], None)


def _body_of(batch: Batch, places: Sequence[int]) -> bytes:
    items = _RAW.decode(batch.body)
    return b"[" + b",".join([bytes(items[place]) for place in places]) + b"]"
