"""deadlines: until when the calls of a block must have ended, and how long an attempt may take then."""

from __future__ import annotations

import time
from contextvars import ContextVar
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx2

from .blocks import Block


class _Until(NamedTuple):
    at: float
    outer: _Until | None


_deadline: ContextVar[_Until | None] = ContextVar("claxon_deadline", default=None)


def current_deadline() -> float | None:
    """Return the `time.perf_counter()` at which the block around this code is over; None without one."""
    found = _deadline.get()
    return None if found is None else found.at


def _enter(at: float) -> None:
    _deadline.set(_Until(at, _deadline.get()))


def _leave() -> None:
    found = _deadline.get()
    _deadline.set(None if found is None else found.outer)


class deadline(Block):  # noqa: N801 - read as a phrase: `with claxon.deadline(20):`
    """Give the calls inside `seconds` from now, all attempts and pauses included; needs a `RetryPolicy`.

    A context manager (`with`, `async with`) and a decorator of functions and
    coroutine functions. Of nested ones the earliest holds. The time begins
    anew whenever one is entered.

    Raises:
        ValueError: `seconds` is not above 0.
    """

    def __init__(self, seconds: float) -> None:
        if not seconds > 0:
            raise ValueError(f"deadline: {seconds!r}: give seconds above 0")
        self._seconds = seconds

    def __enter__(self) -> Self:
        at, outer = time.perf_counter() + self._seconds, current_deadline()
        _enter(at if outer is None else min(at, outer))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _leave()


class until:  # noqa: N801 - as above: `with until(instant):`
    """A block that ends at an instant of `perf_counter()`, for what is inside to see; None changes nothing."""

    __slots__ = ("_at",)

    def __init__(self, at: float | None) -> None:
        self._at = at

    def __enter__(self) -> None:
        if self._at is not None:
            _enter(self._at)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._at is not None:
            _leave()


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
