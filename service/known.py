"""Names by which a call is known, whichever way it came in: one call that is seen twice counts once.

`Batch.claims` holds them. A plain name is asked for and noted; one that was known leaves the event out. `Asked` is
only asked for, `Noted` only noted. `service/storage/claims.py` does both.

≠ storage.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from claxon.event import Event

_KINDS = msgspec.json.Decoder(dict[int, list[tuple[str, str]]])


class Asked(str):
    """A name that leaves the event out if it was noted, and is not noted by it."""

    __slots__ = ()


class Noted(str):
    """A name that is noted, and does not leave the event out."""

    __slots__ = ()


def request(request_id: str) -> str:
    """Return the name of the attempt to which the API gave a request id."""
    return f"r\0{request_id}"


def message(message_id: str) -> str:
    """Return the name of the call that a message answers."""
    return f"m\0{message_id}"


def span_taken(trace_id: str, span_id: str, model: str) -> str:
    """Return the name of a span that was taken as a call."""
    return f"s\0{trace_id}{span_id}\0{model}"


def inside(trace_id: str, span_id: str, model: str) -> str:
    """Return the name of "a span right inside this one was taken as a call"."""
    return f"p\0{trace_id}{span_id}\0{model}"


def span_inside(trace_id: str, span_id: str, model: str) -> str:
    """Return the name of "an event came that says it was made inside this span"."""
    return f"d\0{trace_id}{span_id}\0{model}"


def of_event(event: Event) -> tuple[str, ...]:
    """Return the names of an event that was posted as one: its attempt's, and the span's that it was made in.

    An attempt that another one follows does not stand for the call: a span, which does, must not be left out for it.
    """
    if event.span_id is None or event.trace_id is None or not event.final:
        return (request(event.request_id),) if event.request_id is not None else ()
    place = event.trace_id, event.span_id, event.model
    names = (Asked(span_taken(*place)), Noted(span_inside(*place)))
    return (*names, request(event.request_id)) if event.request_id is not None else names


def to_text(claims: Mapping[int, tuple[str, ...]]) -> str:
    """Return names by place as text; "" where there are none."""
    if not claims:
        return ""
    kinds = {Asked: "asked", Noted: "noted"}
    whole = {i: [(kinds.get(name.__class__, ""), str(name)) for name in names] for i, names in claims.items()}
    return msgspec.json.encode(whole).decode()


def from_text(text: str) -> dict[int, tuple[str, ...]]:
    """Return names by place from their text.

    Raises:
        ValueError: It is none of ours.
    """
    if not text:
        return {}
    kinds = {"": str, "asked": Asked, "noted": Noted}
    try:
        found = _KINDS.decode(text)
        return {i: tuple(kinds[kind](name) for kind, name in names) for i, names in found.items()}
    except KeyError as fault:
        raise ValueError(f"claims: {fault}: no kind of name: a newer Claxon wrote it") from fault
