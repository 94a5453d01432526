"""A shard that counts: each event becomes a row, in the transaction in which its offset moves.

As a program it owns partitions as a node does, to be killed, paused and cut off:
`python -m tests.support.counting LOG DATABASE NODE [FOLDER]`. While FOLDER holds a file `hold`, it stays inside its
next transaction, and says so on its output.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import msgspec
import psutil

from service.decoding import decode_logged
from service.logs import configure_logs
from service.nodes.partition_owner import PartitionOwner
from service.nodes.shard import Logged
from service.storage import event_log
from service.storage.database import open_beside
from service.storage.kafka_url import parse_kafka_url
from service.storage.partitions import Tenure
from service.storage.places import place_of
from service.storage.topics import open_group
from tests.support.postgres import Postgres
from tests.support.process_tree import continue_tree, kill_tree, lives, pause_tree
from tests.support.repository import ROOT

TABLE = """
CREATE TABLE counted (
  id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event TEXT, app TEXT, environment TEXT,
  partition BIGINT, place BIGINT, generation BIGINT, node TEXT
)
"""
_ROW = "INSERT INTO counted (event, app, environment, partition, place, generation, node) VALUES (?, ?, ?, ?, ?, ?, ?)"


class CountingShard:
    """Counts, and holds on inside a transaction while it is told to."""

    def __init__(self, tenure: Tenure, *, node: str, folder: Path | None = None) -> None:
        self._tenure = tenure
        self._node = node
        self._hold = folder / "hold" if folder is not None else None

    def take(self, messages: Sequence[Logged], now: float) -> None:
        tenure = self._tenure
        newest = messages[-1]
        standing = msgspec.structs.replace(
            tenure.standing, next_offset=newest.offset + 1, logged_at=newest.logged_at, at=now
        )
        with tenure.transaction(standing):
            for message in messages:
                self._count(message, now)
            self._stay()

    def tick(self, now: float) -> None:
        """Nothing is due."""

    def end(self) -> None:
        """Nothing is remembered."""

    def _count(self, message: Logged, now: float) -> None:
        found, tenure = message.envelope, self._tenure
        if found.key is not None:
            if event_log.seen_answer(tenure.connection, found.key) is not None:
                return
            event_log.remember_answer(tenure.connection, found.key, "", now)
        body = event_log.expanded(found.body)
        if body is None:
            raise ValueError("body: damaged")
        events = decode_logged(body, received_at=found.received_at, app=found.app, skip=[])
        where = (tenure.partition, message.offset, tenure.generation, self._node)
        tenure.connection.executemany(
            _ROW, [(event.event_id, event.app, event.environment, *where) for event in events]
        )

    def _stay(self) -> None:
        if self._hold is None or not self._hold.exists():
            return
        print("in a transaction", flush=True)
        while self._hold.exists():
            threading.Event().wait(0.01)


class OwnerProcess:
    """A node of its own that owns partitions.

    Attributes:
        node: Its name.
    """

    def __init__(self, process: subprocess.Popen[str], node: str, folder: Path) -> None:
        self.node = node
        self._process = process
        self._hold = folder / "hold"

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def hold(self) -> None:
        """Have it stay inside its next transaction; return when it does."""
        self._hold.touch()
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "in a transaction\n"

    def go_on(self) -> None:
        """Have it end that."""
        self._hold.unlink()

    def kill9(self) -> None:
        """Kill it as `kill -9` does."""
        kill_tree(self.pid)
        self._process.wait(timeout=10)

    def pause(self) -> None:
        """Have it stand still."""
        pause_tree(self.pid)

    def cont(self) -> None:
        """Let it go on."""
        continue_tree(self.pid)

    def terminate(self) -> None:
        """End it in good order."""
        self._process.terminate()
        assert self._process.wait(timeout=30) == 0


@contextlib.contextmanager
def owner_process(
    log: str, database: str, node: str, folder: Path, *, before: Sequence[str] = ()
) -> Iterator[OwnerProcess]:
    """Run one until the block ends; its log is in the folder.

    Args:
        log: The topic's URL.
        database: PostgreSQL's.
        node: Its name.
        folder: Of its own.
        before: What runs it, as in a network of its own.
    """
    folder.mkdir()
    with (folder / "log").open("wb") as said:
        process = subprocess.Popen(
            [*before, sys.executable, "-m", "tests.support.counting", log, database, node, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            cwd=ROOT,
            text=True,
            start_new_session=True,
        )
    try:
        yield OwnerProcess(process, node, folder)
    finally:
        if process.poll() is None and lives(psutil.Process(process.pid)):
            kill_tree(process.pid)
        process.wait(timeout=10)
        assert process.stdout is not None
        process.stdout.close()


class Counted:
    """What was counted, in the database."""

    def __init__(self, server: Postgres, database: str) -> None:
        self.url = server.url(database)
        self._server = server
        self._database = database

    def sql(self, question: str) -> list[list[str]]:
        """Return rows of an answer, as text."""
        return [line.split("|") for line in self._server.sql(question, self._database).splitlines()]

    def events(self) -> list[str]:
        """Return which events were counted, each as often as it was, in the order of their commits."""
        return [row[0] for row in self.sql("SELECT event FROM counted ORDER BY id")]

    def by_key(self) -> dict[tuple[str, str], list[str]]:
        """Return the events of each app and environment, in the order in which they were counted."""
        found: dict[tuple[str, str], list[str]] = {}
        for event, app, environment in self.sql("SELECT event, app, environment FROM counted ORDER BY id"):
            found.setdefault((app, environment), []).append(event)
        return found

    def owners(self) -> dict[int, str]:
        """Return who owns each partition."""
        rows = self.sql("SELECT partition, owner FROM partitions")
        return {int(partition): owner for partition, owner in rows}

    def generations(self) -> dict[int, int]:
        """Return how many owners each partition had."""
        return {int(row[0]): int(row[1]) for row in self.sql("SELECT partition, generation FROM partitions")}


def until(holds: object, *, within_s: float = 60, what: str = "") -> float:
    """Return how long it took until a question is answered with yes."""
    began = time.monotonic()
    assert callable(holds)
    while not holds():
        assert time.monotonic() - began < within_s, what or "too late"
        threading.Event().wait(0.02)
    return time.monotonic() - began


def _main() -> None:
    log, database, node, folder = sys.argv[1:]
    configure_logs("debug", as_json=True)
    url, place = parse_kafka_url(log), place_of(database)
    owner = PartitionOwner(
        partial(open_group, url, node=node),
        partial(open_beside, place),
        partial(CountingShard, node=node, folder=Path(folder)),
        node=node,
    )
    import signal

    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    owner.start()
    ended.wait()
    owner.stop()


if __name__ == "__main__":
    _main()
