"""aside: a store that blocks is used in a thread, off the event loop, and never for long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import anyio.to_thread
from anyio.lowlevel import RunVar

from .store import renew_after_fork

T = TypeVar("T")

PATIENCE_S = 1.0
"""How long an async call waits for a store: a disk that hangs, and looking up a name, have no time-out of their own."""

MOST_THREADS = 8
"""Of each event loop; and as many may be left behind in a store that hangs. The app's own threads are not taken."""

_limiter: RunVar[anyio.CapacityLimiter] = RunVar("claxon_stale_threads")


class _LeftBehind:
    """What runs in a thread that nobody waits for."""

    def __init__(self) -> None:
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Begin anew: none of the threads is in the child."""
        self.lock = threading.Lock()
        self.jobs: set[int] = set()


_left_behind = _LeftBehind()


async def aside(work: Callable[[], T]) -> T:
    """Return what `work` returns, run in a thread.

    Raises:
        TimeoutError: It takes too long, and goes on without us; or many do so already.
    """
    job = _Job(work)
    try:
        with anyio.fail_after(PATIENCE_S):
            return await anyio.to_thread.run_sync(job.run, abandon_on_cancel=True, limiter=_own_limiter())
    finally:
        job.leave()


class _Job(Generic[T]):
    """Work in a thread, which may be left behind there."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._runs = False

    def run(self) -> T:
        """Do the work, unless too many threads do such for nobody."""
        with _left_behind.lock:
            if len(_left_behind.jobs) >= MOST_THREADS:
                raise TimeoutError("the store hangs")
            self._runs = True
        try:
            return self._work()
        finally:
            with _left_behind.lock:
                self._runs = False
                _left_behind.jobs.discard(id(self))

    def leave(self) -> None:
        """Say that nobody waits any more."""
        with _left_behind.lock:
            if self._runs:
                _left_behind.jobs.add(id(self))


def _own_limiter() -> anyio.CapacityLimiter:
    try:
        return _limiter.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(MOST_THREADS)
        _limiter.set(limiter)
        return limiter
