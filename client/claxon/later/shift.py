"""shift: what a worker has in hand, and what it does with its jobs; the same for threads and tasks."""

from __future__ import annotations

import math
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import TypedDict

from ..counting import count
from ..guard import log
from ..taxonomy import KINDS
from .errors import StoreUnavailable
from .job import Lease
from .pace import Pace, Pauses
from .store import Store
from .verdicts import BLOCKED, Failure, Fate, Patience, Verdict, given_up, judge

PURGE_EVERY_S = 600.0
SETTLE_ATTEMPTS = 6
MOST_STORE_FAILURES = 5
WAKE_S = 0.2
"""How long a worker may take to notice that it is to stop."""


class WorkArguments(TypedDict, total=False):
    """What `work` and `awork` take besides client and handle: the attributes of WorkSettings."""

    concurrency: int
    lease_s: float
    poll_s: float
    grace_s: float
    until_empty: bool
    signals: bool
    patience: Patience
    pauses: Pauses


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSettings:
    """How a worker works.

    Attributes:
        concurrency: Jobs that run at once.
        lease_s: How soon another worker takes over the jobs of one that was
            killed; a living one renews its leases three times in it.
        poll_s: How often an idle worker looks for jobs.
        grace_s: How long `stop` waits for the jobs that run, before it gives them back.
        until_empty: Return when no job is due, or none can succeed now, instead of waiting.
        signals: Stop at SIGTERM and SIGINT; only in the main thread.
    """

    concurrency: int = 4
    lease_s: float = 60.0
    poll_s: float = 0.5
    grace_s: float = 25.0
    until_empty: bool = False
    signals: bool = True
    patience: Patience = field(default_factory=Patience)
    pauses: Pauses = field(default_factory=Pauses)

    def __post_init__(self) -> None:
        for name in ("concurrency", "lease_s", "poll_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"work: {name}: {getattr(self, name)!r}: give a number above 0")
        if not self.grace_s >= 0:
            raise ValueError(f"work: grace_s: {self.grace_s!r}: give seconds from 0")


@dataclass(slots=True, kw_only=True)
class Worked:
    """What a worker did.

    Attributes:
        done: Jobs that were answered and handled.
        again: Runs that failed, of jobs that wait for another.
        dead: Jobs that were given up.
        blocked: Runs that met a refused key or account; they count against no job.
        released: Jobs given back unfinished, at the end.
        lost: Runs whose lease had ended meanwhile: somebody else runs the job too.
    """

    done: int = 0
    again: int = 0
    dead: int = 0
    blocked: int = 0
    released: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A run that has ended.

    Attributes:
        failure: None where all went well.
        held: Whether the job could be settled: its lease was still held.
        stopped_by: What ends the worker itself, such as a SystemExit of `handle`.
    """

    lease: Lease
    failure: Failure | None = None
    verdict: Verdict | None = None
    held: bool = True
    stopped_by: BaseException | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What a worker wants of its store now, so that it can be fetched in another thread.

    Attributes:
        renewals: Leases for which it is time.
        room: Jobs that may be taken.
        purge_s: Forget jobs that were done so long ago; None for not now.
    """

    renewals: list[Lease]
    room: int
    lease_s: float
    purge_s: float | None

    def run(self, store: Store) -> list[Lease]:
        """Do it, and return the jobs that were taken. Blocks."""
        for lease in self.renewals:
            store.renew(lease, lease_s=self.lease_s)
        if self.purge_s is not None:
            store.purge(older_s=self.purge_s)
        return store.take(lease_s=self.lease_s, most=self.room) if self.room else []


class Shift:
    """The jobs a worker runs, and its counts; does no I/O, and is for one thread."""

    def __init__(self, settings: WorkSettings, *, keep_s: float) -> None:
        self.settings = settings
        self.pace = Pace(settings.pauses)
        self.worked = Worked()
        self.running: dict[str, Lease] = {}
        self._renew_at: dict[str, float] = {}
        self._idle = False
        self._keep_s = keep_s
        self._purge_at = -math.inf
        self._store_failures = 0

    @property
    def over(self) -> bool:
        """Whether a worker that works until the queue is empty has nothing more to do."""
        if not self.settings.until_empty or self.running:
            return False
        return self._idle or self.pace.category in BLOCKED

    def errand(self, *, taking: bool = True) -> Errand:
        """Return what is wanted of the store now."""
        now = time.monotonic()
        due = [lease for token, lease in self.running.items() if self._renew_at[token] <= now]
        for lease in due:
            self._renew_at[lease.token] = now + self.settings.lease_s / 3
        purge = taking and now >= self._purge_at
        if purge:
            self._purge_at = now + PURGE_EVERY_S
        room = self.pace.room(now, running=len(self.running), concurrency=self.settings.concurrency) if taking else 0
        return Errand(renewals=due, room=room, lease_s=self.settings.lease_s, purge_s=self._keep_s if purge else None)

    def fetched(self, errand: Errand, leases: list[Lease]) -> None:
        """Note the jobs that an errand brought."""
        self._store_failures = 0
        if errand.room:
            self._idle = not leases
        for lease in leases:
            self.running[lease.token] = lease
            self._renew_at[lease.token] = time.monotonic() + self.settings.lease_s / 3

    def give_up(self) -> list[Lease]:
        """Return the jobs that still run, which are now nobody's: the store is to take them back."""
        left = list(self.running.values())
        self.running.clear()
        self._renew_at.clear()
        self.worked.released += len(left)
        return left

    def wait_s(self) -> float:
        """Return how long to wait for the end of a run, before looking for jobs again."""
        if self._store_failures:
            return min(0.1 * 2.0 ** min(self._store_failures, 20), 30.0)
        now = time.monotonic()
        waits = [at - now for at in self._renew_at.values()]
        waits.append(self.pace.until - now if self.pace.until > now else self.settings.poll_s)
        return max(0.001, min(waits))

    def store_failed(self, error: StoreUnavailable) -> None:
        """Note that the store did not answer: the worker waits, longer each time.

        Raises:
            StoreUnavailable: The worker is to return when there is nothing to do, and cannot know.
        """
        self._store_failures += 1
        if self.settings.until_empty and self._store_failures >= MOST_STORE_FAILURES:
            raise error
        log.warning("later: %s: trying again in %.1f s", error, self.wait_s())

    def note(self, ended: Ended) -> None:
        """Note how a run ended."""
        # Absent where it was given back meanwhile.
        self.running.pop(ended.lease.token, None)
        self._renew_at.pop(ended.lease.token, None)
        if ended.verdict is None or ended.failure is not None:
            self._note_pace(ended.failure)
        fate = ended.verdict.fate if ended.verdict is not None else None
        if not ended.held:
            self.worked.lost += 1
            log.warning("later: job %s: its lease ended before it did: it runs again", ended.lease.job.id)
        elif fate is None:
            self.worked.done += 1
            count("deferred_done")
        elif fate is Fate.DEAD:
            self.worked.dead += 1
            count("deferred_dead")
            log.error("later: job %s: given up after %d runs: %s", *_names(ended))
        elif fate is Fate.BLOCKED:
            self.worked.blocked += 1
        else:
            self.worked.again += 1

    def _note_pace(self, failure: Failure | None) -> None:
        if failure is None or not failure.everybodys:
            self.pace.answered()
            return
        pause = self.pace.failed(failure.category, now=time.monotonic(), retry_after_s=failure.retry_after_s)
        if pause is not None:
            advice = KINDS[failure.category].advice
            log.warning("later: %s: no call can succeed: pausing for %.1f s. %s", failure.category, pause, advice)


def put_back_all(store: Store, leases: list[Lease]) -> None:
    """Give jobs back that still run: another worker may have them at once. Blocks."""
    for lease in leases:
        log.warning("later: job %s: still running: given back; it runs again", lease.job.id)
        try:
            store.put_back(lease, after_s=0.0, reason=None, counted=False)
        except StoreUnavailable as error:
            log.warning("later: %s: it runs again when its lease ends", error)


def _names(ended: Ended) -> tuple[str, int, object]:
    job = ended.lease.job
    return job.id, job.runs, ended.verdict.reason if ended.verdict is not None else None


def verdict_before(lease: Lease, patience: Patience) -> Verdict | None:
    """Return the end of a job that was tried long enough; None if it is to be run."""
    reason = given_up(lease.job, patience, now=lease.taken_at)
    return None if reason is None else Verdict(fate=Fate.DEAD, reason=reason)


def verdict_after(lease: Lease, failure: Failure | None, patience: Patience) -> Verdict | None:
    """Return what becomes of a job that was run; None where it is done."""
    if failure is None:
        return None
    return judge(lease.job, failure, patience, now=lease.taken_at, chance=random.random())  # noqa: S311 - jitter


def settle(store: Store, lease: Lease, verdict: Verdict | None) -> bool:
    """Tell the store what becomes of a job, several times if it must be; return whether it took it. Blocks."""
    for attempt in range(1, SETTLE_ATTEMPTS + 1):
        try:
            return _tell(store, lease, verdict)
        except StoreUnavailable as error:
            log.warning("later: job %s: %s", lease.job.id, error)
            if attempt < SETTLE_ATTEMPTS:
                time.sleep(0.1 * 2.0**attempt)
    return False


def _tell(store: Store, lease: Lease, verdict: Verdict | None) -> bool:
    if verdict is None:
        return store.finish(lease)
    if verdict.fate is Fate.DEAD:
        return store.bury(lease, verdict.reason)
    counted = verdict.fate is not Fate.BLOCKED
    return store.put_back(lease, after_s=verdict.after_s, reason=verdict.reason, counted=counted)


@contextmanager
def stopped_by_signals(stop: Callable[[], None], *, wanted: bool) -> Iterator[None]:
    """Call `stop` at the first SIGTERM or SIGINT; a second one does what it did before."""
    if not wanted or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            if handler is not None:  # None: set by C code, and cannot be set again
                signal.signal(number, handler)

    def stop_once(_number: int, _frame: FrameType | None) -> None:
        restore()
        stop()

    for number, handler in before.items():
        if handler is not None:
            signal.signal(number, stop_once)
    try:
        yield
    finally:
        restore()
