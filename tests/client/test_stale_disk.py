"""Older answers on disk: bounded, shared by threads and processes, whole after a kill, never a reason to wait."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from claxon.stale import DiskStore, Kept, disk

NOW = 1_000_000.0


def kept(body: bytes = b"answer", at: float = NOW) -> Kept:
    return Kept(at=at, kind="application/json", body=body)


def test_the_disk_is_bounded_by_bytes_and_age(tmp_path: Path) -> None:
    now = [NOW]
    store = DiskStore(tmp_path / "answers.db", most_mb=0.01, max_age_s=100, clock=lambda: now[0])
    for number in range(40):
        store.put(str(number), kept(b"x" * 600, at=NOW + number))
    there = [number for number in range(40) if store.get(str(number)) is not None]

    assert 0 < len(there) <= 16
    assert there[-1] == 39
    now[0] += 200
    assert store.get("39") is None


def test_only_its_owner_reads_the_file(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "answers.db")
    store.put("a", kept())

    for path in tmp_path.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path.name


@pytest.mark.parametrize("damage", [b"no database at all", b""])
def test_a_damaged_file_is_set_aside(damage: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "answers.db"
    store = DiskStore(path)
    store.put("a", kept(b"x" * 50_000))
    store.close()
    content = bytearray(path.read_bytes())
    content[: len(damage) or 4096] = damage or bytes(4096)
    path.write_bytes(content)

    assert store.get("a") is None
    store.put("b", kept(at=time.time()))
    assert store.get("b") is not None
    assert [path.name for path in tmp_path.glob("*.damaged*")] == ["answers.db.damaged"]
    assert "set aside" in caplog.text


def test_what_another_process_began_anew_is_not_set_aside_too(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    stores = [DiskStore(path, clock=lambda: NOW) for _ in range(2)]
    for store in stores:
        store.put("a", kept())
        assert store.get("a") is not None
    with contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))

    assert stores[0].get("a") is None
    stores[0].put("b", kept())
    assert stores[1].get("b") is not None
    assert len(list(tmp_path.glob("*.damaged"))) == 1


def test_a_file_that_was_deleted_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    store = DiskStore(path, clock=lambda: NOW)
    store.put("a", kept())
    for left in tmp_path.iterdir():
        left.unlink()

    assert store.get("a") is None
    store.put("b", kept())
    assert DiskStore(path, clock=lambda: NOW).get("b") is not None


def test_a_database_of_the_apps_own_is_not_touched(tmp_path: Path) -> None:
    """Somebody gives the path of a file that holds something else: what is in it stays."""
    path = tmp_path / "app.db"
    with contextlib.closing(sqlite3.connect(path)) as app:
        app.execute("CREATE TABLE answers (pupil TEXT, mark INTEGER)")
        app.execute("INSERT INTO answers VALUES ('Ada', 1)")
        app.commit()
        store = DiskStore(path, clock=lambda: NOW)
        store.put("a", kept())
        store.close()

        assert app.execute("SELECT * FROM answers").fetchall() == [("Ada", 1)]


def test_the_total_is_right_after_replacing_and_expiring(tmp_path: Path) -> None:
    """It is kept by triggers: were it wrong, the bound would be."""
    now = [NOW]
    path = tmp_path / "answers.db"
    store = DiskStore(path, max_age_s=100, clock=lambda: now[0])
    for size in (500, 100, 300):
        store.put("a", kept(b"x" * size))
    store.put("old", kept(b"x" * 50, at=NOW - 99))
    now[0] += 2
    store.put("b", kept(b"x" * 7))

    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT bytes FROM claxon_answers_1_total").fetchone() == (307,)


def test_putting_takes_no_longer_the_more_is_kept(tmp_path: Path) -> None:
    """No statement of it reads all rows: SQLite says how it finds them."""
    path = tmp_path / "answers.db"
    DiskStore(path).put("a", kept())
    with contextlib.closing(sqlite3.connect(path)) as db:
        for statement, values in ((disk._PUT, ("a", 0, 0, "", "", b"")), (disk._EXPIRED, (0,)), (disk._TOTAL, ())):
            plan = " ".join(row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}", values))
            assert "SCAN claxon_answers_1 " not in f"{plan} "


def test_threads_do_not_queue_for_a_file_that_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process holds it: each call waits for a moment at most, whatever their number."""
    monkeypatch.setattr(disk, "BUSY_S", 0.05)
    path = tmp_path / "answers.db"
    store = DiskStore(path, clock=lambda: NOW)
    store.put("a", kept())
    store.close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        started = time.monotonic()
        with ThreadPoolExecutor(40) as pool:
            list(pool.map(lambda number: store.put(str(number), kept()), range(40)))
        took = time.monotonic() - started
        assert store.get("a") == kept(), "reading needs nobody's leave"

    assert took < 1, "40 times 50 ms are 2 s"


def _fill(path: str, name: str) -> None:
    store = DiskStore(path)
    for number in range(30):
        store.put(f"{name}{number}", Kept(at=time.time(), kind="", body=name.encode()))


def test_processes_share_a_file(tmp_path: Path) -> None:
    path = str(tmp_path / "answers.db")
    DiskStore(path).put("first", kept())
    spawn = multiprocessing.get_context("spawn")
    workers = [spawn.Process(target=_fill, args=(path, name)) for name in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    assert [worker.exitcode for worker in workers] == [0, 0]
    store = DiskStore(path)
    assert all(store.get(f"{name}{number}") is not None for name in "ab" for number in range(30))


def test_a_forked_child_opens_the_file_anew(tmp_path: Path) -> None:
    store = DiskStore(tmp_path / "answers.db", clock=lambda: NOW)
    store.put("a", kept())
    pid = os.fork()
    if pid == 0:
        try:
            store.put("b", kept())
            os._exit(0 if store.get("a") is not None else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(pid, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert store.get("b") is not None


def test_a_kill_in_the_middle_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "answers.db"
    code = f"""
import time
from claxon.stale import DiskStore, Kept
store = DiskStore({str(path)!r})
number = 0
while True:
    store.put(str(number), Kept(at=time.time(), kind="", body=b"x" * 20_000))
    number += 1
    if number == 5:
        print("ready", flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.1)
    process.kill()
    process.wait(10)
    process.stdout.close()
    store = DiskStore(path)

    assert all((found := store.get(str(number))) is not None and len(found.body) == 20_000 for number in range(5))
    assert not list(tmp_path.glob("*.damaged"))


def test_a_file_that_cannot_be_used_is_left_alone(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "folder").mkdir()
    store = DiskStore(tmp_path / "folder")
    for _ in range(3):
        store.put("a", kept())
        assert store.get("a") is None

    assert caplog.text.count("DiskStore: writing folder: OperationalError: no older answers until it works") == 1
    assert (tmp_path / "folder").is_dir()
