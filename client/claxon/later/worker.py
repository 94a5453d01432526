"""worker: runs the jobs of a queue with a synchronous client, each in a thread of its own.

The thread that called `run` keeps the leases alive and hands jobs out. The
threads of jobs are daemons, so that a call that hangs cannot hold up the end of
the process: its job was given back by then.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from ..guard import log
from .errors import StoreUnavailable
from .job import Job, Lease
from .runs import arguments_of, call_failure, checked, context_of, handle_failure, method_of, worker_client
from .shift import (
    Ended,
    Shift,
    Worked,
    WorkSettings,
    put_back_all,
    settle,
    stopped_by_signals,
    verdict_after,
    verdict_before,
)
from .store import Store
from .verdicts import Failure

Handle = Callable[[Job, Any], object]
"""Takes the job and the API's answer. What it raises runs the job again."""


class Worker:
    """Runs jobs until it is stopped."""

    def __init__(self, store: Store, client: Any, handle: Handle, settings: WorkSettings, *, keep_s: float) -> None:
        self._store = store
        self._shift = Shift(settings, keep_s=keep_s)
        self._client = worker_client(client)
        self._handle = handle
        self._settings = settings
        # Its `put` may be called by a signal handler in the middle of its `get`.
        self._ended: queue.SimpleQueue[Ended | None] = queue.SimpleQueue()
        self._stopping = False

    def stop(self) -> None:
        """Take no more jobs, and let `run` return when those that run have ended; from any thread or signal."""
        self._stopping = True
        self._ended.put(None)

    def run(self) -> Worked:
        """Run jobs until `stop`, or, with `until_empty`, until none is due; return what was done."""
        with stopped_by_signals(self.stop, wanted=self._settings.signals):
            try:
                while not self._stopping and not self._shift.over:
                    self._hand_out()
                    self._wait(self._shift.wait_s())
                self._finish()
            finally:
                put_back_all(self._store, self._shift.give_up())
        return self._shift.worked

    def _hand_out(self) -> None:
        for lease in self._fetch():
            name = f"claxon-later-{lease.job.id}"
            threading.Thread(target=self._run, args=(lease,), name=name, daemon=True).start()

    def _fetch(self, *, taking: bool = True) -> list[Lease]:
        """Renew leases, and take jobs; none where the store does not answer."""
        errand = self._shift.errand(taking=taking)
        try:
            leases = errand.run(self._store)
        except StoreUnavailable as error:
            self._shift.store_failed(error)
            return []
        self._shift.fetched(errand, leases)
        return leases

    def _wait(self, seconds: float) -> None:
        """Wait for the end of a run, and note it with all others that have ended."""
        if self._shift.over:
            return
        try:
            self._note(self._ended.get(timeout=seconds))
            while True:
                self._note(self._ended.get_nowait())
        except queue.Empty:
            return

    def _note(self, ended: Ended | None) -> None:
        if ended is None:
            return
        if ended.stopped_by is not None:
            raise ended.stopped_by
        self._shift.note(ended)

    def _finish(self) -> None:
        deadline = time.monotonic() + self._settings.grace_s
        while self._shift.running and (left := deadline - time.monotonic()) > 0:
            self._fetch(taking=False)
            self._wait(min(left, self._shift.wait_s()))

    def _run(self, lease: Lease) -> None:
        try:
            self._ended.put(self._outcome(lease))
        except BaseException as error:  # noqa: BLE001 - raised again by the worker's own thread
            self._ended.put(Ended(lease=lease, stopped_by=error))

    def _outcome(self, lease: Lease) -> Ended:
        failure, verdict = None, verdict_before(lease, self._settings.patience)
        if verdict is None:
            failure = self._call(lease.job)
            verdict = verdict_after(lease, failure, self._settings.patience)
        held = settle(self._store, lease, verdict)
        return Ended(lease=lease, failure=failure, verdict=verdict, held=held)

    def _call(self, job: Job) -> Failure | None:
        """Make the call and hand its answer over; return what failed."""
        try:
            with context_of(job):
                answer = checked(method_of(self._client, job.resource)(**arguments_of(self._client, job)))
        except Exception as error:  # noqa: BLE001 - every failure has a meaning
            return call_failure(error)
        try:
            with context_of(job):
                self._handle(job, answer)
        except Exception as error:  # noqa: BLE001 - the app's own code
            log.exception("later: job %s: handle raised: the job runs again", job.id)
            return handle_failure(error)
        return None
