"""Stores of older answers: bounded, shared, and no reason for a call to fail or to wait."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from claxon.stale import DiskStore, Kept, MemoryStore, RedisStore, Store, resting

from tests.support.peers import start_redis

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


def test_after_a_failure_one_call_asks_for_all() -> None:
    now = [0.0]
    rest = resting.Rest("It", clock=lambda: now[0])
    assert rest.may_ask()
    rest.failed(OSError())
    assert not rest.may_ask()
    now[0] = resting.PAUSE_S
    assert [rest.may_ask() for _ in range(3)] == [True, False, False]
    rest.answered()
    assert [rest.may_ask() for _ in range(3)] == [True, True, True]


@pytest.mark.parametrize("make", [lambda path: MemoryStore(clock=time.time), lambda path: DiskStore(path / "a.db")])
def test_what_is_too_old_can_be_deleted(make: Callable[[Path], Store], tmp_path: Path) -> None:
    store = make(tmp_path)
    store.put("new", kept(at=time.time()))
    assert store.delete_expired() == 0
    store.put("old", kept(at=1.0))

    assert store.delete_expired() == 1
    assert store.get("new") is not None


def test_a_store_that_nobody_uses_any_more_is_let_go() -> None:
    """What is called after a fork must not hold on to it, with all its answers."""
    store = MemoryStore()
    gone = weakref.ref(store)
    del store
    gc.collect()

    assert gone() is None
