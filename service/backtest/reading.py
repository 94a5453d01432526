"""Blocks -> completed events, and what was refused, just as `POST /v1/events` refuses.

≠ files, order among files. A backtest has no clock but its events: one without a `time` happened at the latest
`time` before it in its file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from math import inf

import msgspec
from claxon.event import Event, EventError, complete, redact

from ..decoding import decode_one
from .blocks import Block, blocks
from .decoders import FAULTS, LATEST, BlockDecoder
from .sources import Source, SourceError

SHOWN = 10
"""Refusals that are shown; all are counted."""

_UNTIMED = msgspec.json.Decoder(Event)


@dataclass(slots=True)
class Refused:
    """What was not taken: how many, the first few in words, and the files that could not be read to their end."""

    events: int = 0
    shown: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    @property
    def full(self) -> bool:
        """Whether no more will be shown."""
        return len(self.shown) >= SHOWN

    def add(self, where: str, fault: EventError) -> None:
        """Count one."""
        self.events += 1
        if not self.full:
            self.shown.append(f"{where}: {redact(str(fault))}")


class EventFile:
    """The events of one source, in its order."""

    def __init__(self, source: Source, refused: Refused) -> None:
        self.source = source
        self._refused = refused
        self._decoder = BlockDecoder()
        self._blocks = 0
        # Lines, or items, before this block; None while nobody has asked: to count them costs a tenth of the whole.
        self._before: int | None = None if source.repeatable else 0

    def batches(self) -> Iterator[list[Event]]:
        """Yield completed events; a file that breaks ends there, and is noted."""
        chunks = self.source.chunks()
        try:
            for block in blocks(chunks, self.source.name):
                if events := self._events(block):
                    yield events
        except SourceError as fault:
            self._refused.broken.append(str(fault))

    def first_time(self) -> float | None:
        """Return when its first good event happened, without taking anything; None without one."""
        apart = EventFile(self.source, Refused())
        try:
            for block in blocks(self.source.chunks(), self.source.name):
                if events := apart._events(block):
                    return events[0].at
        except SourceError:
            pass
        finally:
            self.source.read = 0
        return None

    def _events(self, block: Block) -> list[Event]:
        try:
            events = self._decoder.decode(block.text)
        except FAULTS:
            events = self._one_by_one(block)
        else:
            self._pass(block)
        return events

    # ── the slow way, for blocks with something to mend or refuse ─────────────

    def _one_by_one(self, block: Block) -> list[Event]:
        events: list[Event] = []
        items = block.items if block.items is not None else bytes(block.text).split(b"\n")
        for number, item in enumerate(items):
            if not item.strip():
                continue
            try:
                events += [self._completed(event) for event in _decoded(item)]
            except EventError as fault:
                self._refused.add(self._where(block, number), fault)
        self._pass(block)
        return events

    def _completed(self, event: Event) -> Event:
        if event.time is None:
            if self._decoder.latest == -inf:
                raise EventError("time", "missing", "an RFC 3339 string or Unix seconds, in the first event at least")
            event.time = self._decoder.latest
        complete(event, received_at=LATEST)
        self._decoder.latest = max(self._decoder.latest, event.at)
        return event

    # ── which line ────────────────────────────────────────────────────────────

    def _pass(self, block: Block) -> None:
        if self._before is not None:
            self._before += _length(block)
        self._blocks += 1

    def _where(self, block: Block, number: int) -> str:
        if self._refused.full:
            return self.source.name
        if self._before is None:
            again = blocks(Source(self.source.path).chunks(), self.source.name)
            self._before = sum(map(_length, islice(again, self._blocks)))
        if block.items is not None:
            return f"{self.source.name}: item {self._before + number + 1}"
        return f"{self.source.name}:{self._before + number + 1}"


def _length(block: Block) -> int:
    return len(block.items) if block.items is not None else bytes(block.text).count(b"\n")


def _decoded(item: bytes) -> list[Event]:
    """Return the events of a line, as good as always one.

    Raises:
        EventError: It is none.
    """
    if b"sk-ant-" not in item:
        try:
            return list(_UNTIMED.decode_lines(item))
        except FAULTS:
            pass
    return [decode_one(item)]
