"""Sifting: messages -> their events, without those that came before.

In the owner's transaction: the names of what came are noted in it. ≠ engines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec
from claxon.event import Event, EventError

from .. import known
from ..decoding import decode_logged
from ..known import Asked
from ..nodes.shard import Logged, PoisonError
from ..storage.event_log import expanded
from ..storage.reports import Failed

Skips = dict[int, list[int] | None]
"""By a message's offset: the places of events that were known already, or None for all of them."""

Claim = Callable[[Sequence[bytes]], set[bytes]]

_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(slots=True, kw_only=True)
class Sifted:
    """What a group of messages brings.

    Attributes:
        events: Those that are new, in order.
        skips: The others.
        names: What all of them are known by from now on.
        failed: Those of the new ones that failed, with their text.
        duplicates: Events that are left out.
    """

    events: list[Event] = field(default_factory=list)
    skips: Skips = field(default_factory=dict)
    names: list[bytes] = field(default_factory=list)
    failed: list[Failed] = field(default_factory=list)
    duplicates: int = 0


def sift(messages: Sequence[Logged], *, now: float, overlap: bool, new: Claim, known_of: Claim) -> Sifted:
    """Return what is new in some messages.

    Args:
        messages: In order.
        now: The instant at which they are observed.
        overlap: Whether spans come, so that events are known by their request ids too.
        new: Notes names, and returns those that were not known.
        known_of: Returns those of some names that are known.

    Raises:
        PoisonError: One of them can never be read.
    """
    found = Sifted()
    read = [(message, events_of(message)) for message in messages]
    said = [(message, events, _names(message, events, overlap=overlap)) for message, events in read]
    before = _known(said, found, new=new, known_of=known_of)
    for message, events, (batch, named) in said:
        if batch is not None and batch in before:
            found.skips[message.offset] = None
            found.duplicates += len(events)
            continue
        if batch is not None:
            before.add(batch)
        skip = _skip(named, before)
        if skip:
            found.skips[message.offset] = skip
            found.duplicates += len(skip)
        found.events += without(events, skip)
        if (failed := _failed(message, events, skip, now)) is not None:
            found.failed.append(failed)
    return found


def events_of(message: Logged) -> list[Event]:
    """Return the events of a message, completed.

    Raises:
        PoisonError: It was damaged.
    """
    envelope = message.envelope
    try:
        return decode_logged(_body(message), received_at=envelope.received_at, app=envelope.app, skip=[])
    except (msgspec.MsgspecError, UnicodeDecodeError, EventError) as fault:
        raise PoisonError(message.offset, f"body: {type(fault).__name__}: its events cannot be read") from fault


def _body(message: Logged) -> bytes:
    body = expanded(message.envelope.body)
    if body is None:
        raise PoisonError(message.offset, "body: damaged: its checksum is another")
    return body


def without(events: list[Event], skip: list[int] | None) -> list[Event]:
    """Return events without those at some places; none at all where that is None."""
    if skip is None:
        return []
    left_out = set(skip)
    return [event for i, event in enumerate(events) if i not in left_out] if left_out else events


def digest(name: str) -> bytes:
    """Return what is kept of a name."""
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()


_Named = dict[int, list[tuple[bytes, type]]]


def _names(message: Logged, events: list[Event], *, overlap: bool) -> tuple[bytes | None, _Named]:
    """Return what a message is known by, and what each of its events is."""
    envelope = message.envelope
    batch = digest(f"\0batch\0{envelope.key}") if envelope.key is not None else None
    claims = _claims(message)
    named: _Named = {}
    for i, event in enumerate(events):
        names: tuple[str, ...] = claims.get(i, ())
        if overlap and not claims:
            names = known.of_event(event)
        if event.event_id is not None:
            names = (*names, f"{event.app}\0{event.event_id}")
        if names:
            named[i] = [(digest(name), name.__class__) for name in names]
    return batch, named


def _claims(message: Logged) -> dict[int, tuple[str, ...]]:
    try:
        return known.from_text(message.envelope.claims)
    except (ValueError, msgspec.MsgspecError) as fault:
        raise PoisonError(message.offset, str(fault)) from fault


def _known(
    said: Sequence[tuple[Logged, list[Event], tuple[bytes | None, _Named]]],
    found: Sifted,
    *,
    new: Claim,
    known_of: Claim,
) -> set[bytes]:
    """Note the names of all messages; return those that were known before, as far as anybody asks."""
    noted: dict[bytes, None] = {}
    asked: dict[bytes, None] = {}
    for _, _, (batch, named) in said:
        if batch is not None:
            noted[batch] = None
        for names in named.values():
            for name, kind in names:
                (asked if kind is Asked else noted)[name] = None
    before = known_of(list(asked))
    found.names = list(noted)
    return before | (set(noted) - new(found.names))


def _skip(named: _Named, before: set[bytes]) -> list[int]:
    """Return the places of events that were known; from now on all of them are."""
    skip = []
    for i, names in named.items():
        if any(name in before for name, kind in names if kind is not known.Noted):
            skip.append(i)
        before.update(name for name, kind in names if kind is not Asked)
    return skip


def _failed(message: Logged, events: list[Event], skip: list[int], now: float) -> Failed | None:
    left_out = set(skip)
    places = [i for i, event in enumerate(events) if event.category != "ok" and i not in left_out]
    if not places:
        return None
    items = _ITEMS.decode(_body(message))
    return Failed(
        received_at=message.envelope.received_at,
        observed_at=now,
        app=message.envelope.app,
        body=b"[" + b",".join(bytes(items[i]) for i in places) + b"]",
        events=[events[i] for i in places],
    )
