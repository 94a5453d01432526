"""Again: an engine told what it was told before, from a snapshot on: after a restart, and to prove it.

≠ what follows from what it decides.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog
from claxon.event import Event

from alerts.decisions import Step
from alerts.engine_state import EngineState
from alerts.evaluator import Engine

from ..nodes.shard import PoisonError
from ..rule_texts import from_text
from ..storage import shards
from ..storage.connecting import Connection
from ..storage.database import ReadTransaction
from ..storage.errors import StorageError
from ..storage.event_log import Entry, Resumed, Rewound, RulesChanged
from ..storage.shards import Told
from .past import Past
from .sifting import events_of, without

_ENTRY: msgspec.json.Decoder[Entry] = msgspec.json.Decoder(Entry)
_STATE = msgspec.msgpack.Decoder(EngineState)
_BEGIN_S = 60.0
"""A snapshot may be large, and the way to it slow."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Rebuilt:
    """An engine as it was when something was committed last.

    Attributes:
        engine: It.
        seq: The last thing that it was told.
        beginning: What it began with, in words.
        committed: The hash that was committed; "" is none.
        events: How many it was told of again.
        lost: How many it should have been told of that are gone from the log, or changed.
        agrees: Whether it decided the same; None where nobody knows.
    """

    engine: Engine
    seq: int
    beginning: str
    committed: str
    events: int = 0
    lost: int = 0
    agrees: bool | None = None


def rebuild(connection: Connection, partition: int, past: Past) -> Rebuilt:
    """Return a partition's engine as it was when something was committed last, from its newest snapshot.

    Raises:
        StorageError: There is no snapshot that can be read, and what was told at first is pruned.
    """
    return _rebuild(connection, partition, past, oldest=False)


def rebuild_from_the_oldest(connection: Connection, partition: int, past: Past) -> Rebuilt:
    """Return the same, but from as far back as anybody knows.

    Raises:
        StorageError: There is nothing to begin with, or it was pruned before it was read.
    """
    return _rebuild(connection, partition, past, oldest=True)


def _rebuild(connection: Connection, partition: int, past: Past, *, oldest: bool) -> Rebuilt:
    # Its owner may go on meanwhile: what it commits after this is left for the next time.
    with ReadTransaction(connection, at_most_s=_BEGIN_S):
        standing = shards.standing(connection, partition)
        last = shards.last_told(connection, partition)
        engine, seq, beginning = _begin(connection, partition, oldest=oldest)
    rebuilt = Rebuilt(engine=engine, seq=seq, beginning=beginning, committed=standing.hash)
    for told in shards.told(connection, partition, after=seq, up_to=last):
        if told.seq != rebuilt.seq + 1:
            raise StorageError(f"partition {partition}: what it was told was pruned while it was read: begin again")
        events, lost = observed(past, partition, told)
        tell(engine, told, events)
        rebuilt.seq = told.seq
        rebuilt.events += len(events)
        rebuilt.lost += lost
    if standing.at > float("-inf"):
        guarded(engine.tick, standing.at)
    if standing.hash:
        rebuilt.agrees = engine.ledger_hash == standing.hash
    return rebuilt


def _begin(connection: Connection, partition: int, *, oldest: bool) -> tuple[Engine, int, str]:
    first = shards.first_told(connection, partition)
    kept = shards.oldest(connection, partition) if oldest else shards.newest(connection, partition)
    for one in () if oldest and first == 1 else kept:
        try:
            state = _STATE.decode(one.state)
        except msgspec.MsgspecError:
            continue
        return Engine(from_text(one.rules), state), one.seq, "from a snapshot, for what was before is pruned"
    if first in (None, 1):
        return Engine(()), 0, "from its beginning"
    said = "no snapshot can be read, and what came before is pruned: restore the database, or begin with another topic"
    raise StorageError(f"partition {partition}: {said}")


def observed(past: Past, partition: int, told: Told) -> tuple[list[Event], int]:
    """Return the events that an engine was told of once, and how many of them are gone."""
    if told.first is None or told.last is None:
        return [], 0
    events: list[Event] = []
    for message in past.read(partition, told.first, told.last):
        with contextlib.suppress(PoisonError):
            events += without(events_of(message), told.skips.get(message.offset, []))
    return events, max(0, told.n - len(events))


def tell(engine: Engine, told: Told, events: list[Event]) -> Step:
    """Tell an engine something at the instant at which it was told it first; return what it decided."""
    if not told.entry:
        return guarded(engine.observe, events, told.at)
    match _ENTRY.decode(told.entry):
        case Resumed():
            return guarded(engine.resume, told.at)
        case RulesChanged(rules=text):
            return guarded(engine.replace_rules, from_text(text), told.at)
        case Rewound(since=since):
            # Up to there it had been evaluated when the clock was set back, whether or not an event came.
            before, after = guarded(engine.tick, since), guarded(engine.rewind, told.at)
            return Step(before.transitions + after.transitions, before.decisions + after.decisions)


def guarded(function: Callable[..., Step], *arguments: Any) -> Step:
    """Return what an engine decided; a fault in it is logged, and what it had decided before is told the next time."""
    try:
        return function(*arguments)
    except Exception:  # noqa: BLE001 — the others must go on; a rule's own faults the engine tells itself
        _log.exception("evaluation.failed")
        return Step()
