"""A write that was torn is cut off, and nothing before it; what a checkpoint tore is mended."""

from __future__ import annotations

import random
import shutil
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from service.storage import event_log
from service.storage.database import Transaction, open_database
from service.storage.event_log import LoggedBatch
from service.storage.scrub import Scrubbed, scrub

FILE = "claxon.sqlite3"
WAL = f"{FILE}-wal"
PAGE = 8192
HEADER, FRAME = 32, 24 + PAGE


class Committed:
    """A folder as `kill -9` leaves it, and how large the write-ahead log was at each acknowledgement."""

    def __init__(self, folder: Path, *, before: int, batches: int) -> None:
        self.folder = folder
        connection = open_database(folder)
        chance = random.Random(7)
        for _ in range(before):
            _append(connection, chance)
        connection.execute("PRAGMA wal_checkpoint(RESTART)")
        self.before = before
        self.sizes = []
        for _ in range(batches):
            _append(connection, chance)
            # Begun anew, the log overwrites what it held: its size is that of the frames that count.
            self.sizes.append(_end_of_frames(folder / WAL))
        self._connection = connection

    def copy(self, folder: Path) -> Path:
        """Return a copy, made while the connection is open: nothing is tidied up."""
        folder.mkdir()
        for name in (FILE, WAL):
            shutil.copy(self.folder / name, folder / name)
        return folder

    def close(self) -> None:
        self._connection.close()


def _append(connection: sqlite3.Connection, chance: random.Random) -> None:
    body = event_log.compress(b"[" + chance.randbytes(chance.choice([10, 500, 30_000])).hex().encode() + b"]")
    with Transaction(connection):
        event_log.append(connection, LoggedBatch(received_at=1, observed_at=1, app="a", n=1, body=b""), body)


def _end_of_frames(wal: Path) -> int:
    raw = wal.read_bytes()
    salt, at = raw[16:24], HEADER
    while raw[at + 8 : at + 16] == salt:
        at += FRAME
    return at


def rows(folder: Path) -> int:
    """Return how many rows of the log there are, after a start; they are its first ones, and all is sound."""
    connection = open_database(folder)
    offsets = [row.offset for row in event_log.read(connection, -1) if not row.unreadable]
    found = Scrubbed()
    for _ in scrub(connection, found):
        pass
    connection.close()
    assert offsets == list(range(1, len(offsets) + 1))
    assert found.clean
    return len(offsets)


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Committed:
    return Committed(tmp_path_factory.mktemp("torn"), before=40, batches=30)


def _cut(raw: bytes, at: int, _: random.Random) -> bytes:
    return raw[:at]


def _garbage(raw: bytes, at: int, chance: random.Random) -> bytes:
    return raw[:at] + chance.randbytes(len(raw) - at)


def _zeros(raw: bytes, at: int, _: random.Random) -> bytes:
    return raw[:at] + bytes(len(raw) - at)


def _one_sector(raw: bytes, at: int, _: random.Random) -> bytes:
    return raw[:at] + bytes(byte ^ 0xFF for byte in raw[at : at + 512]) + raw[at + 512 :]


@pytest.mark.parametrize("tear", [_cut, _garbage, _zeros, _one_sector], ids=lambda tear: tear.__name__.strip("_"))
@pytest.mark.parametrize("seed", range(8))
def test_a_torn_write_ahead_log_keeps_all_that_was_acknowledged_before_the_tear(
    committed: Committed, tmp_path: Path, tear: Callable[[bytes, int, random.Random], bytes], seed: int
) -> None:
    chance = random.Random(seed)
    at = chance.randrange(HEADER, committed.sizes[-1])
    folder = committed.copy(tmp_path / "copy")
    raw = (folder / WAL).read_bytes()

    (folder / WAL).write_bytes(tear(raw, at, chance))

    acknowledged = committed.before + sum(size <= at for size in committed.sizes)
    assert rows(folder) == acknowledged


def test_garbage_behind_the_last_commit_costs_nothing(committed: Committed, tmp_path: Path) -> None:
    folder = committed.copy(tmp_path / "copy")
    raw = (folder / WAL).read_bytes()[: committed.sizes[-1]]

    (folder / WAL).write_bytes(raw + random.Random(3).randbytes(3 * FRAME + 100))

    assert rows(folder) == committed.before + len(committed.sizes)


def test_a_page_that_a_checkpoint_tore_is_mended_from_the_write_ahead_log(committed: Committed, tmp_path: Path) -> None:
    """A checkpoint ends with a sync of the file, and only then may the frames be overwritten."""
    folder = committed.copy(tmp_path / "copy")
    raw = (folder / WAL).read_bytes()
    pages = {struct.unpack(">I", raw[at : at + 4])[0] for at in range(HEADER, committed.sizes[-1], FRAME)}
    file = bytearray((folder / FILE).read_bytes())
    torn = [page for page in sorted(pages) if page * PAGE <= len(file)]
    assert torn
    for page in torn:
        file[page * PAGE - PAGE // 2 : page * PAGE] = bytes(PAGE // 2)

    (folder / FILE).write_bytes(file)

    assert rows(folder) == committed.before + len(committed.sizes)
