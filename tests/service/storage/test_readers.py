"""One service writes, and anybody may read meanwhile, from this process or another one."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from service.storage.database import ReadTransaction, StorageError, open_database, open_reader
from service.storage.folder_lock import FILE, FolderLock, LockedError
from service.storage.wal import WalWatch

ONE = "INSERT INTO event_ids (id, at) VALUES (hex(randomblob(16)), 1)"
COUNT = "SELECT count(*) FROM event_ids"


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_database(tmp_path)
    yield connection
    connection.close()


def count(connection: sqlite3.Connection) -> int:
    return int(connection.execute(COUNT).fetchone()[0])


def test_a_reader_sees_what_is_committed_and_neither_waits_for_the_other(
    writer: sqlite3.Connection, tmp_path: Path
) -> None:
    writer.execute(ONE)
    reader = open_reader(tmp_path)
    writer.execute("PRAGMA busy_timeout = 0")
    reader.execute("PRAGMA busy_timeout = 0")

    with ReadTransaction(reader):
        assert count(reader) == 1
        writer.execute("BEGIN IMMEDIATE")
        writer.execute(ONE)
        assert count(reader) == 1
        writer.execute("COMMIT")
        assert count(reader) == 1, "a transaction is of one instant"
    assert count(reader) == 2
    reader.close()


def test_a_reader_in_another_process_reads_while_the_service_writes(writer: sqlite3.Connection, tmp_path: Path) -> None:
    writer.execute(ONE)
    program = (
        "import pathlib, sys; from service.storage.database import open_reader;"
        f"print(open_reader(pathlib.Path(sys.argv[1])).execute({COUNT!r}).fetchone()[0])"
    )

    found = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)

    assert found.stdout == "1\n"


def test_a_reader_cannot_write(writer: sqlite3.Connection, tmp_path: Path) -> None:
    reader = open_reader(tmp_path)

    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute(ONE)
    reader.close()


def test_a_read_ends_after_its_time(writer: sqlite3.Connection, tmp_path: Path) -> None:
    reader = open_reader(tmp_path)
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    with pytest.raises(sqlite3.OperationalError, match="interrupted"), ReadTransaction(reader, at_most_s=0.05):
        reader.execute(endless).fetchone()

    assert count(reader) == 0, "the connection is as good as before"
    reader.close()


def test_a_reader_of_a_stopped_service_changes_nothing(tmp_path: Path) -> None:
    connection = open_database(tmp_path)
    connection.execute(ONE)
    connection.close()
    before = (tmp_path / "claxon.sqlite3").read_bytes()

    reader = open_reader(tmp_path)
    assert count(reader) == 1
    reader.close()

    assert (tmp_path / "claxon.sqlite3").read_bytes() == before
    assert count(open_database(tmp_path)) == 1


def test_a_reader_after_a_crash_leaves_the_write_ahead_log_to_the_service(tmp_path: Path) -> None:
    """Only who writes empties it: two that do so at once have corrupted databases, in versions of SQLite we run on."""
    kill(tmp_path, f"connection.execute({ONE!r})")
    wal = tmp_path / "claxon.sqlite3-wal"
    before = (wal.read_bytes(), (tmp_path / "claxon.sqlite3").read_bytes())

    reader = open_reader(tmp_path)
    assert count(reader) == 1
    reader.close()

    assert (wal.read_bytes(), (tmp_path / "claxon.sqlite3").read_bytes()) == before
    assert count(open_database(tmp_path)) == 1


def test_there_must_be_something_to_read(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="not there: name the folder"):
        open_reader(tmp_path / "typo")
    assert not (tmp_path / "typo").exists()

    (tmp_path / "claxon.sqlite3").write_bytes(b"my precious notes" * 1000)
    with pytest.raises(StorageError, match="not a database"):
        open_reader(tmp_path)


# ── the lock ──────────────────────────────────────────────────────────────────────────────────────


def kill(folder: Path, then: str = "pass") -> None:
    """Have another process open the database, do something, and die of SIGKILL."""
    program = (
        "import os, pathlib, signal, sys; from service.storage.database import open_database;"
        f"connection = open_database(pathlib.Path(sys.argv[1])); {then}; os.kill(os.getpid(), signal.SIGKILL)"
    )
    died = subprocess.run([sys.executable, "-c", program, str(folder)], check=False)
    assert died.returncode == -signal.SIGKILL


def test_the_lock_of_a_killed_service_is_free(tmp_path: Path) -> None:
    kill(tmp_path)

    open_database(tmp_path).close()


def test_a_database_that_was_closed_can_be_opened_again(tmp_path: Path) -> None:
    open_database(tmp_path).close()
    connection = open_database(tmp_path)

    with pytest.raises(StorageError, match="in use: another Claxon runs on it"):
        open_database(tmp_path)
    connection.close()
    open_database(tmp_path).close()


def test_a_database_that_could_not_be_opened_is_not_locked(tmp_path: Path) -> None:
    connection = open_database(tmp_path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()

    with pytest.raises(StorageError, match="made by a newer Claxon"):
        open_database(tmp_path)

    FolderLock(tmp_path).release()


def test_a_program_that_the_service_starts_does_not_hold_its_lock(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    sleeper = subprocess.Popen(["sleep", "60"], close_fds=False)

    lock.release()

    FolderLock(tmp_path).release()
    sleeper.kill()
    sleeper.wait()


def forked() -> tuple[int, int]:
    """Return the process id of a fork that runs, and the end of a pipe whose closing ends it."""
    waits, ends_it = os.pipe()
    is_up, says_so = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ends_it)
        os.write(says_so, b"1")
        os.read(waits, 1)
        os._exit(0)
    os.close(waits)
    os.read(is_up, 1)
    os.close(is_up)
    os.close(says_so)
    return child, ends_it


def test_a_fork_neither_frees_the_lock_nor_outlives_it(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path)
    child, ends_it = forked()

    with pytest.raises(LockedError):
        FolderLock(tmp_path)
    lock.release()
    FolderLock(tmp_path).release()

    os.close(ends_it)
    assert os.waitpid(child, 0)[1] == 0


def test_the_lock_file_is_for_the_owner_alone(tmp_path: Path) -> None:
    FolderLock(tmp_path).release()

    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


def test_the_database_of_an_older_claxon_that_runs_is_in_use(tmp_path: Path) -> None:
    """Until 0.1 it locked the database's file, and knew nothing of the lock file."""
    open_database(tmp_path).close()
    old = sqlite3.connect(tmp_path / "claxon.sqlite3", isolation_level=None)
    old.execute("PRAGMA locking_mode = EXCLUSIVE")
    old.execute("BEGIN IMMEDIATE")
    old.execute("COMMIT")

    with pytest.raises(StorageError, match="another Claxon runs on it"):
        open_database(tmp_path)
    old.close()


# ── the write-ahead log ───────────────────────────────────────────────────────────────────────────


def test_a_read_that_does_not_end_is_seen_by_the_write_ahead_log_and_holds_nobody_up(
    writer: sqlite3.Connection, tmp_path: Path
) -> None:
    writer.execute("PRAGMA synchronous = OFF")
    watch = WalWatch(writer, tmp_path, large=2_000_000)
    reader = open_reader(tmp_path)
    reader.execute("BEGIN")
    count(reader)
    with capture_logs() as said:
        while watch.look(now=0.0) < 2_000_000:
            writer.execute("INSERT INTO event_ids (id, at) VALUES (hex(randomblob(50000)), 1)")
        held = watch.look(now=1.0)
        reader.execute("ROLLBACK")
        emptied = watch.look(now=2.0)

    assert held >= 2_000_000
    assert emptied == 0
    assert [line["event"] for line in said] == ["wal.large"], "once, and not at each look"
    assert writer.execute("PRAGMA busy_timeout").fetchone() == (5000,)
    reader.close()


def test_the_write_ahead_log_is_cut_when_a_long_read_has_ended(writer: sqlite3.Connection, tmp_path: Path) -> None:
    writer.execute("PRAGMA synchronous = OFF")
    reader = open_reader(tmp_path)
    reader.execute("BEGIN")
    count(reader)
    for _ in range(100):
        writer.execute("INSERT INTO event_ids (id, at) VALUES (hex(randomblob(500000)), 1)")
    wal = tmp_path / "claxon.sqlite3-wal"
    assert wal.stat().st_size > 90_000_000
    reader.execute("ROLLBACK")

    for _ in range(3):
        writer.execute("INSERT INTO event_ids (id, at) VALUES (hex(randomblob(500000)), 1)")

    assert wal.stat().st_size <= 64 * 1024 * 1024
    reader.close()
