"""Events of another app than the key's, refused one by one.

≠ HTTP, what an event means.
"""

from __future__ import annotations

import msgspec
from claxon.event import Event, EventError

from alerts.config import KeyConfig

from ..decoding import Batch, Refusal

_RAW_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])


def keep_to_app(batch: Batch, key: KeyConfig) -> None:
    """Refuse the events of other apps in a batch, in place, if the key may post for its own alone."""
    if not key.only_app:
        return
    foreign = {i for i, event in enumerate(batch.events) if event.app != key.app}
    if foreign:
        _refuse(batch, foreign, key)


def _refuse(batch: Batch, foreign: set[int], key: KeyConfig) -> None:
    indexes = _indexes(batch)
    refused = [Refusal(indexes[i], _said(batch.events[i], key)) for i in sorted(foreign)]
    kept = [i for i in range(len(batch.events)) if i not in foreign]
    places = {old: new for new, old in enumerate(kept)}
    items = _RAW_ARRAY.decode(batch.body)
    batch.events = [batch.events[i] for i in kept]
    batch.body = b"[" + b",".join(bytes(items[i]) for i in kept) + b"]"
    batch.stored = b""
    batch.others = [places[i] for i in batch.others if i in places]
    batch.claims = {places[i]: claims for i, claims in batch.claims.items() if i in places}
    batch.refusals = sorted([*batch.refusals, *refused], key=lambda refusal: refusal.index)


def _indexes(batch: Batch) -> list[int]:
    """Return for each good event its place in what was posted: that of the bad ones is known."""
    refused = {refusal.index for refusal in batch.refusals}
    total = len(batch.events) + len(batch.refusals)
    return [i for i in range(total) if i not in refused]


def _said(event: Event, key: KeyConfig) -> str:
    remedy = f"the key {key.name!r} posts for {key.app!r} alone: leave app out, or post with a key of that app"
    return str(EventError("app", event.app, remedy))
