"""redis_store: answers in Redis, for all processes of an app. Needs claxon[redis]."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .. import guard
from .store import Kept, check, decode, encode

if TYPE_CHECKING:
    import redis

ANSWER_S = 0.2
"""How long a call waits for Redis, to connect and to answer."""

PAUSE_S = 5.0
"""How long a Redis that did not answer is left alone."""


class RedisStore:
    """Keeps answers in Redis, which lets go of them itself: after `max_age_s`, and by its `maxmemory-policy`.

    A Redis that is away costs a call 0.2 s at most, and that of each thread once in 5 s.

    Args:
        where: Such as `redis://host:6379/0`, or a client of the package `redis`.
        prefix: Of its keys.
        max_age_s: How long it keeps an answer, in seconds.
        most_mb: Of one answer, in megabytes.
        clock: Monotonic seconds.

    Raises:
        ValueError: A URL that is none; the package `redis` is missing.
    """

    blocking = True

    def __init__(
        self,
        where: str | redis.Redis,
        *,
        prefix: str = "claxon:stale:",
        max_age_s: float = 7 * 86_400.0,
        most_mb: float = 4.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        check("RedisStore", "max_age_s", max_age_s, 1)
        check("RedisStore", "most_mb", most_mb, 0.001)
        self._redis: Any = _connect(where) if isinstance(where, str) else where
        self._prefix = prefix
        self._max_age_s = max_age_s
        self._most_bytes = int(most_mb * 1e6)
        self._clock = clock
        self._not_before = float("-inf")

    def __str__(self) -> str:
        return "Redis"

    def get(self, key: str) -> Kept | None:
        """Return the answer of a key; None if there is none, or Redis is away."""
        found = self._do(lambda: self._redis.get(self._prefix + key))
        return decode(found) if isinstance(found, bytes) else None

    def put(self, key: str, kept: Kept) -> None:
        """Keep an answer, if Redis is there."""
        if len(kept.body) <= self._most_bytes:
            self._do(lambda: self._redis.set(self._prefix + key, encode(kept), ex=int(self._max_age_s)))

    def _do(self, work: Callable[[], object]) -> object:
        if self._clock() < self._not_before:
            return None
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - of a package that may raise what it likes; a call goes on without
            self._not_before = self._clock() + PAUSE_S
            guard.warn_once("stale redis", f"RedisStore: {type(error).__name__}: no older answers until it is back")
            return None


def _connect(url: str) -> Any:
    try:
        import redis
    except ImportError as error:
        raise ValueError(f"RedisStore: {error}: install claxon[redis]") from error
    try:
        return redis.Redis.from_url(url, socket_connect_timeout=ANSWER_S, socket_timeout=ANSWER_S)
    except ValueError as error:
        raise ValueError(f"RedisStore: {urlsplit(url).scheme}: {error}: give a URL like redis://host:6379/0") from None
