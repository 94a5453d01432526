"""throttle: `Throttle`, which slows calls down before a rate limit is hit, by what each answer says is left.

Which call goes when is decided in pacing.py; here calls wait: by `time.sleep` in
the caller's thread, by `anyio.sleep` in the caller's task, never both.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio
import httpx2
from anthropic import APIStatusError, Middleware

from . import guard
from .calls import client_of
from .counting import count
from .deadlines import current_deadline, shortened
from .marking import mark, parse_and_mark, parse_and_mark_async
from .outcome import http_of
from .pacing import WATCHED_BELOW, Lane, Slot
from .ratelimits import read_limits
from .retry import retry_after_s
from .steering import altered, is_call_for_answer, model_of, steering

if TYPE_CHECKING:
    from anthropic import APIRequest, APIResponse, AsyncAPIResponse, AsyncCallNext, CallNext

    from .attempt import Call

MOST_LANES = 256
"""Accounts times models of which something is remembered."""

LEAST_S = 0.001
"""A wait that is shorter is none: the call's turn had come."""

CREDENTIALS = frozenset({"authorization", "x-api-key", "anthropic-workspace-id"})

Account = tuple[str, int]
"""Whose limits a client's calls draw on, before an answer has said which workspace: address, and hash of the key."""

UNKNOWN: Account = ("", 0)


class Place(NamedTuple):
    """A slot, in its lane."""

    lane: Lane
    slot: Slot


class Throttle(Middleware):
    """Spreads calls over time when less than a tenth of a rate limit is left, so that none is refused.

    Reads the `anthropic-ratelimit-*` headers of every answer: requests, tokens,
    input and output tokens, for each workspace and model; the tightest decides.
    An answer without them changes nothing. One object may serve many clients,
    and should where they share a key. The formula is in `claxon.pacing`.

    Args:
        below: The share of a limit that is left when pacing begins.
        most_wait_s: The longest that one attempt is held back; also at most
            half of what a `claxon.deadline` leaves.
        clock: Monotonic seconds.

    Raises:
        ValueError: An argument that makes no sense: *Throttle: name: value: remedy*.
    """

    def __init__(
        self, *, below: float = 0.1, most_wait_s: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not 0 < below <= 0.5:
            raise ValueError(f"Throttle: below: {below!r}: give a share above 0, up to 0.5, such as 0.1 for 10 %")
        if not 0 < most_wait_s <= 3600:
            raise ValueError(f"Throttle: most_wait_s: {most_wait_s!r}: give seconds above 0, up to 3600")
        self.below = below
        self.most_wait_s = most_wait_s
        self._clock = clock
        self._renew()
        _throttles.add(self)

    def _renew(self) -> None:
        # Re-entrant: a task that is dropped while it waits gives its place back from a finalizer.
        self._lock = threading.RLock()
        self._lanes: dict[tuple[Any, str], Lane] = {}
        self._workspaces: dict[Account, str] = {}

    def describe(self) -> str:
        """Return in one sentence what it does."""
        return f"below {self.below:.0%} of a rate limit, spreads calls; holds one back {self.most_wait_s:g} s at most"

    def handle(self, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        """Send the request when its turn has come, and read what the answer says is left."""
        if not is_call_for_answer(request):
            return call_next(request)
        account = account_of(request, call_next)
        place = self._enter(account, request)
        if place is None:
            return self._send(account, request, call_next)
        waited_s = self._wait(place)
        if waited_s < LEAST_S:
            return self._send(account, request, call_next)
        request = in_time(request, call_next)
        with steering(request, call_next) as call:
            _note(call, waited_s)
            try:
                result = self._send(account, request, call_next)
            except Exception as error:
                mark(error, waited_s=waited_s)
                raise
            mark(result, waited_s=waited_s)
            if succeeded(result):
                parse_and_mark(result)
            return result

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        """As `handle`, for the async client; other tasks go on meanwhile."""
        if not is_call_for_answer(request):
            return await call_next(request)
        account = account_of(request, call_next)
        place = self._enter(account, request)
        if place is None:
            return await self._send_async(account, request, call_next)
        waited_s = await self._wait_async(place)
        if waited_s < LEAST_S:
            return await self._send_async(account, request, call_next)
        request = in_time(request, call_next)
        with steering(request, call_next) as call:
            _note(call, waited_s)
            try:
                result = await self._send_async(account, request, call_next)
            except Exception as error:
                mark(error, waited_s=waited_s)
                raise
            mark(result, waited_s=waited_s)
            if succeeded(result):
                await parse_and_mark_async(result)
            return result

    def _send(self, account: Account, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        try:
            result = call_next(request)
        except Exception as error:
            self._read(account, request, error.response if isinstance(error, APIStatusError) else None)
            raise
        self._read(account, request, http_of(result))
        return result

    async def _send_async(
        self, account: Account, request: APIRequest, call_next: AsyncCallNext
    ) -> AsyncAPIResponse[Any]:
        try:
            result = await call_next(request)
        except Exception as error:
            self._read(account, request, error.response if isinstance(error, APIStatusError) else None)
            raise
        self._read(account, request, http_of(result))
        return result

    def _wait(self, place: Place) -> float:
        """Sleep until it is the place's turn; return for how many seconds."""
        began = self._clock()
        try:
            while (left_s := self._left(place)) > 0:
                time.sleep(left_s)
        except BaseException:
            self._leave(place)
            raise
        return self._clock() - began

    async def _wait_async(self, place: Place) -> float:
        began = self._clock()
        try:
            while (left_s := self._left(place)) > 0:  # noqa: ASYNC110 - each waits for an instant of its own
                await anyio.sleep(left_s)
        except BaseException:
            self._leave(place)
            raise
        return self._clock() - began

    def _enter(self, account: Account, request: APIRequest) -> Place | None:
        """Return a place in line; None when the call may go at once."""
        try:
            lane = self._lanes.get((self._workspaces.get(account, account), model_of(request)))
            if lane is None:
                return None
            most_wait_s, deadline = self.most_wait_s, current_deadline()
            if deadline is not None:
                most_wait_s = max(0.0, min(most_wait_s, (deadline - time.perf_counter()) / 2))  # the rest is to answer
            with self._lock:
                slot = lane.take(self._clock(), most_wait_s=most_wait_s)
            return None if slot is None else Place(lane, slot)
        except Exception as fault:  # noqa: BLE001 - the call goes at once
            guard.fault("throttle", fault)
            return None

    def _left(self, place: Place) -> float:
        """Return how many seconds to sleep before asking again; 0 when the call goes."""
        try:
            with self._lock:
                return place.lane.wait_s(place.slot, self._clock())
        except Exception as fault:  # noqa: BLE001 - the call goes at once
            guard.fault("throttle", fault)
            return 0.0

    def _leave(self, place: Place) -> None:
        with self._lock:
            place.lane.leave(place.slot)

    def _read(self, account: Account, request: APIRequest, response: httpx2.Response | None) -> None:
        """Take what an answer says is left."""
        if response is None:
            return
        try:
            headers = response.headers
            workspace = headers.get("anthropic-workspace-id") or headers.get("anthropic-organization-id")
            key = (workspace or account, model_of(request))
            lane = self._lanes.get(key)
            idle = lane is None or not (lane.watched or lane.waiting)
            readings = read_limits(headers, below=WATCHED_BELOW if idle else 2.0)
            if not readings:
                return
            if workspace is not None and self._workspaces.get(account) != workspace:
                self._remember(account, workspace)
            lane = lane or self._open(key)
            refused = response.status_code == 429
            asked = retry_after_s(headers) if refused else None
            with self._lock:
                lane.learn(
                    readings,
                    self._clock(),
                    drew=not refused,
                    retry_after_s=None if asked is None else min(asked, self.most_wait_s),
                )
        except Exception as fault:  # noqa: BLE001 - the app gets its answer
            guard.fault("throttle", fault)

    def _remember(self, account: Account, workspace: str) -> None:
        with self._lock:
            if len(self._workspaces) >= MOST_LANES:
                del self._workspaces[next(iter(self._workspaces))]
            self._workspaces[account] = workspace

    def _open(self, key: tuple[Any, str]) -> Lane:
        """Return a new lane; the one that was used least recently goes for it, where there are too many."""
        with self._lock:
            lane = self._lanes.get(key)
            if lane is None:
                while len(self._lanes) >= MOST_LANES:
                    # Who waits in it goes on waiting: it is only found no more.
                    del self._lanes[min(self._lanes, key=lambda each: self._lanes[each].used)]
                lane = self._lanes[key] = Lane(below=self.below)
            return lane


def _note(call: Call, waited_s: float) -> None:
    """Say on the next attempt how long it was held back."""
    call.throttled_ms = waited_s * 1000
    count("throttled")


def in_time(request: APIRequest, call_next: object) -> APIRequest:
    """Return the request with no more time than the deadline leaves, now that some of it was spent in line."""
    deadline = current_deadline()
    if deadline is None:
        return request
    left_s = max(0.001, deadline - time.perf_counter())
    return altered(request, timeout=shortened(request.timeout, client_of(call_next), left_s))


def succeeded(result: object) -> bool:
    """Return whether an answer is one that the SDK will parse."""
    response = http_of(result)
    return response is not None and response.is_success


def account_of(request: APIRequest, call_next: object) -> Account:
    """Return whose limits a request draws on, as far as can be told before an answer. The key itself is not kept."""
    try:
        client: Any = client_of(call_next)
        own = tuple(value for name, value in request.headers.items() if name.lower() in CREDENTIALS)
        secrets = (getattr(client, "api_key", None), getattr(client, "auth_token", None), own)
        return str(getattr(client, "base_url", "")), hash(secrets)
    except Exception as fault:  # noqa: BLE001 - the call goes on, with all that are not known
        guard.fault("throttle", fault)
        return UNKNOWN


_throttles: weakref.WeakSet[Throttle] = weakref.WeakSet()


def _renew_all() -> None:
    for throttle in list(_throttles):
        throttle._renew()  # noqa: SLF001 - the lock may have been held when the process forked


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)
