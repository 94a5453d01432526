"""One fault in a fleet under load, and what it came to; held to the promises.

≠ which faults there are.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from service.storage.errors import DatabaseError, StorageError
from tests.support.fleet.fleet import Fleet
from tests.support.fleet.judging import counted, pages
from tests.support.fleet.supervised import GAVE_WAY
from tests.support.running import until

RECOVERED_S = 60.0
LONG_S = 20.0
"""After so long it is noted who is not well."""

ACKNOWLEDGED_S = 60.0
QUIET_S = 30.0

_ASKED_FOR = {GAVE_WAY, -9, -15, 0}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Something that goes wrong.

    Attributes:
        name: For --only.
        title: For people.
        strike: Does it, and returns when it is over: what was stopped may go on by itself then.
        before: What has to be there before, such as a standby.
    """

    name: str
    title: str
    strike: Callable[[Fleet, random.Random], None]
    before: Callable[[Fleet], None] | None = None


@dataclass(kw_only=True)
class Round:
    """What one fault came to.

    Attributes:
        fault, number: Which one it was.
        since: Unix seconds when it struck.
        well_s: From then until it paged and every node was ready again; None: it never was.
        next_ack_s: From then until a batch that was posted after it was acknowledged.
        slowest_ack_s: The longest that any batch took to be acknowledged.
        events: Acknowledged.
        unanswered: Batches that were never acknowledged.
        lost, twice: Events that the log lacks, or has more than once.
        miscounted: Whether the counters did not agree with the log.
        unproved: Whether the log, decided again, came to another hash.
        due, lost_pages, other_keys, again: As in `Pages`.
        delays_s, meanwhile_s: As in `Pages`.
        refused: Answers that nobody should get.
        ends: Statuses of nodes that ended otherwise than they should.
        unwell: Who was not ready long after it paged again, and why.
        stumbled: Why it was not played to its end.
    """

    fault: str
    number: int
    since: float = 0.0
    well_s: float | None = None
    next_ack_s: float | None = None
    slowest_ack_s: float = 0.0
    events: int = 0
    unanswered: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    miscounted: bool = False
    unproved: bool = False
    due: int = 0
    lost_pages: list[str] = field(default_factory=list)
    other_keys: list[str] = field(default_factory=list)
    again: int = 0
    delays_s: list[float] = field(default_factory=list)
    meanwhile_s: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    unwell: list[str] = field(default_factory=list)
    stumbled: str = ""

    @property
    def mark(self) -> str:
        """What is in the names of all that is posted in this round."""
        return f"{self.fault}-{self.number}"

    @property
    def broken(self) -> dict[str, Any]:
        """The promises that were broken, each with what broke it."""
        found = {
            "not well again": self.well_s is None,
            "never acknowledged": self.unanswered,
            "events lost": self.lost,
            "events twice": self.twice,
            "counters disagree": self.miscounted,
            "decided otherwise": self.unproved,
            "pages lost": self.lost_pages,
            "pages twice, under other keys": self.other_keys,
            "refused": self.refused,
            "stumbled": self.stumbled,
        }
        return {name: what for name, what in found.items() if what}


def play(fleet: Fleet, fault: Fault, one: Round, *, chance: random.Random) -> None:
    """Have a fault strike a fleet under load, and note what it came to.

    Raises:
        AssertionError: The fleet does not page before it, or nobody is elected.
    """
    if fault.before is not None:
        fault.before(fleet)
    fleet.senders.begin(one.mark)
    assert until(lambda: _paged(fleet, one, since=0.0) >= 2, RECOVERED_S), fleet.said()
    time.sleep(chance.uniform(0.0, 0.3))  # at any point of what goes on
    ended = {node.name: len(node.ends) for node in fleet.nodes.values()}
    refused = len(fleet.senders.book.refused)
    one.since = time.time()
    fault.strike(fleet, chance)
    over = time.time()
    until(lambda: _paged(fleet, one, since=over) >= 2, RECOVERED_S)
    if not until(fleet.is_well, LONG_S):
        one.unwell = fleet.unwell()
    if until(fleet.is_well, RECOVERED_S):
        one.well_s = time.time() - one.since
    fleet.senders.hold(within_s=ACKNOWLEDGED_S)
    until(lambda: _is_quiet(fleet, one), QUIET_S)
    one.refused = fleet.senders.book.refused[refused:]
    for node in fleet.nodes.values():
        odd = [end.status for end in node.ends[ended[node.name] :] if end.status not in _ASKED_FOR]
        one.ends += [f"{node.name}: {status}" for status in odd]
    judge(fleet, one)
    one.miscounted = not _is_counted(fleet)
    one.unproved = not fleet.log.is_proved(fleet.place)


def judge(fleet: Fleet, one: Round) -> None:
    """Note what the log and the receiver say by now; a message may come again later."""
    fleet.log.read(fleet.place)
    batches = fleet.senders.book.of(one.mark)
    due = fleet.senders.book.of(one.mark, must_page=True)
    one.unanswered = [batch.name for batch in batches if batch.acknowledged_at is None]
    one.events = sum(batch.size for batch in batches if batch.acknowledged_at is not None)
    one.lost = fleet.log.lacks(batches)
    one.twice = fleet.log.repeats(batches)
    taken = [(batch.at, batch.acknowledged_at) for batch in batches if batch.acknowledged_at is not None]
    later = [answered for at, answered in taken if at > one.since]
    one.next_ack_s = min(later) - one.since if later else None
    one.slowest_ack_s = max((answered - at for at, answered in taken), default=0.0)
    found = pages(due, fleet.receiver.told, since=one.since)
    one.due, one.lost_pages, one.other_keys, one.again = found.due, found.lost, found.other_keys, found.again
    one.delays_s, one.meanwhile_s = found.delays_s, found.meanwhile_s


def _paged(fleet: Fleet, one: Round, *, since: float) -> int:
    due = {batch.app for batch in fleet.senders.book.of(one.mark, must_page=True) if batch.at > since}
    return len(due & {told.app for told in list(fleet.receiver.told)})


def _is_quiet(fleet: Fleet, one: Round) -> bool:
    try:
        fleet.log.read(fleet.place)
    except (StorageError, DatabaseError):
        return False
    batches = fleet.senders.book.of(one.mark)
    due = {batch.app for batch in batches if batch.must_page}
    return (
        not fleet.log.lacks(batches) and due <= {told.app for told in list(fleet.receiver.told)} and _is_counted(fleet)
    )


def _is_counted(fleet: Fleet) -> bool:
    elected = fleet.elected()
    if elected is None:
        return False
    status, text = elected.ask("/metrics", within_s=10.0)
    logged = {app: n for app, n in fleet.log.by_app.items() if app.startswith("load-")}
    return status == 200 and counted(text) == logged
