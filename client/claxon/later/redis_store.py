"""redis_store: jobs in Redis, for the workers of several machines. Needs claxon[redis].

Each change is one Lua script, so it happens whole or not at all; times are the
server's, so clocks of workers that differ do no harm. Every key of a queue has
one hash tag. How much survives a crash of the server is its `appendfsync`.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from . import redis_scripts as scripts
from .errors import LaterError, QueueFull, StoreUnavailable
from .job import Job, Lease, QueueStats, Reason, State, Ticket, decode_reason, encode_reason, new_id

if TYPE_CHECKING:
    import redis

CONNECT_S = 5
ANSWER_S = 10
CHUNK = 500
"""Jobs that one script or one read touches at most: Redis does nothing else meanwhile."""


class RedisStore:
    """A store in Redis.

    Args:
        client: Its connections; `decode_responses` may be on or off.
        name: Of the queue, among others in the same database.
        clock: Unix seconds; by default the server's.
    """

    def __init__(self, client: redis.Redis, *, name: str = "later", clock: Callable[[], float] | None = None) -> None:
        try:
            from redis import RedisError
        except ImportError as error:
            raise LaterError(f"queue: redis: {error}: install claxon[redis]") from error
        if not name or "{" in name or "}" in name:
            raise LaterError(f"queue: {name!r}: no name for a queue: leave out braces")
        self._redis: Any = client
        self._name = name
        self._clock = clock
        self._error: type[Exception] = RedisError
        self._prefix = f"{{claxon:later:{name}}}:"
        self._scripts: dict[str, Any] = {
            key: client.register_script(scripts.PRELUDE + text) for key, text in scripts.ALL.items()
        }

    def __str__(self) -> str:
        return f"redis:{self._name}"

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the store of `redis://host:6379/0?queue=shop`, with what else `redis` understands of URLs."""
        try:
            import redis
        except ImportError as error:
            raise LaterError(f"queue: {url.partition(':')[0]}: {error}: install claxon[redis]") from error
        parts = urlsplit(url)
        query = dict(parse_qsl(parts.query))
        name = query.pop("queue", "later")
        rest = urlunsplit(parts._replace(query=urlencode(query)))
        try:
            client = redis.Redis.from_url(rest, socket_connect_timeout=CONNECT_S, socket_timeout=ANSWER_S)
        except ValueError as error:
            raise LaterError(
                f"queue: {parts.scheme}: {error}: give a URL like redis://host:6379/0?queue=shop"
            ) from None
        return cls(client, name=name)

    def add(self, *, key: str | None, content: bytes, after_s: float, keep_s: float, most_waiting: int) -> Ticket:
        """Keep a job, unless one of this key is there; see `Store`."""
        number = new_id()
        key = number if key is None else key
        found, state = self._run("add", number, key, content, after_s, keep_s, most_waiting)
        if _text(state) == "full":
            raise QueueFull(str(self), most_waiting)
        # Its own id: either it is new, or this is the answer to a request that was sent twice.
        new = _text(found) == number
        return Ticket(id=_text(found), key=key, new=new, state=State(_text(state)))

    def take(self, *, lease_s: float, most: int) -> list[Lease]:
        """Return leases of jobs that are due; see `Store`."""
        now, *taken = self._run("take", lease_s, min(most, CHUNK), secrets.token_hex(8))
        leases = []
        for fields in taken:
            raw = _fields(fields)
            leases.append(Lease(job=_job(raw), token=_text(raw["lease"]), taken_at=float(_text(now))))
        return leases

    def renew(self, lease: Lease, *, lease_s: float) -> bool:
        """Let the lease end later; see `Store`."""
        return bool(self._run("renew", lease.job.id, lease.token, lease_s))

    def finish(self, lease: Lease) -> bool:
        """Mark the job done; see `Store`."""
        return bool(self._run("finish", lease.job.id, lease.token))

    def put_back(self, lease: Lease, *, after_s: float, reason: Reason | None, counted: bool) -> bool:
        """Let the job wait again; see `Store`."""
        said = encode_reason(reason) or ""
        return bool(self._run("put_back", lease.job.id, lease.token, after_s, 0 if counted else -1, said))

    def bury(self, lease: Lease, reason: Reason) -> bool:
        """Put the job among the dead letters; see `Store`."""
        return bool(self._run("bury", lease.job.id, lease.token, encode_reason(reason)))

    def find(self, name: str) -> Job | None:
        """Return the job with this id, else with this key."""
        found = self._run("find", name)
        return _job(_fields(found)) if found else None

    def jobs(self, state: State | None, *, most: int) -> list[Job]:
        """Return jobs; see `Store`."""
        with self._asking():
            if state in (State.DONE, State.DEAD):
                return self._ended(state, most)
            open_jobs = self._open_jobs(state, most)
            if state is not None:
                return open_jobs
            ended = [job for kind in (State.DONE, State.DEAD) for job in self._ended(kind, most)]
        ended.sort(key=lambda job: -(job.ended_at or 0.0))
        return (open_jobs + ended)[:most]

    def _open_jobs(self, state: State | None, most: int) -> list[Job]:
        found: list[Job] = []
        at = 0
        while len(found) < most:
            members = self._redis.zrange(self._prefix + "due", at, at + CHUNK - 1)
            if not members:
                break
            at += CHUNK
            found += [job for job in self._read(members, scripts.MEMBER_PREFIX) if state in (None, job.state)]
        return found[:most]

    def _ended(self, state: State, most: int) -> list[Job]:
        return self._read(self._redis.zrevrange(self._prefix + state, 0, most - 1), 0)

    def _read(self, members: list[Any], skip: int) -> list[Job]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for member in members:
                pipeline.hgetall(self._prefix + "job:" + _text(member)[skip:])
            return [_job(_named(raw)) for raw in pipeline.execute() if raw]

    def stats(self) -> QueueStats:
        """Return how many jobs there are."""
        now, first, all_open, running, done, dead = self._run("stats")
        late = float(_text(now)) - float(_text(first)) if first else -1.0
        return QueueStats(
            waiting=all_open - running, running=running, done=done, dead=dead, oldest_due_s=late if late >= 0 else None
        )

    def retry(self, name: str | None) -> int:
        """Make one job due now, or all dead ones; see `Store`."""
        if name is not None:
            return int(self._run("retry", name))
        return self._in_chunks("retry_dead", CHUNK)

    def drop(self, name: str) -> bool:
        """Forget a job, whatever its state; return whether there was one."""
        return bool(self._run("drop", name))

    def purge(self, *, older_s: float) -> int:
        """Forget the jobs that were done long ago; see `Store`."""
        return self._in_chunks("purge", older_s, CHUNK)

    def close(self) -> None:
        """Close the connections; they open again by themselves."""
        self._redis.close()

    def _in_chunks(self, name: str, *arguments: float) -> int:
        total = 0
        while True:
            number = int(self._run(name, *arguments))
            total += number
            if number < CHUNK:
                return total

    def _run(self, name: str, *arguments: str | bytes | float | None) -> Any:
        now = "" if self._clock is None else repr(self._clock())
        with self._asking():
            return self._scripts[name](keys=[self._prefix], args=[now, *arguments])

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            raise StoreUnavailable(f"{self}: {error}: see that the server answers, and has memory") from error


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _fields(flat: list[Any]) -> dict[str, Any]:
    return {_text(name): value for name, value in zip(flat[::2], flat[1::2], strict=True)}


def _named(raw: Mapping[Any, Any]) -> dict[str, Any]:
    return {_text(name): value for name, value in raw.items()}


def _job(raw: Mapping[str, Any]) -> Job:
    said = {name: _text(value) for name, value in raw.items() if name != "content"}
    content = raw.get("content", b"")
    ended_at = said.get("ended_at")
    return Job(
        id=said["id"],
        key=said["key"],
        state=State(said["state"]),
        deferred_at=float(said["deferred_at"]),
        due_at=float(said["due_at"]),
        runs=int(said["runs"]),
        lost=int(said["lost"]),
        reason=decode_reason(said.get("reason")),
        ended_at=float(ended_at) if ended_at else None,
        content=content.encode() if isinstance(content, str) else content,
    )
