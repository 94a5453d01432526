"""queue: calls that are made later, by a worker, whatever happens to the process that asked for them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Unpack

from .. import guard
from ..counting import count
from .content import RESOURCES, content_of, unwound
from .errors import LaterError, NotDeferrable
from .job import Content, Job, QueueStats, State, Ticket
from .shift import WorkArguments, Worked, WorkSettings
from .store import SHAPES, Store, open_store

if TYPE_CHECKING:
    from anthropic._base_client import AsyncAPIClient, SyncAPIClient
    from anthropic.types import Message
    from anthropic.types.beta import BetaMessage

    from .aworker import AsyncHandle, AsyncWorker
    from .worker import Handle, Worker

VARIABLE = "CLAXON_LATER"
MOST_KEY = 200
MOST_AFTER_S = 366 * 86_400.0


class DeferredCalls:
    """A durable queue of calls of `client.messages.create`.

    Args:
        store: Its URL, or a store of your own.
        most_waiting: Jobs that may wait or run; one more is refused with QueueFull.
        keep_s: How long a job that is done is remembered by its key.

    Attributes:
        default: The queue of `claxon.defer`; if none is set, the one that the variable CLAXON_LATER names.
    """

    default: ClassVar[DeferredCalls | None] = None

    def __init__(self, store: str | Store, *, most_waiting: int = 100_000, keep_s: float = 7 * 86_400.0) -> None:
        if not most_waiting > 0:
            raise ValueError(f"DeferredCalls: most_waiting: {most_waiting}: give a number above 0")
        if not keep_s >= 0:
            raise ValueError(f"DeferredCalls: keep_s: {keep_s}: give seconds from 0")
        self.store: Store = open_store(store) if isinstance(store, str) else store
        self._most_waiting = most_waiting
        self._keep_s = keep_s
        self._workers: list[Worker | AsyncWorker] = []

    def defer(
        self,
        *,
        key: str | None = None,
        after_s: float = 0.0,
        context: Mapping[str, object] | None = None,
        resource: str = RESOURCES[0],
        **arguments: Any,
    ) -> Ticket:
        """Put a call into the queue; when this returns, it survives kill -9 and power loss. Blocks for a write.

        Args:
            key: Names the job, once and for all: deferred again with it, also
                after it is done, it is the same job. Without one every job is new.
            after_s: How long it is to wait at least.
            context: As of `claxon.context`, for the events; added to that around this call.
            resource: `messages.create` or `beta.messages.create`.
            **arguments: Of that method.

        Raises:
            NotDeferrable: Another process could not make this call.
            QueueFull: Too many jobs wait.
            StoreUnavailable: The store did not answer.
        """
        content = content_of(arguments, resource=resource, context=context)
        return self._add(content, key=key, after_s=_checked(key, after_s))

    async def adefer(
        self,
        *,
        key: str | None = None,
        after_s: float = 0.0,
        context: Mapping[str, object] | None = None,
        resource: str = RESOURCES[0],
        **arguments: Any,
    ) -> Ticket:
        """As `defer`, without blocking the event loop."""
        content = content_of(arguments, resource=resource, context=context)
        due_s = _checked(key, after_s)
        return await _in_thread(lambda: self._add(content, key=key, after_s=due_s))

    def _add(self, content: Content, *, key: str | None, after_s: float) -> Ticket:
        ticket = self.store.add(
            key=key,
            content=content.encoded(),
            after_s=after_s,
            keep_s=self._keep_s,
            most_waiting=self._most_waiting,
        )
        if ticket.new is not False:
            count("deferred")
        return ticket

    def _add_instead(self, error: Exception, content: Content, *, key: str | None, after_s: float) -> Ticket:
        """Put a call that failed into the queue; raises its error where that cannot be."""
        from .runs import later_in_s

        soonest_s = later_in_s(error)
        if soonest_s is None:
            raise error
        try:
            return self._add(content, key=key, after_s=max(after_s, soonest_s))
        except LaterError as fault:
            guard.log.warning("later: call: %s: the call's own error is raised", fault)
            error.add_note(f"It could not be deferred either: {fault}")
            raise error from fault

    def call(
        self,
        client: SyncAPIClient,
        *,
        key: str | None = None,
        after_s: float = 0.0,
        context: Mapping[str, object] | None = None,
        resource: str = RESOURCES[0],
        **arguments: Any,
    ) -> Message | BetaMessage | Ticket:
        """Make a call now; where it fails in a way that may pass, put it into the queue and return its ticket.

        Raises:
            NotDeferrable: It could not be put into a queue; nothing was sent.
            anthropic.APIError: It failed for good, or the queue could not take it; a note on it says so.
        """
        from .runs import checked, context_from, method_of, of_kind

        of_kind(client, asynchronous=False, where="call")
        arguments = unwound(arguments)
        content, due_s = content_of(arguments, resource=resource, context=context), _checked(key, after_s)
        try:
            with context_from(content.context):
                answer: Message | BetaMessage = checked(method_of(client, resource)(**arguments))
        except Exception as error:  # noqa: BLE001 - raised again, unless it may pass
            return self._add_instead(error, content, key=key, after_s=due_s)
        return answer

    async def acall(
        self,
        client: AsyncAPIClient,
        *,
        key: str | None = None,
        after_s: float = 0.0,
        context: Mapping[str, object] | None = None,
        resource: str = RESOURCES[0],
        **arguments: Any,
    ) -> Message | BetaMessage | Ticket:
        """As `call`, for the async client."""
        from .runs import checked, context_from, method_of, of_kind

        of_kind(client, asynchronous=True, where="acall")
        arguments = unwound(arguments)
        content, due_s = content_of(arguments, resource=resource, context=context), _checked(key, after_s)
        try:
            with context_from(content.context):
                answer: Message | BetaMessage = checked(await method_of(client, resource)(**arguments))
        except Exception as error:  # noqa: BLE001 - raised again, unless it may pass
            failed = error
        else:
            return answer
        return await _in_thread(lambda: self._add_instead(failed, content, key=key, after_s=due_s))

    def work(self, client: SyncAPIClient, handle: Handle, **settings: Unpack[WorkArguments]) -> Worked:
        """Run the jobs of the queue in threads until SIGTERM, SIGINT or `stop`; return what was done.

        Args:
            client: Makes the calls. Its own retries are switched off: the queue's are better.
            handle: Called with the job and the answer, at least once for each
                job. It may be called again with the same `job.key`, which it
                has to notice. If it raises, the job runs again.
            **settings: See `WorkSettings`.
        """
        from .runs import of_kind
        from .worker import Worker

        of_kind(client, asynchronous=False, where="work")
        worker = Worker(self.store, client, handle, WorkSettings(**settings), keep_s=self._keep_s)
        self._workers.append(worker)
        try:
            return worker.run()
        finally:
            self._workers.remove(worker)

    async def awork(self, client: AsyncAPIClient, handle: AsyncHandle, **settings: Unpack[WorkArguments]) -> Worked:
        """As `work`, in tasks; `handle` may be a coroutine function. Cancelled, it gives its jobs back at once."""
        from .aworker import AsyncWorker
        from .runs import of_kind

        of_kind(client, asynchronous=True, where="awork")
        worker = AsyncWorker(self.store, client, handle, WorkSettings(**settings), keep_s=self._keep_s)
        self._workers.append(worker)
        try:
            return await worker.run()
        finally:
            self._workers.remove(worker)

    def stop(self) -> None:
        """Let `work` and `awork` of this queue return, once the jobs that run have ended. Does not wait."""
        for worker in list(self._workers):
            worker.stop()

    def stats(self) -> QueueStats:
        """Return how many jobs there are, by state."""
        return self.store.stats()

    def find(self, name: str) -> Job | None:
        """Return the job with this id or key."""
        return self.store.find(name)

    def jobs(self, state: State | str | None = None, *, most: int = 100) -> list[Job]:
        """Return jobs of a state, or of all."""
        return self.store.jobs(None if state is None else State(state), most=most)

    def retry(self, name: str) -> bool:
        """Make a dead or waiting job due now; return whether there was one."""
        return self.store.retry(name) > 0

    def retry_dead(self) -> int:
        """Make all dead jobs due now; return how many."""
        return self.store.retry(None)

    def drop(self, name: str) -> bool:
        """Forget a job, whatever its state; return whether there was one."""
        return self.store.drop(name)

    def purge(self, *, older_s: float = 0.0) -> int:
        """Forget the jobs that were done at least that long ago, and with them their keys; return how many."""
        return self.store.purge(older_s=older_s)

    def close(self) -> None:
        """Close the store's connections."""
        self.store.close()


def default_queue() -> DeferredCalls:
    """Return the queue of this process: `DeferredCalls.default`, else the one that CLAXON_LATER names.

    Raises:
        LaterError: Neither is set.
    """
    with _opening:
        if DeferredCalls.default is None:
            url = os.environ.get(VARIABLE, "")
            if not url:
                raise LaterError(f"defer: {VARIABLE}: not set: give a URL like {SHAPES}, or set DeferredCalls.default")
            DeferredCalls.default = DeferredCalls(url)
        return DeferredCalls.default


_opening = threading.Lock()


def defer(**arguments: Any) -> Ticket:
    """Put a call into the queue of this process; see `DeferredCalls.defer` and `default_queue`."""
    return default_queue().defer(**arguments)


async def adefer(**arguments: Any) -> Ticket:
    """As `defer`, without blocking the event loop."""
    return await default_queue().adefer(**arguments)


def _checked(key: str | None, after_s: float) -> float:
    if key is not None and not 0 < len(key) <= MOST_KEY:
        raise NotDeferrable(f"defer: key: {len(key)} characters: give 1 to {MOST_KEY}")
    if not 0 <= after_s <= MOST_AFTER_S:
        raise NotDeferrable(f"defer: after_s: {after_s}: give seconds from 0 to {MOST_AFTER_S:.0f}")
    return after_s


async def _in_thread(do: Callable[[], Ticket]) -> Ticket:
    import anyio.to_thread

    return await anyio.to_thread.run_sync(do)
