"""answers: `StaleAnswers`, which gives the last good answer when all else fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from anthropic import APIResponse, AsyncAPIResponse, Middleware

from .. import guard
from ..attempt import Call
from ..calls import client_of
from ..counting import count
from ..marking import parse_and_mark, parse_and_mark_async
from ..outcome import NEVER, Outcome, http_of, outcome_of, outcome_of_async, outcome_of_error
from ..steering import is_call_for_answer, noted, steering, was_last
from ..taxonomy import KINDS, Category
from .aside import aside
from .keeping import AsyncKeepingStream, KeepingStream, is_good, is_stream, uncompressed
from .keying import key_of
from .marked import allowed_age_s
from .memory import MemoryStore
from .serving import served
from .store import Kept, Store

if TYPE_CHECKING:
    import httpx2
    from anthropic import APIRequest, AsyncCallNext, CallNext

T = TypeVar("T")

USUAL = frozenset({Category.RATE_LIMIT, Category.OVERLOADED, Category.SERVER, Category.TIMEOUT, Category.CONNECTION})

POSSIBLE = USUAL | {Category.NOT_FOUND}
"""A model that is not found may have come to its end of life."""


class StaleAnswers(Middleware):
    """Keeps the last good answer of each call marked with `may_be_stale`, and serves it when all else fails.

    Outermost of all middlewares: what fails there has failed for good. A fresh
    answer always wins, and calls that are not marked pass untouched.

    Args:
        store: Where; by default in memory.
        on: The categories of failure that are answered so, in place of 429, 529, 5xx, timeouts and connections.
            A rejected key, a blocked account and a bad request never are: an older answer would only hide them.
        account: Whose answers these are, in place of the API key: they then outlive a change of the key. Needed for
            a store that outlives the process where the client has no key, but something that mints its tokens.
        ignore_headers: Headers that the app sends and that say nothing about an answer, such as a request id of its
            own. All others make it another request; those of tracing are known.
        clock: Unix seconds.

    Raises:
        ValueError: A category that does not exist, or that must not be hidden.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        on: Iterable[Category | str] = USUAL,
        account: str | None = None,
        ignore_headers: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.store: Store = MemoryStore() if store is None else store
        self.on = _read_categories(on)
        self._account = account
        ignored = [ignore_headers] if isinstance(ignore_headers, str) else ignore_headers
        self._ignored = frozenset(name.lower() for name in ignored)
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
            _check_order(call)
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
            older = None
            if self._helps(outcome, call):
                older = self._serve(request, call_next, call, outcome.error or result, age_s)
            return _as_it_was(outcome, result) if older is None else older

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        """As `handle`, for the async client."""
        age_s = allowed_age_s()
        if age_s is None or not is_call_for_answer(request):
            return await call_next(request)
        with steering(request, call_next) as call:
            _check_order(call)
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
            older = None
            if self._helps(outcome, call):
                older = await self._serve_async(request, call_next, call, outcome.error or result, age_s)
            return _as_it_was(outcome, result) if older is None else older

    # -- keeping

    def _keep(self, request: APIRequest, call_next: object, result: APIResponse[Any]) -> None:
        try:
            page = self._page(request, call_next, result)
            if page is None:
                return
            if page.response.is_closed:
                if _can_be_read(result):
                    self._put(page, page.response.content)
            elif is_stream(page.kind):
                page.response.stream = KeepingStream(
                    page.response.stream, lambda body: self._put(page, uncompressed(body, page.encoding))
                )
        except Exception as error:  # noqa: BLE001 - the app gets its answer
            guard.fault("stale", error)

    async def _keep_async(self, request: APIRequest, call_next: object, result: AsyncAPIResponse[Any]) -> None:
        try:
            page = self._page(request, call_next, result)
            if page is None:
                return
            if page.response.is_closed:
                if await _can_be_read_async(result):
                    await self._aside(lambda: self._put(page, page.response.content))
            elif is_stream(page.kind):

                async def keep(body: bytes) -> bool:
                    return await self._aside(lambda: self._put(page, uncompressed(body, page.encoding)))

                page.response.stream = AsyncKeepingStream(page.response.stream, keep)
        except Exception as error:  # noqa: BLE001 - as above
            guard.fault("stale", error)

    def _page(self, request: APIRequest, call_next: object, result: object) -> _Page | None:
        response, key = http_of(result), self._key(request, client_of(call_next))
        return None if response is None or key is None else _Page(key, response, self._clock())

    def _put(self, page: _Page, body: bytes) -> bool:
        """Keep a body, if it is a whole answer; return whether it is."""
        if not is_good(page.kind, body):
            return False
        request_id = page.response.headers.get("request-id", "")
        self.store.put(page.key, Kept(at=page.at, kind=page.kind, body=body, request_id=request_id))
        return True

    def _key(self, request: APIRequest, client: object) -> str | None:
        found = key_of(request, client, account=self._account, ignored=self._ignored)
        if found is None:
            return None
        if self.store.blocking and not found.portable:
            guard.warn_once(
                f"stale account {type(client).__name__}",
                f"StaleAnswers: {type(client).__name__}: this client has no key to tell its account by: answers are "
                "for this process only: say whose they are, as StaleAnswers(store, account=...)",
            )
        return found.digest

    async def _aside(self, work: Callable[[], T]) -> T:
        return await aside(work) if self.store.blocking else work()

    # -- serving

    def _serve(
        self, request: APIRequest, call_next: object, call: Call, failure: object, age_s: float
    ) -> APIResponse[Any] | None:
        try:
            client = client_of(call_next)
            key = self._key(request, client)
            kept = None if key is None else self.store.get(key)
            age = self._age(kept, age_s)
            if kept is None or age is None:
                return None
            older = served(APIResponse, request, client, kept, age_s=age, failure=failure)
            parse_and_mark(older)
        except Exception as error:  # noqa: BLE001 - the app gets the failure
            guard.fault("stale", error)
            return None
        _tell(call)
        return older

    async def _serve_async(
        self, request: APIRequest, call_next: object, call: Call, failure: object, age_s: float
    ) -> AsyncAPIResponse[Any] | None:
        try:
            client = client_of(call_next)
            key = self._key(request, client)
            kept = None if key is None else await self._aside(lambda: self.store.get(key))
            age = self._age(kept, age_s)
            if kept is None or age is None:
                return None
            older = served(AsyncAPIResponse, request, client, kept, age_s=age, failure=failure)
            await parse_and_mark_async(older)
        except Exception as error:  # noqa: BLE001 - as above
            guard.fault("stale", error)
            return None
        _tell(call)
        return older

    def _age(self, kept: Kept | None, most_s: float) -> float | None:
        """Return how old an answer is; None where there is none, or it is too old."""
        if kept is None:
            return None
        age_s = max(0.0, self._clock() - kept.at)  # another machine's clock may be ahead
        return age_s if age_s <= most_s else None

    def _helps(self, outcome: Outcome, call: Call) -> bool:
        return outcome.category in self.on and was_last(outcome, call)


class _Page(NamedTuple):
    """What is to be kept.

    Attributes:
        key: Of the request.
        response: Its answer, read or not.
        at: When it came.
    """

    key: str
    response: httpx2.Response
    at: float

    @property
    def kind(self) -> str:
        return self.response.headers.get("content-type", "")

    @property
    def encoding(self) -> str:
        return self.response.headers.get("content-encoding", "")


def _can_be_read(result: APIResponse[Any]) -> bool:
    """Return whether the app will be able to read an answer, such as by the model it wants as output."""
    try:
        result.parse()  # the SDK keeps what it made
    except Exception:  # noqa: BLE001 - the app meets it too
        return False
    return True


async def _can_be_read_async(result: AsyncAPIResponse[Any]) -> bool:
    try:
        await result.parse()
    except Exception:  # noqa: BLE001 - as above
        return False
    return True


def _tell(call: Call) -> None:
    noted(call, cached=True)
    count("stale_served")


def _check_order(call: Call) -> None:
    if call.depth > 1:
        guard.warn_once(
            "stale order",
            "StaleAnswers: not the first of middleware=[...]: an older answer is given before what stands around it "
            "has tried again: put it first",
        )


def _as_it_was(outcome: Outcome, result: T | None) -> T:
    if outcome.error is not None:
        raise outcome.error
    assert result is not None
    return result


def _read_categories(given: Iterable[Category | str]) -> frozenset[Category]:
    found: set[Category] = set()
    for name in [given] if isinstance(given, str) else given:
        if name not in POSSIBLE:
            choices = ", ".join(category for category in Category if category in POSSIBLE)
            advice = f". {KINDS[Category(name)].advice}" if name in NEVER else ""
            raise ValueError(f"StaleAnswers: on: {str(name)!r}: nothing to answer from a cache: use {choices}{advice}")
        found.add(Category(name))
    return frozenset(found)
