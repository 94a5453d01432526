"""What tests of partitions' owners share: who sends numbered events, who owns, and what must have become of them."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
from pathlib import Path

from service.nodes.kafka_writer import KafkaWriter
from service.storage import event_log
from service.storage.errors import DatabaseError
from service.storage.kafka_url import KafkaUrl
from service.storage.topics import open_producer
from service.work import Ingest, Posted
from tests.support.counting import Counted, OwnerProcess, owner_process, until

APPS = [f"app-{n}" for n in range(20)]
NOW = 1_790_000_000.0


class Sender:
    """Posts batches of numbered events on and on, each again with the same key until it is acknowledged."""

    def __init__(self, log: KafkaUrl) -> None:
        self.acknowledged: list[str] = []
        self.refused = 0
        self._writer = KafkaWriter(open_producer(log), node="ingest")
        self._writer.start()
        until(lambda: not self._writer.refusal)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._numbers = itertools.count()

    def send(self, n: int, *, at_once: int = 20) -> None:
        """Post so many batches, and return when all are acknowledged."""
        for first in range(0, n, at_once):
            works = [self._work() for _ in range(min(at_once, n - first))]
            while works:
                for work, _ in works:
                    self._writer.ingest(work)
                works = [again for work, ids in works if (again := self._settle(work, ids)) is not None]

    def begin(self) -> None:
        """Post in a thread until `end`."""
        self._thread.start()

    def end(self) -> None:
        """End that when what was posted is acknowledged."""
        self._ended.set()
        self._thread.join()

    def close(self) -> None:
        """End what it posts with."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        self._writer.stop()

    def _run(self) -> None:
        # No faster than what counts them, on a machine that is busy.
        while not self._ended.wait(0.1):
            self.send(5, at_once=5)

    def _work(self) -> tuple[Ingest, list[str]]:
        number = next(self._numbers)
        ids = [f"{number:06}-{k}" for k in range(3)]
        # Of two apps, so most batches have parts in two partitions.
        apps = [APPS[number % 20], APPS[number % 20], APPS[(number + 7) % 20]]
        events = [{"model": "m", "event_id": id_, "app": app} for id_, app in zip(ids, apps, strict=True)]
        body = json.dumps(events).encode()
        posted = Posted(body, event_log.compress(body))
        return Ingest(batch=posted, received_at=NOW, app="default", key=str(number)), ids

    def _settle(self, work: Ingest, ids: list[str]) -> tuple[Ingest, list[str]] | None:
        try:
            work.done.result(timeout=30)
        except DatabaseError:
            self.refused += 1
            again = Ingest(batch=work.batch, received_at=NOW, app=work.app, key=work.key)
            return again, ids
        self.acknowledged += ids
        return None


class Owners:
    """Starts nodes that own partitions."""

    def __init__(self, log: KafkaUrl, counted: Counted, folder: Path, stack: contextlib.ExitStack) -> None:
        """Take what all of them share."""
        self._log = log
        self._counted = counted
        self._folder = folder
        self._stack = stack

    def start(self, node: str, *, log: KafkaUrl | None = None, database: str = "") -> OwnerProcess:
        """Start one, perhaps with ways of its own; return when it owns a partition."""
        where = (str(log or self._log), database or self._counted.url)
        found = self._stack.enter_context(owner_process(*where, node, self._folder / node))
        until(lambda: node in self._counted.owners().values(), what=f"{node}: owns nothing")
        return found


def everything_once(counted: Counted, sender: Sender) -> None:
    """Wait until all that was acknowledged is counted, each once, and of each app in the order in which it was sent."""
    until(lambda: set(sender.acknowledged) <= set(counted.events()), what="not all of it is counted")
    events = counted.events()
    assert len(events) == len(set(events)), "counted twice"
    assert set(events) == set(sender.acknowledged)
    assert all(found == sorted(found) for found in counted.by_key().values())
