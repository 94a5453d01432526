"""Stores of older answers: bounded, shared, and no reason for a call to fail or to wait."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from claxon.stale import DiskStore, Kept, MemoryStore, RedisStore, Store

from tests.support.peers import free_port, start_redis

NOW = 1_000_000.0


def kept(body: bytes = b"answer", at: float = NOW) -> Kept:
    return Kept(at=at, kind="application/json", body=body)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis."""
    with start_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running.url


@pytest.fixture(params=["memory", "disk", pytest.param("redis", marks=pytest.mark.peer("redis"))])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Each store in turn."""
    if request.param == "memory":
        return MemoryStore(clock=lambda: NOW)
    if request.param == "disk":
        return DiskStore(tmp_path / "answers.db", clock=lambda: NOW)
    return RedisStore(request.getfixturevalue("redis_url"), prefix=f"{tmp_path}:")


def test_a_store_gives_back_what_was_put(store: Store) -> None:
    assert store.get("a") is None
    store.put("a", kept())
    store.put("b", kept(b"\x00\xff"))
    store.put("a", kept(b"newer"))

    assert store.get("a") == kept(b"newer")
    assert store.get("b") == kept(b"\x00\xff")


def test_threads_share_a_store(store: Store) -> None:
    faults: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for number in range(20):
                store.put(f"{name}{number}", kept(name.encode()))
                assert store.get(f"{name}{number}") == kept(name.encode())
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcdefgh"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert faults == []


def test_memory_lets_go_of_what_was_used_longest_ago() -> None:
    store = MemoryStore(most_answers=2, clock=lambda: NOW)
    store.put("a", kept())
    store.put("b", kept())
    store.get("a")
    store.put("c", kept())

    assert [store.get(key) is not None for key in "abc"] == [True, False, True]


def test_memory_is_bounded_by_bytes() -> None:
    store = MemoryStore(most_mb=0.001, clock=lambda: NOW)
    store.put("a", kept(b"x" * 600))
    store.put("b", kept(b"x" * 600))
    store.put("huge", kept(b"x" * 1001))

    assert [store.get(key) is not None for key in ("a", "b", "huge")] == [False, True, False]


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
    assert len(list(tmp_path.glob("answers.db.damaged-*"))) == 1
    assert "set aside" in caplog.text


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
    assert not list(tmp_path.glob("*.damaged-*"))


def test_a_file_that_cannot_be_written_raises_at_once(tmp_path: Path) -> None:
    """The middleware catches it: a call goes on without."""
    (tmp_path / "folder").mkdir()
    with pytest.raises((OSError, sqlite3.Error)):
        DiskStore(tmp_path / "folder").put("a", kept())


@pytest.mark.parametrize("where", ["nobody", "silent"])
def test_a_redis_that_is_away_costs_little_and_only_once(where: str, caplog: pytest.LogCaptureFixture) -> None:
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1] if where == "silent" else free_port()
        now = [0.0]
        store = RedisStore(f"redis://127.0.0.1:{port}/0", clock=lambda: now[0])
        started = time.monotonic()
        for _ in range(50):
            store.put("a", kept())
            assert store.get("a") is None
        assert time.monotonic() - started < 2
        assert caplog.text.count("RedisStore") == 1
        now[0] += 6
        assert store.get("a") is None


@pytest.mark.peer("redis")
def test_a_redis_that_is_back_is_used_again(redis_url: str) -> None:
    now = [0.0]
    store = RedisStore(redis_url, prefix="back:", clock=lambda: now[0])
    store._not_before = 5.0
    store.put("a", kept())
    assert store.get("a") is None
    now[0] = 6.0
    store.put("a", kept())
    assert store.get("a") == kept()
