"""deadlines: until when the calls of a block must have ended, and how long an attempt may take then."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self, TypeVar, cast

import httpx2

F = TypeVar("F", bound=Callable[..., Any])

_deadline: ContextVar[float | None] = ContextVar("claxon_deadline", default=None)


def current_deadline() -> float | None:
    """Return the `time.perf_counter()` at which the block around this code is over; None without one."""
    return _deadline.get()


class deadline:  # noqa: N801 - read as a phrase: `with claxon.deadline(20):`
    """Give the calls inside `seconds` from now, all attempts and pauses included; needs a `RetryPolicy`.

    A context manager (`with`, `async with`) and a decorator of functions and
    coroutine functions. Of nested ones the earliest holds. One object serves
    one block at a time; a decorated function begins anew at each call.

    Raises:
        ValueError: `seconds` is not above 0.
    """

    def __init__(self, seconds: float) -> None:
        if not seconds > 0:
            raise ValueError(f"deadline: {seconds!r}: give seconds above 0")
        self._seconds = seconds
        self._outer: float | None = None

    def __enter__(self) -> Self:
        self._outer = _deadline.get()
        at = time.perf_counter() + self._seconds
        _deadline.set(at if self._outer is None else min(at, self._outer))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _deadline.set(self._outer)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: F) -> F:
        """Return `function`, which then has this many seconds at each call."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_async(*args: Any, **kwargs: Any) -> Any:
                with deadline(self._seconds):
                    return await function(*args, **kwargs)

            return cast("F", run_async)

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with deadline(self._seconds):
                return function(*args, **kwargs)

        return cast("F", run)


class until:  # noqa: N801 - as above: `with until(instant):`
    """A block that ends at an instant of `perf_counter()`, for what is inside to see; None changes nothing."""

    __slots__ = ("_at", "_outer")

    def __init__(self, at: float | None) -> None:
        self._at = at
        self._outer: float | None = None

    def __enter__(self) -> None:
        if self._at is not None:
            self._outer = _deadline.get()
            _deadline.set(self._at)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._at is not None:
            _deadline.set(self._outer)


def shortened(timeout: Any, client: Any, left_s: float) -> httpx2.Timeout:
    """Return the timeout of an attempt, none of its parts longer than `left_s` seconds.

    Args:
        timeout: The request's; `NotGiven` is the client's.
        client: The SDK's client, or None if it is not known.
    """
    if not isinstance(timeout, (int, float, httpx2.Timeout, type(None))):
        timeout = getattr(client, "timeout", None)
    given = timeout if isinstance(timeout, httpx2.Timeout) else httpx2.Timeout(timeout)
    parts = (given.connect, given.read, given.write, given.pool)
    connect, read, write, pool = (left_s if part is None else min(part, left_s) for part in parts)
    return httpx2.Timeout(connect=connect, read=read, write=write, pool=pool)
