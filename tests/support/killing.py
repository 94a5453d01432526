"""Senders of batches against a service that is killed, as by kill -9, again and again; and what its log says of them.

Every event carries a name of its own, as its `request_id`. What was acknowledged must be in the log, and what had a
key or an id only once, however often it was posted.
"""

from __future__ import annotations

import http.client
import itertools
import json
import random
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

import msgspec

from service.proof import prove
from service.storage import event_log
from service.storage.database import open_reader
from service.storage.places import Place
from tests.support.running import Process

SIZES = (1, 1, 7, 50, 50, 500, 500, 5000)
"""Events of a batch; one of these, by chance."""

_FELL = (OSError, http.client.HTTPException)
_COUNTED = re.compile(r'^claxon_attempts_total\{app="([^"]*)",.*\} (\S+)$', re.MULTILINE)
_MISMATCHES = re.compile(r"^claxon_ledger_mismatches_total (\S+)$", re.MULTILINE)


class By(StrEnum):
    """What makes a re-post harmless."""

    KEY = "idempotency key"
    IDS = "event ids"
    NOTHING = "neither"


@dataclass(slots=True)
class Book:
    """What one kind of sender knows.

    Attributes:
        acknowledged: Batches that were answered with 202, and how many events each has.
        reposted: How many of them were posted more than once.
    """

    acknowledged: dict[str, int] = field(default_factory=dict)
    reposted: int = 0

    @property
    def events(self) -> int:
        """How many were acknowledged."""
        return sum(self.acknowledged.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one look at the log found, of one kind of sender.

    Attributes:
        lost: Events that were acknowledged, and that the log does not hold.
        twice: Events that the log holds more than once.
        unanswered: Events in the log whose batch was not acknowledged yet: the process died before the answer.
    """

    lost: int
    twice: int
    unanswered: int


class Senders:
    """Post batches of mixed sizes, each until it is acknowledged, as the client does; hold still between rounds."""

    def __init__(self, *ports: int, each: int = 2, seed: int = 1) -> None:
        """Take the ports of a service, or of its nodes.

        Args:
            ports: A sender goes to the next of them whenever it was not answered, or told to send again.
            each: How many senders there are of each kind.
            seed: Of chance.
        """
        self.books = {by: Book() for by in By}
        self._ports = ports
        self._go = threading.Event()
        self._ended = False
        self._idle = threading.Semaphore(0)
        self._threads = [
            threading.Thread(target=self._run, args=(by, f"{by.name.lower()}-{n}", random.Random(f"{seed}/{by}/{n}")))
            for by in By
            for n in range(each)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._go.set()
        for thread in self._threads:
            thread.join()

    def begin(self) -> None:
        """Let all of them post."""
        self._go.set()

    def hold(self) -> None:
        """Have all of them stop after the request they are in; return when they have."""
        self._go.clear()
        for _ in self._threads:
            self._idle.acquire()

    def _run(self, by: By, app: str, chance: random.Random) -> None:
        number = 0
        waiting: _Batch | None = None
        tries = 0
        ports = itertools.cycle(self._ports)
        # The first of each kind to the first, the second to the second, and so on.
        for _ in range(int(app.rpartition("-")[2]) % len(self._ports)):
            next(ports)
        while True:
            self._go.wait()
            if self._ended:
                return
            link = http.client.HTTPConnection("127.0.0.1", next(ports), timeout=20)
            while self._go.is_set() and not self._ended:
                if waiting is None:
                    waiting, tries = _batch(by, app, number, chance), 0
                    number += 1
                tries += 1
                try:
                    taken = _post(link, waiting.body, waiting.headers)
                except _FELL:
                    taken = False
                if not taken:
                    link.close()
                    link = http.client.HTTPConnection("127.0.0.1", next(ports), timeout=20)
                    time.sleep(0.01)
                else:
                    book = self.books[by]
                    book.acknowledged[waiting.name] = waiting.size
                    book.reposted += tries > 1
                    waiting = None
            link.close()
            self._idle.release()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Batch:
    name: str
    size: int
    body: bytes
    headers: dict[str, str]


def _batch(by: By, app: str, number: int, chance: random.Random) -> _Batch:
    name, size = f"{app}/{number}", chance.choice(SIZES)
    events: list[dict[str, Any]] = [
        {"model": "m", "app": app, "status": 200 if chance.random() < 0.98 else 500, "request_id": f"{name}/{i}"}
        for i in range(size)
    ]
    headers = {"Content-Type": "application/json"}
    if by is By.KEY:
        headers["Idempotency-Key"] = name
    if by is By.IDS:
        for event in events:
            event["event_id"] = event["request_id"]
    return _Batch(name=name, size=size, body=json.dumps(events).encode(), headers=headers)


def _post(link: http.client.HTTPConnection, body: bytes, headers: dict[str, str]) -> bool:
    link.request("POST", "/v1/events", body, headers)
    answer = link.getresponse()
    said = answer.read()
    if answer.status not in (202, 429, 503):
        raise AssertionError((answer.status, said))
    return answer.status == 202


class Log:
    """What the log of a service holds, read on from where it was read before."""

    def __init__(self, data: Place) -> None:
        self._data = data
        self._offset = -1
        # How often each event of each batch is there; of those that are whole and acknowledged only that they are.
        self._batches: dict[str, dict[int, int]] = {}
        self._whole: set[str] = set()
        self._twice: Counter[By] = Counter()
        self.by_app: Counter[str] = Counter()

    def read(self) -> None:
        """Read what was added."""
        reader = open_reader(self._data)
        for row in event_log.read(reader, self._offset):
            self._offset = row.offset
            left_out = set(row.skip)
            for i, event in enumerate(_EVENTS.decode(row.body) if row.n else ()):
                if i not in left_out:
                    batch, _, place = event.request_id.rpartition("/")
                    self._note(batch, int(place))
                    self.by_app[event.app] += 1
        reader.close()

    def _note(self, batch: str, place: int) -> None:
        times = self._batches.setdefault(batch, {})
        times[place] = times.get(place, 0) + 1
        if times[place] == 2 or batch in self._whole:
            self._twice[By[batch.partition("-")[0].upper()]] += 1

    def compare(self, by: By, book: Book) -> Found:
        """Return what it says of one kind of sender."""
        mine = {name: times for name, times in self._batches.items() if name.startswith(by.name.lower())}
        lost = 0
        for name, size in book.acknowledged.items():
            if name not in self._whole:
                missing = size - len(mine.pop(name, ()))
                lost += missing
                if not missing:
                    self._whole.add(name)
                    del self._batches[name]
        unanswered = sum(len(times) for name, times in mine.items() if name not in self._whole)
        return Found(lost=lost, twice=self._twice[by], unanswered=unanswered)


class _Event(msgspec.Struct):
    request_id: str
    app: str


_EVENTS = msgspec.json.Decoder(list[_Event])


@dataclass(slots=True)
class Story:
    """What some kills came to.

    Attributes:
        kills: How many.
        lost: Acknowledged events that the log did not hold after a restart, by kind; summed over all restarts.
        twice: Events that the log held more than once at the end, by kind.
        unanswered: Events that were in the log after a restart, and had not been acknowledged; summed.
        miscounted: Restarts after which the counters did not agree with the log.
        mismatches: Restarts whose replay decided otherwise than what was committed.
        proofs: How often the whole log was decided again.
        unproved: How often that came to another hash.
        restart_s: How long each restart took, until ready.
    """

    kills: int = 0
    lost: Counter[By] = field(default_factory=Counter)
    twice: Counter[By] = field(default_factory=Counter)
    unanswered: Counter[By] = field(default_factory=Counter)
    miscounted: int = 0
    mismatches: int = 0
    proofs: int = 0
    unproved: int = 0
    restart_s: list[float] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether every promise was kept; without a key or ids an event may come twice."""
        twice = self.twice[By.KEY] + self.twice[By.IDS]
        return not (sum(self.lost.values()) or twice or self.miscounted or self.mismatches or self.unproved)


def kill_again_and_again(
    folder: Path, kills: int, *, longest_s: float, prove_every: int, each: int = 2, seed: int = 1
) -> tuple[Story, dict[By, Book]]:
    """Start a service in a folder, kill it so many times under load, and return what became of the events.

    Args:
        folder: For its data and its log.
        kills: How often.
        longest_s: A kill comes at most so long after the load began; when, is chance.
        prove_every: After so many kills the whole log is decided again, beside the service.
        each: Senders of each kind.
        seed: Of chance.
    """
    claxon = Process(folder)
    claxon.start()
    story, log, chance = Story(), Log(claxon.data), random.Random(seed)
    with Senders(claxon.port, each=each, seed=seed) as senders:
        for number in range(1, kills + 1):
            senders.begin()
            time.sleep(chance.uniform(0.02, longest_s))
            claxon.kill()
            senders.hold()
            began = time.monotonic()
            claxon.start()
            story.restart_s.append(time.monotonic() - began)
            story.kills += 1
            _look(claxon, log, senders.books, story)
            if number % prove_every == 0 or number == kills:
                story.proofs += 1
                story.unproved += not is_proved(claxon.data)
    claxon.kill()
    return story, senders.books


def _look(claxon: Process, log: Log, books: dict[By, Book], story: Story) -> None:
    log.read()
    for by, book in books.items():
        found = log.compare(by, book)
        story.lost[by] += found.lost
        story.twice[by] = found.twice
        story.unanswered[by] += found.unanswered
    text = claxon.get("/metrics")
    story.miscounted += counted(text) != log.by_app
    [mismatches] = _MISMATCHES.findall(text)
    story.mismatches += float(mismatches) != 0


def counted(metrics: str) -> Counter[str]:
    """Return how many attempts each app made, as /metrics says."""
    found: Counter[str] = Counter()
    for app, n in _COUNTED.findall(metrics):
        found[app] += round(float(n))
    return found


def is_proved(data: Place) -> bool:
    """Return whether the whole log, decided again, comes to what was committed."""
    reader = open_reader(data)
    try:
        return prove(reader).same
    finally:
        reader.close()
