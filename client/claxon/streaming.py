"""Tees: a response body passes through untouched, and how it ended is told once.

The SDK wraps bodies the same way for its own tracing, and looks for `elapsed`
and `stream_observer` on the outermost one, so a tee shows its inner body's.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Any

import httpx2

from . import guard
from .eventstream import EventStreamScanner
from .scanners import BodyScanner, Scanner, SSEScanner


class Ending(StrEnum):
    """How reading a body ended, before anybody knows what was in it."""

    READ = "read"
    FAILED = "failed"
    CLOSED = "closed"
    DROPPED = "dropped"


Finish = Callable[[Scanner, Ending, BaseException | None], None]


def scanner_for(headers: httpx2.Headers) -> Scanner:
    """Return what can read such a body; one that is off when the body is compressed."""
    kind = headers.get("content-type", "")
    off = headers.get("content-encoding", "identity") not in ("", "identity")
    if kind.startswith("text/event-stream"):
        return SSEScanner(off=off)
    if "vnd.amazon.eventstream" in kind:
        return EventStreamScanner(off=off)
    return BodyScanner(off=off)


class _Tee:
    def __init__(self, inner: Any, scanner: Scanner, finish: Finish) -> None:
        self._inner = inner
        self._scanner = scanner
        self._finish: Finish | None = finish

    @property
    def elapsed(self) -> timedelta | None:
        """The inner body's; `httpx2.Response.elapsed` reads it from the outermost."""
        found: timedelta | None = getattr(self._inner, "elapsed", None)
        return found

    @property
    def stream_observer(self) -> Any:
        """The inner body's, so that the SDK's own tracing still ends its span."""
        return getattr(self._inner, "stream_observer", None)

    def _see(self, chunk: bytes) -> None:
        scanner = self._scanner
        if scanner.off:
            return
        try:
            scanner.feed(chunk)
        except Exception as error:  # noqa: BLE001 - the app's bytes go on
            scanner.off = True
            guard.fault("stream", error)

    def _end(self, ending: Ending, error: BaseException | None = None) -> None:
        finish, self._finish = self._finish, None
        if finish is None:
            return
        try:
            finish(self._scanner, ending, error)
        except Exception as fault:  # noqa: BLE001 - as above
            guard.fault("stream", fault)

    def _broke(self, error: BaseException) -> None:
        # The app left: a cancelled task, a generator closed early.
        left = not isinstance(error, Exception)
        self._end(Ending.CLOSED if left else Ending.FAILED, error)

    def __del__(self) -> None:
        # `_finish` is missing when __init__ did not run through.
        if getattr(self, "_finish", None) is not None:
            self._end(Ending.DROPPED)


class SyncTee(_Tee, httpx2.SyncByteStream):
    """Passes on a body that is read synchronously."""

    def __iter__(self) -> Iterator[bytes]:
        see = self._see
        try:
            for chunk in self._inner:
                see(chunk)
                yield chunk
        except BaseException as error:
            self._broke(error)
            raise
        self._end(Ending.READ)

    def close(self) -> None:
        """Close the inner body."""
        self._end(Ending.CLOSED)
        self._inner.close()


class AsyncTee(_Tee, httpx2.AsyncByteStream):
    """Passes on a body that is read asynchronously."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        see = self._see
        chunks = self._inner.__aiter__()
        try:
            async for chunk in chunks:
                see(chunk)
                yield chunk
        except BaseException as error:
            self._broke(error)
            raise
        finally:
            # Else the event loop would close it later, in a task of its own.
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
        self._end(Ending.READ)

    async def aclose(self) -> None:
        """Close the inner body."""
        self._end(Ending.CLOSED)
        await self._inner.aclose()


class BrokenBody(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body whose reading failed already: reading it again fails in the same way.

    The middleware reads the body of an error before the SDK does. If that
    fails, the SDK must meet the same exception that it would have met.
    """

    def __init__(self, error: BaseException) -> None:
        self._error: BaseException | None = error

    def __iter__(self) -> Iterator[bytes]:
        if self._error is not None:
            raise self._error
        yield b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._error is not None:
            raise self._error
        yield b""

    def close(self) -> None:
        """Nothing is open."""

    async def aclose(self) -> None:
        """Nothing is open."""


def read_failed(response: httpx2.Response) -> None:
    """Read the body of a failed answer, which the SDK then finds read; one that breaks off breaks off for it, too."""
    if not response.is_closed:
        try:
            response.read()
        except Exception as error:  # noqa: BLE001 - the SDK meets it again, if it reads
            break_again(response, error)


async def read_failed_async(response: httpx2.Response) -> None:
    """As `read_failed`, for the async client."""
    if not response.is_closed:
        try:
            await response.aread()
        except Exception as error:  # noqa: BLE001 - as above
            break_again(response, error)


def break_again(response: httpx2.Response, error: Exception) -> None:
    """Make reading `response` fail with `error`, as it just did."""
    response.stream = BrokenBody(error)
    response.is_stream_consumed = False
    response.is_closed = False
