"""aworker: runs the jobs of a queue with an asynchronous client, each in a task of its own.

The store blocks, so it is asked in threads: the event loop waits for nothing.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable
from typing import Any

import anyio
import anyio.to_thread
from anyio.abc import TaskGroup

from ..guard import log
from .errors import StoreUnavailable
from .job import Job, Lease
from .runs import arguments_of, call_failure, checked, context_of, handle_failure, method_of, worker_client
from .shift import (
    WAKE_S,
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

AsyncHandle = Callable[[Job, Any], object]
"""Takes the job and the API's answer; a coroutine function, or a plain one that does not block."""


class AsyncWorker:
    """Runs jobs until it is stopped or cancelled."""

    def __init__(
        self, store: Store, client: Any, handle: AsyncHandle, settings: WorkSettings, *, keep_s: float
    ) -> None:
        self._store = store
        self._shift = Shift(settings, keep_s=keep_s)
        self._client = worker_client(client)
        self._handle = handle
        self._settings = settings
        self._woken = anyio.Event()
        self._stopping = False

    def stop(self) -> None:
        """Take no more jobs, and let `run` return when those that run have ended; from any thread or signal."""
        self._stopping = True

    async def run(self) -> Worked:
        """Run jobs until `stop`, or, with `until_empty`, until none is due; return what was done."""
        with stopped_by_signals(self.stop, wanted=self._settings.signals):
            try:
                async with anyio.create_task_group() as tasks:
                    while not self._stopping and not self._shift.over:
                        await self._hand_out(tasks)
                        await self._wait(self._shift.wait_s())
                    await self._finish()
                    tasks.cancel_scope.cancel()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(put_back_all, self._store, self._shift.give_up())
        return self._shift.worked

    async def _hand_out(self, tasks: TaskGroup) -> None:
        for lease in await self._fetch():
            tasks.start_soon(self._run, lease)

    async def _fetch(self, *, taking: bool = True) -> list[Lease]:
        """Renew leases, and take jobs; none where the store does not answer."""
        errand = self._shift.errand(taking=taking)
        # Cancelled, it waits for the thread; what was taken is noted first, so that it is given back.
        with anyio.CancelScope(shield=True):
            try:
                leases = await anyio.to_thread.run_sync(errand.run, self._store)
            except StoreUnavailable as error:
                self._shift.store_failed(error)
                return []
        self._shift.fetched(errand, leases)
        return leases

    async def _wait(self, seconds: float) -> None:
        """Wait for the end of a run, in pieces, as `stop` may be said by a signal."""
        deadline = time.monotonic() + seconds
        while not self._stopping and not self._shift.over and (left := deadline - time.monotonic()) > 0:
            if await self._woken_in(min(left, WAKE_S)):
                return

    async def _woken_in(self, seconds: float) -> bool:
        with anyio.move_on_after(seconds):
            await self._woken.wait()
        if not self._woken.is_set():
            return False
        self._woken = anyio.Event()
        return True

    async def _finish(self) -> None:
        deadline = time.monotonic() + self._settings.grace_s
        while self._shift.running and (left := deadline - time.monotonic()) > 0:
            await self._fetch(taking=False)
            await self._woken_in(min(left, self._shift.wait_s()))

    async def _run(self, lease: Lease) -> None:
        failure, verdict = None, verdict_before(lease, self._settings.patience)
        if verdict is None:
            failure = await self._call(lease.job)
            verdict = verdict_after(lease, failure, self._settings.patience)
        with anyio.CancelScope(shield=True):
            held = await anyio.to_thread.run_sync(settle, self._store, lease, verdict)
        self._shift.note(Ended(lease=lease, failure=failure, verdict=verdict, held=held))
        self._woken.set()

    async def _call(self, job: Job) -> Failure | None:
        """Make the call and hand its answer over; return what failed."""
        try:
            with context_of(job):
                answer = checked(await method_of(self._client, job.resource)(**arguments_of(self._client, job)))
        except Exception as error:  # noqa: BLE001 - every failure has a meaning
            return call_failure(error)
        try:
            with context_of(job):
                result = self._handle(job, answer)
                if inspect.isawaitable(result):
                    await result
        except Exception as error:  # noqa: BLE001 - the app's own code
            log.exception("later: job %s: handle raised: the job runs again", job.id)
            return handle_failure(error)
        return None
