"""Older answers in Redis: a real one; and one that is away costs little."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import redis.asyncio
from claxon.stale import Kept, RedisStore, resting

from tests.support.peers import free_port, start_redis

NOW = 1_000_000.0


def kept(body: bytes = b"answer", at: float = NOW) -> Kept:
    return Kept(at=at, kind="application/json", body=body)


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Redis."""
    with start_redis(tmp_path_factory.mktemp("redis")) as running:
        yield running.url


@pytest.mark.parametrize("where", ["nobody", "silent"])
def test_a_redis_that_is_away_costs_little_and_only_once(where: str, caplog: pytest.LogCaptureFixture) -> None:
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


@pytest.mark.peer("redis")
def test_a_redis_that_is_back_is_used_again(tmp_path: Path, redis_url: str) -> None:
    """One that went away while it was in use, and another came in its place."""
    now = [0.0]
    with start_redis(tmp_path) as first:
        store = RedisStore(first.url, clock=lambda: now[0])
        store.put("a", kept())
        assert store.get("a") == kept()
    assert store.get("a") is None
    store._redis = RedisStore(redis_url)._redis
    store.put("a", kept())
    assert store.get("a") is None, "it is left alone"
    now[0] += resting.PAUSE_S
    store.put("a", kept())
    assert store.get("a") == kept()


@pytest.mark.peer("redis")
def test_redis_lets_go_of_answers_itself(redis_url: str) -> None:
    store = RedisStore(redis_url, prefix="age:", max_age_s=100)
    store.put("a", kept())

    with redis.Redis.from_url(redis_url) as client:
        assert 0 < client.ttl("age:a") <= 100
    assert store.delete_expired() == 0


@pytest.mark.peer("redis")
def test_what_is_not_ours_in_redis_is_no_answer(redis_url: str) -> None:
    with redis.Redis.from_url(redis_url) as client:
        client.set("not:a", b"hello")
    assert RedisStore(redis_url, prefix="not:").get("a") is None


def test_a_password_is_never_quoted() -> None:
    for url in ("redis://:s3cr/et@host:6379/0", "redis://me:s3cr#et@host/0", "http://s3cr@host"):
        with pytest.raises(ValueError, match="RedisStore: where: not a URL of Redis") as raised:
            RedisStore(url)
        assert "s3cr" not in str(raised.value)


def test_a_client_of_redis_that_cannot_serve_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="RedisStore: where: an async client"):
        RedisStore(redis.asyncio.Redis())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="RedisStore: where: decode_responses"):
        RedisStore(redis.Redis(decode_responses=True))
