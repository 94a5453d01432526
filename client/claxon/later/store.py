"""store: what a queue needs of the place where its jobs are kept, and which store a URL means."""

from __future__ import annotations

from typing import Protocol

from .errors import LaterError
from .job import Job, Lease, QueueStats, Reason, State, Ticket

SHAPES = "sqlite:///var/lib/shop/later.db, redis://host:6379/0?queue=shop, sqs://shop-later?region=eu-west-1"


class Store(Protocol):
    """Keeps jobs. Every method blocks, may be called from any thread, and raises `StoreUnavailable` in vain.

    What a method has returned is kept: it survives the end of this process. A
    lease is taken by one worker at a time, and ends by itself.
    """

    def add(self, *, key: str | None, content: bytes, after_s: float, keep_s: float, most_waiting: int) -> Ticket:
        """Keep a job, unless one of this key is there; a done one counts for `keep_s`.

        Raises:
            QueueFull: `most_waiting` jobs wait or run.
        """

    def take(self, *, lease_s: float, most: int) -> list[Lease]:
        """Return leases of at most `most` jobs that are due, the earliest due first; counts a run of each."""

    def renew(self, lease: Lease, *, lease_s: float) -> bool:
        """Let the lease end in `lease_s` seconds from now; return whether it was still held."""

    def finish(self, lease: Lease) -> bool:
        """Mark the job done and forget its content; return whether the lease was still held."""

    def put_back(self, lease: Lease, *, after_s: float, reason: Reason | None, counted: bool) -> bool:
        """Let the job wait again; a run that is not `counted` was none. Returns whether the lease was still held."""

    def bury(self, lease: Lease, reason: Reason) -> bool:
        """Put the job among the dead letters; return whether the lease was still held."""

    def find(self, name: str) -> Job | None:
        """Return the job with this id, else with this key."""

    def jobs(self, state: State | None, *, most: int) -> list[Job]:
        """Return jobs, the earliest due first; of those that ended, the newest first."""

    def stats(self) -> QueueStats:
        """Return how many jobs there are."""

    def retry(self, name: str | None) -> int:
        """Make one job due now, or all dead ones; return how many. A dead one begins at run 1 again."""

    def drop(self, name: str) -> bool:
        """Forget a job, whatever its state; return whether there was one."""

    def purge(self, *, older_s: float) -> int:
        """Forget the jobs that were done at least `older_s` seconds ago; return how many."""

    def close(self) -> None:
        """Close what is open; the store opens it again when it is used."""


def open_store(url: str) -> Store:
    """Return the store that a URL means.

    Raises:
        LaterError: No store has such a URL, or its library is not installed.
    """
    scheme = url.partition(":")[0]  # what else is in a URL may be a password
    if scheme == "sqlite":
        from .sqlite_store import SqliteStore

        return SqliteStore.from_url(url)
    if scheme in ("redis", "rediss", "unix"):
        from .redis_store import RedisStore

        return RedisStore.from_url(url)
    if scheme == "sqs":
        from .sqs_store import SqsStore

        return SqsStore.from_url(url)
    raise LaterError(f"queue: {scheme}: no such store: give a URL like {SHAPES}")
