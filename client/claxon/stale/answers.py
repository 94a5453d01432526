"""answers: `StaleAnswers`, which gives the last good answer when all else fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import anyio.to_thread
import httpx2
from anthropic import APIResponse, AsyncAPIResponse, Middleware

from .. import guard
from ..attempt import Call
from ..calls import client_of
from ..counting import count
from ..errors import CallParked, CircuitOpen, request_of
from ..marking import mark, parse_and_mark, parse_and_mark_async
from ..outcome import NEVER, Outcome, http_of, outcome_of, outcome_of_async, outcome_of_error
from ..steering import is_call_for_answer, noted, steering, was_last
from ..taxonomy import KINDS, Category
from .keeping import AsyncKeepingStream, KeepingStream, is_good
from .keying import key_of
from .marked import allowed_age_s
from .memory import MemoryStore
from .store import Kept, Store

if TYPE_CHECKING:
    from anthropic import APIRequest, AsyncCallNext, CallNext

T = TypeVar("T")

HEADER = "claxon-stale"
"""Of the answer that is served: how old it is, in whole seconds."""

USUAL = frozenset({Category.RATE_LIMIT, Category.OVERLOADED, Category.SERVER, Category.TIMEOUT, Category.CONNECTION})


class StaleAnswers(Middleware):
    """Keeps the last good answer of each call marked with `may_be_stale`, and serves it when all else fails.

    Outermost of all middlewares: what fails there has failed for good. A fresh
    answer always wins, and calls that are not marked pass untouched.

    Args:
        store: Where; by default in memory.
        on: The categories of failure that are answered so, in place of 429, 529, 5xx, timeouts and connections.
            A rejected key, a blocked account and a bad request never are: an older answer would only hide them.
        clock: Unix seconds.

    Raises:
        ValueError: A category that does not exist, or that must not be hidden.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        on: Iterable[Category | str] = USUAL,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store: Store = MemoryStore() if store is None else store
        self.on = _read_categories(on)
        self._clock = clock

    def describe(self) -> str:
        """Return in one sentence what it does."""
        return f"the last good answer of calls marked with claxon.may_be_stale, kept in {self.store}"

    def handle(self, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        """Send the request; where it fails for good, serve the answer that is kept."""
        age_s = allowed_age_s()
        if age_s is None or not is_call_for_answer(request):
            return call_next(request)
        with steering(request, call_next) as call:
            result: APIResponse[Any] | None = None
            try:
                result = call_next(request)
            except Exception as error:  # noqa: BLE001 - raised again unless there is an older answer
                outcome = outcome_of_error(error)
            else:
                outcome = outcome_of(result)
                if outcome.ok:
                    self._keep(request, call_next, result)
                    return result
            served = self._serve(request, call_next, call, outcome, age_s)
            if served is not None:
                parse_and_mark(served)
                return served
            return _as_it_was(outcome, result)

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        """As `handle`, for the async client."""
        age_s = allowed_age_s()
        if age_s is None or not is_call_for_answer(request):
            return await call_next(request)
        with steering(request, call_next) as call:
            result: AsyncAPIResponse[Any] | None = None
            try:
                result = await call_next(request)
            except Exception as error:  # noqa: BLE001 - as above
                outcome = outcome_of_error(error)
            else:
                outcome = await outcome_of_async(result)
                if outcome.ok:
                    await self._keep_async(request, call_next, result)
                    return result
            served = await self._serve_async(request, call_next, call, outcome, age_s)
            if served is not None:
                await parse_and_mark_async(served)
                return served
            return _as_it_was(outcome, result)

    # -- keeping

    def _keep(self, request: APIRequest, call_next: object, result: object) -> None:
        try:
            response, key = http_of(result), key_of(request, client_of(call_next))
            if response is None or key is None:
                return
            if response.is_closed:
                self._put(key, _kind_of(response), response.content)
            elif _is_plain_stream(response):
                kind = _kind_of(response)
                response.stream = KeepingStream(response.stream, lambda body: self._put(key, kind, body))
        except Exception as error:  # noqa: BLE001 - the app gets its answer
            guard.fault("stale", error)

    async def _keep_async(self, request: APIRequest, call_next: object, result: object) -> None:
        try:
            response, key = http_of(result), key_of(request, client_of(call_next))
            if response is None or key is None:
                return
            kind = _kind_of(response)
            if response.is_closed:
                await self._aside(lambda: self._put(key, kind, response.content))
            elif _is_plain_stream(response):

                async def keep(body: bytes) -> None:
                    await self._aside(lambda: self._put(key, kind, body))

                response.stream = AsyncKeepingStream(response.stream, keep)
        except Exception as error:  # noqa: BLE001 - as above
            guard.fault("stale", error)

    def _put(self, key: str, kind: str, body: bytes) -> None:
        if is_good(kind, body):
            self.store.put(key, Kept(at=self._clock(), kind=kind, body=body))

    async def _aside(self, work: Callable[[], T]) -> T:
        """Run `work` where it may block."""
        return await anyio.to_thread.run_sync(work) if self.store.blocking else work()

    # -- serving

    def _serve(
        self, request: APIRequest, call_next: object, call: Call, outcome: Outcome, age_s: float
    ) -> APIResponse[Any] | None:
        try:
            client = client_of(call_next)
            key = key_of(request, client) if self._helps(outcome, call) else None
            kept = self.store.get(key) if key is not None else None
            if kept is None or client is None or self._clock() - kept.at > age_s:
                return None
            return self._made(APIResponse, request, client, call, kept)
        except Exception as error:  # noqa: BLE001 - the app gets the failure
            guard.fault("stale", error)
            return None

    async def _serve_async(
        self, request: APIRequest, call_next: object, call: Call, outcome: Outcome, age_s: float
    ) -> AsyncAPIResponse[Any] | None:
        try:
            client = client_of(call_next)
            key = key_of(request, client) if self._helps(outcome, call) else None
            kept = await self._aside(lambda: self.store.get(key)) if key is not None else None
            if kept is None or client is None or self._clock() - kept.at > age_s:
                return None
            return self._made(AsyncAPIResponse, request, client, call, kept)
        except Exception as error:  # noqa: BLE001 - as above
            guard.fault("stale", error)
            return None

    def _helps(self, outcome: Outcome, call: Call) -> bool:
        if isinstance(outcome.error, (CallParked, CircuitOpen)):
            return outcome.category not in NEVER
        return outcome.category in self.on and was_last(outcome, call)

    def _made(self, make: Callable[..., T], request: APIRequest, client: Any, call: Call, kept: Kept) -> T:
        """Return the kept answer as if it had just come."""
        age_s = max(0.0, self._clock() - kept.at)
        response = httpx2.Response(
            200,
            headers={"content-type": kept.kind, HEADER: f"{age_s:.0f}"},
            request=request_of(client, request.url),
            **({"stream": httpx2.ByteStream(kept.body)} if request.stream else {"content": kept.body}),
        )
        served = make(
            raw=response,
            cast_to=request.cast_to,
            client=client,
            stream=request.stream,
            stream_cls=request.stream_cls,
            options=request.options,
        )
        mark(served, stale=True, age_s=age_s)
        noted(call, cached=True)
        count("stale_served")
        return served


def _as_it_was(outcome: Outcome, result: T | None) -> T:
    if outcome.error is not None:
        raise outcome.error
    assert result is not None
    return result


def _kind_of(response: httpx2.Response) -> str:
    return response.headers.get("content-type", "")


def _is_plain_stream(response: httpx2.Response) -> bool:
    encoded = response.headers.get("content-encoding", "identity") not in ("", "identity")
    return _kind_of(response).startswith("text/event-stream") and not encoded


def _read_categories(given: Iterable[Category | str]) -> frozenset[Category]:
    found: set[Category] = set()
    for name in [given] if isinstance(given, str) else given:
        if name not in set(Category) or name in NEVER or name in (Category.OK, Category.CANCELLED):
            choices = ", ".join(sorted(USUAL | {Category.NOT_FOUND, Category.BAD_RESPONSE}))
            advice = f". {KINDS[Category(name)].advice}" if name in NEVER else ""
            raise ValueError(f"StaleAnswers: on: {str(name)!r}: nothing to answer from a cache: use {choices}{advice}")
        found.add(Category(name))
    return frozenset(found)
