"""redis_store: answers in Redis, for all processes of an app. Needs claxon[redis]."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from .resting import Rest
from .store import LARGEST, WEEK_S, Kept, check, decode, encode, renew_after_fork

if TYPE_CHECKING:
    import redis

T = TypeVar("T")

ANSWER_S = 0.2
"""How long a call waits for Redis, to connect and to answer."""


class RedisStore:
    """Keeps answers in Redis, which lets go of them itself: after `max_age_s`, and by its `maxmemory-policy`.

    A Redis that is away costs a call 0.2 s at most, and then one call in 5 s. A
    client of your own has time-outs of its own: give it short ones.

    Args:
        where: Such as `redis://host:6379/0`, or a client of the package `redis`.
        prefix: Of its keys.
        max_age_s: How long it keeps an answer, in seconds.
        clock: Monotonic seconds.

    Raises:
        ValueError: A URL that is none, a client that does not return bytes; the package `redis` is missing.
    """

    blocking = True

    def __init__(
        self,
        where: str | redis.Redis,
        *,
        prefix: str = "claxon:stale:",
        max_age_s: float = WEEK_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        check("RedisStore", "max_age_s", max_age_s, 1)
        self._redis: Any = _connect(where) if isinstance(where, str) else _checked(where)
        self._prefix = prefix
        self._max_age_s = max_age_s
        self._rest = Rest("RedisStore", clock)
        renew_after_fork(self)

    def __str__(self) -> str:
        return "Redis"

    def get(self, key: str) -> Kept | None:
        """Return the answer of a key; None if there is none, or Redis is away."""
        return self._do(lambda: self._read(key))

    def put(self, key: str, kept: Kept) -> None:
        """Keep an answer, if Redis is there."""
        if len(kept.body) <= LARGEST:
            self._do(lambda: self._redis.set(self._prefix + key, encode(kept), ex=int(self._max_age_s)))

    def delete_expired(self) -> int:
        """Return 0: Redis does so itself."""
        return 0

    def _read(self, key: str) -> Kept | None:
        found = self._redis.get(self._prefix + key)
        return None if found is None else decode(found)

    def _do(self, work: Callable[[], T]) -> T | None:
        if not self._rest.may_ask():
            return None
        try:
            found = work()
        except Exception as error:  # noqa: BLE001 - of a package that may raise what it likes; a call goes on without
            self._rest.failed(error)
            return None
        self._rest.answered()
        return found

    def after_fork(self) -> None:
        """Take a new lock; the connections are the package's business."""
        self._rest.after_fork()


def _connect(url: str) -> Any:
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError as error:
        raise ValueError(f"RedisStore: {error}: install claxon[redis]") from error
    try:
        return redis.Redis.from_url(
            url, socket_connect_timeout=ANSWER_S, socket_timeout=ANSWER_S, retry=Retry(NoBackoff(), 0)
        )
    except ValueError:
        # What the package says may quote the password.
        raise ValueError("RedisStore: where: not a URL of Redis: give one like redis://host:6379/0") from None


def _checked(client: Any) -> Any:
    if inspect.iscoroutinefunction(getattr(client, "execute_command", None)):
        raise ValueError("RedisStore: where: an async client: give a redis.Redis; async calls use it in a thread")
    pool = getattr(client, "connection_pool", None)
    if getattr(pool, "connection_kwargs", {}).get("decode_responses"):
        raise ValueError("RedisStore: where: decode_responses: answers are bytes: give a client without it")
    return client
