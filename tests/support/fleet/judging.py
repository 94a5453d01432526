"""What became of what was posted: the log, read beside the nodes, and the receiver, compared with the senders' book.

≠ which fault there was.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from service.proof import prove
from service.storage import event_log
from service.storage.connecting import Connection
from service.storage.database import ReadTransaction, open_reader
from service.storage.places import Place
from tests.support.fleet.receiver import Told
from tests.support.fleet.sending import Posted

SLOW_S = 1.0
"""A page that comes later than that waited for something."""

_COUNTED = re.compile(r'^claxon_attempts_total\{app="(load-[^"]*)",.*\} (\S+)$', re.MULTILINE)


class _Event(msgspec.Struct):
    event_id: str = ""
    app: str = ""


_EVENTS = msgspec.json.Decoder(list[_Event])


class Log:
    """What the log holds, read on from where it was read before.

    Attributes:
        times: How often each event is in it, by its id.
        by_app: How many events each app has.
    """

    def __init__(self) -> None:
        """Have read nothing."""
        self.times: Counter[str] = Counter()
        self.by_app: Counter[str] = Counter()
        self._offset = -1

    def read(self, place: Place) -> None:
        """Read what was added.

        Raises:
            StorageError: The database cannot be reached now.
        """
        reader = open_reader(place)
        try:
            for row in self._rows(reader):
                self._offset = row.offset
                left_out = set(row.skip)
                for i, event in enumerate(_EVENTS.decode(row.body) if row.n else ()):
                    if i not in left_out:
                        self.note(event.event_id, event.app)
        finally:
            reader.close()

    def note(self, event_id: str, app: str) -> None:
        """Count an event."""
        self.times[event_id] += 1
        self.by_app[app] += 1

    def is_proved(self, place: Place) -> bool:
        """Whether all of it, decided again, comes to the hash that was committed: what `claxon verify` says."""
        reader = open_reader(place)
        try:
            return prove(reader).same
        finally:
            reader.close()

    def close(self) -> None:
        """Read no more."""

    def _rows(self, reader: Connection) -> Iterable[event_log.LoggedBatch]:
        with ReadTransaction(reader):
            yield from event_log.read(reader, self._offset)

    def lacks(self, batches: Iterable[Posted]) -> list[str]:
        """Return the acknowledged events that it does not hold."""
        return [
            name for one in batches if one.acknowledged_at is not None for name in _events(one) if not self.times[name]
        ]

    def repeats(self, batches: Iterable[Posted]) -> list[str]:
        """Return the events that it holds more than once."""
        return [name for one in batches for name in _events(one) if self.times[name] > 1]


def _events(posted: Posted) -> list[str]:
    return [f"{posted.name}/{i}" for i in range(posted.size)]


@dataclass(frozen=True, kw_only=True)
class Pages:
    """What became of the apps that must page.

    Attributes:
        due: How many there were.
        lost: Those of which no page came.
        other_keys: Those of which several came, not all under one key.
        again: Pages that came again under the same key, which vendors show as one.
        delays_s: From the first try to post until the page, of each page that came.
        meanwhile_s: The same, of those that were posted while paging was disturbed.
    """

    due: int
    lost: list[str]
    other_keys: list[str]
    again: int
    delays_s: list[float]
    meanwhile_s: list[float]


def pages(due: Sequence[Posted], told: Sequence[Told], *, since: float) -> Pages:
    """Compare what had to page with what the receiver was told.

    Args:
        due: Batches of an app each.
        told: What came.
        since: Unix seconds of the fault. Paging is disturbed from then on, until each page comes within a second again.
    """
    came: dict[str, list[Told]] = {}
    for one in told:
        came.setdefault(one.app, []).append(one)
    spans = [(posted.at, came[posted.app][0].at) for posted in due if posted.app in came]
    ends = [at for begun, at in spans if at > since and at - begun > SLOW_S]
    until = max(ends, default=since + SLOW_S)
    return Pages(
        due=len(due),
        lost=[posted.app for posted in due if posted.app not in came],
        other_keys=[posted.app for posted in due if len({one.key for one in came.get(posted.app, ())}) > 1],
        again=sum(len(came.get(posted.app, ())) - len({one.key for one in came.get(posted.app, ())}) for posted in due),
        delays_s=[at - begun for begun, at in spans],
        meanwhile_s=[at - begun for begun, at in spans if at > since and begun < until],
    )


def counted(metrics: str) -> Counter[str]:
    """Return how many events of each app of batches were counted, as /metrics says."""
    found: Counter[str] = Counter()
    for app, n in _COUNTED.findall(metrics):
        found[app] += round(float(n))
    return found
