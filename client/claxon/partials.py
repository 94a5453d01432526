"""partials: a streamed answer that is cut is given back as far as it came, and says so.

After its 200 a stream is past every retry: the SDK's loop, ours, a fallback.
What the SDK does then depends on how it broke: it raises its own error, or the
transport's, or nothing at all when the connection ended cleanly but too early.
Here all of these are values: a `PartialAnswer` with one of six endings.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, overload

import anthropic
import anyio

from . import guard
from .counting import count
from .event import StreamEnd
from .marking import mark, marks
from .partial_answer import CUT, Arrived, NotAnEvent, Notice, PartialAnswer, with_notice

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from anthropic import APIResponse, AsyncAPIResponse

__all__ = ["AsyncPieces", "PartialAnswer", "Pieces", "aread_stream", "partial", "read_stream"]

Streamed: TypeAlias = "Iterable[Any] | AbstractContextManager[Any] | APIResponse[Any]"
"""What the SDK gives for streaming: the stream, its manager, a raw response, the events themselves."""

AsyncStreamed: TypeAlias = (
    "AsyncIterable[Any] | AbstractAsyncContextManager[Any] | AsyncAPIResponse[Any] | Awaitable[Any]"
)
"""The same of the async client; a call that has not been awaited, too."""

OnEnd: TypeAlias = Callable[[PartialAnswer], object]


def read_stream(
    stream: Streamed, *, notice: Notice | None = None, on_text: Callable[[str], object] | None = None
) -> PartialAnswer:
    """Return the whole answer of a stream, or what came of it before it broke.

    Never raises for what the stream did. Raises what happens before it opened,
    such as a 529, and what `on_text` raises; the stream is closed then.

    Args:
        stream: `client.messages.create(..., stream=True)`, `client.messages.stream(...)`, entered or not, the
            raw and streaming responses, an iterable of the SDK's events; of `client.beta` likewise.
        notice: What to tell the reader after a cut: a text, or a function of the answer.
        on_text: Called with each piece of text as it comes.
    """
    found = partial(stream, notice=notice)
    if not isinstance(found, Pieces):
        raise NotAnEvent(f"read_stream: {type(stream).__name__}: use `await claxon.aread_stream(...)`")
    with found as pieces:
        for text in pieces:
            if on_text is not None:
                on_text(text)
    return pieces.answer


async def aread_stream(
    stream: AsyncStreamed, *, notice: Notice | None = None, on_text: Callable[[str], object] | None = None
) -> PartialAnswer:
    """As `read_stream`, for the async client; `on_text` may be a coroutine function."""
    found = partial(stream, notice=notice)
    if not isinstance(found, AsyncPieces):
        raise NotAnEvent(f"aread_stream: {type(stream).__name__}: use `claxon.read_stream(...)`")
    async with found as pieces:
        async for text in pieces:
            if on_text is not None:
                said = on_text(text)
                if inspect.isawaitable(said):
                    await said
    return pieces.answer


@overload
def partial(stream: Streamed, *, notice: Notice | None = None, on_end: OnEnd | None = None) -> Pieces: ...
@overload
def partial(stream: AsyncStreamed, *, notice: Notice | None = None, on_end: OnEnd | None = None) -> AsyncPieces: ...
def partial(stream: Any, *, notice: Notice | None = None, on_end: OnEnd | None = None) -> Pieces | AsyncPieces:
    """Return an iterator over the pieces of text of a stream, as they come; its `answer` says how that ended.

    Nothing is sent before the first piece is asked for, if the stream is not
    open yet. The iterator ends where the stream ends or breaks, and raises only
    what happens before the stream opened.

    Args:
        stream: As for `read_stream`.
        notice: As for `read_stream`.
        on_end: Called once with the answer, however it ended; also by the garbage collector, if the app just
            lets go of the iterator.

    Raises:
        TypeError: It is no stream, such as an answer that was asked for without `stream=True`.
    """
    return AsyncPieces(stream, notice, on_end) if _is_async(stream) else Pieces(stream, notice, on_end)


def _is_async(stream: Any) -> bool:
    if isinstance(stream, anthropic.BaseModel):
        raise NotAnEvent(
            f"read_stream: {type(stream).__name__}: no stream: call with stream=True, or messages.stream()"
        )
    if isinstance(stream, anthropic.AsyncAPIResponse):
        return True
    return any(hasattr(stream, name) for name in ("__aiter__", "__aenter__", "__await__"))


class _Reading:
    """What sync and async reading share: what came, and how it ended."""

    def __init__(self, stream: Any, notice: Notice | None, on_end: OnEnd | None) -> None:
        self._stream = stream
        self._notice = notice
        self._on_end = on_end
        self._arrived = Arrived()
        self._answer: PartialAnswer | None = None
        self._source: Any = None  # what was opened: a stream, or an iterable of events
        self._spent = False  # whether the app had closed it, or read it to its end, before

    def _begin(self, source: Any) -> None:
        self._source = source
        self._spent = getattr(getattr(source, "response", None), "is_closed", False)

    def _not_opened(self, error: BaseException) -> None:
        """Note that there is nothing to read; the app gets the error itself, so `on_end` is not told."""
        said = error if isinstance(error, Exception) else None
        self._answer = PartialAnswer(message=None, text="", ending=StreamEnd.CLOSED, error=said)

    def _failed(self, error: Exception) -> None:
        """End as the SDK's exception says."""
        if self._arrived.done:
            self._end(StreamEnd.COMPLETE)  # whatever happened, nothing is missing
        elif isinstance(error, anthropic.APIStatusError):
            self._end(StreamEnd.ERROR_EVENT, error)
        elif self._spent or isinstance(error, ValueError):
            # Of a ValueError: the SDK cannot read what came, such as input of a tool that is no JSON, so the rest was
            # not asked for.
            self._end(StreamEnd.CLOSED, error)
        else:
            self._end(StreamEnd.TRANSPORT_ERROR, error)

    def _ran_out(self) -> None:
        # Where the app has read it to the end before, nothing more comes.
        done = self._arrived.done or getattr(_snapshot(self._source), "stop_reason", None) is not None
        self._end(StreamEnd.COMPLETE if done else StreamEnd.CLOSED if self._spent else StreamEnd.TRUNCATED)

    def _end(self, ending: StreamEnd, error: Exception | None = None) -> PartialAnswer:
        """Return the answer, which is made at the first end."""
        if self._answer is not None:
            return self._answer
        if ending in CUT:
            count("streams_cut")
        try:
            found = self._made(ending, error)
        except Exception as fault:  # noqa: BLE001 - the text is there; what else could be said of it is not
            guard.fault("partial", fault)
            found = PartialAnswer(message=None, text=self._arrived.text, ending=ending, error=error)
        self._answer = with_notice(found, self._notice)
        if self._on_end is not None:
            try:
                self._on_end(self._answer)
            except Exception as failure:  # noqa: BLE001 - who reads the answer is not to miss it for that
                guard.warn_once("on_end", f"partial: on_end: {type(failure).__name__}: it was told nothing more")
        return self._answer

    def _made(self, ending: StreamEnd, error: Exception | None) -> PartialAnswer:
        source = self._source
        found = self._arrived.answer(ending, error, snapshot=_snapshot(source), request_id=_request_id(source))
        noted = marks(source)
        if found.message is not None and noted.model is not None:
            mark(found.message, model=noted.model, fallback_from=noted.fallback_from, attempts=noted.attempts)
        return found

    def __del__(self) -> None:
        if getattr(self, "_answer", True) is not None:  # ended, or never begun by a failing __init__
            return
        try:
            self._end(StreamEnd.DROPPED)
        except Exception as error:  # noqa: BLE001 - a finalizer has nobody to raise to
            guard.fault("partial", error)


class Pieces(_Reading):
    """The pieces of text of a stream; a context manager, which closes the stream."""

    def __init__(self, stream: Any, notice: Notice | None, on_end: OnEnd | None) -> None:
        super().__init__(stream, notice, on_end)
        self._stack = contextlib.ExitStack()
        self._events: Iterator[Any] | None = None

    @property
    def answer(self) -> PartialAnswer:
        """What came. Asked for before the end, it is the end: the stream is closed."""
        self.close()
        return self._end(StreamEnd.CLOSED)

    def close(self) -> None:
        """Close the stream, which does no harm when it has ended."""
        self._end(StreamEnd.CLOSED)
        self._release()

    def _release(self) -> None:
        self._events = None
        with contextlib.suppress(Exception):  # the answer is there; how its connection goes is no matter
            self._stack.close()

    def _opened(self) -> Iterator[Any]:
        if self._events is None:
            try:
                source = self._open(self._stream)
                close = getattr(source, "close", None)
                if close is not None:
                    self._stack.callback(close)
                self._begin(source)
                self._events = iter(source)
            except BaseException as error:
                self._not_opened(error)
                self._release()
                raise
        return self._events

    def _open(self, stream: Any) -> Any:
        """Return what gives events, entering and parsing what the SDK wraps it in."""
        if hasattr(stream, "http_response"):
            self._stack.callback(stream.close)
            return stream.parse()
        if hasattr(stream, "__iter__"):
            return stream
        if hasattr(stream, "__enter__"):
            return self._open(self._stack.enter_context(stream))
        raise NotAnEvent(f"read_stream: {type(stream).__name__}: give what the SDK returns for streaming")

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        while self._answer is None:
            events = self._opened()
            try:
                for event in events:
                    if text := self._arrived.take(event):
                        return text
                self._ran_out()
            except NotAnEvent:
                self.close()
                raise
            except Exception as error:  # noqa: BLE001 - told as the answer's `error`
                self._failed(error)
            except BaseException:
                self.close()
                raise
            self._release()
        raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        self.close()
        return False


class AsyncPieces(_Reading):
    """As `Pieces`, for the async client."""

    def __init__(self, stream: Any, notice: Notice | None, on_end: OnEnd | None) -> None:
        super().__init__(stream, notice, on_end)
        self._stack = contextlib.AsyncExitStack()
        self._events: AsyncIterator[Any] | None = None
        self._entered = False

    @property
    def answer(self) -> PartialAnswer:
        """What came. Asked for before the end, it is the end; `async with` then closes the stream at once,
        without it the event loop does so a moment later.
        """
        found = self._end(StreamEnd.CLOSED)
        if not self._entered:
            # Nothing can be awaited here. Let go of, a stream is closed by its event loop.
            self._events = self._source = self._stream = None
            self._stack.pop_all()
        return found

    async def aclose(self) -> None:
        """Close the stream, which does no harm when it has ended."""
        self._end(StreamEnd.CLOSED)
        await self._release()

    async def _release(self) -> None:
        self._events = None
        if self._source is None and inspect.iscoroutine(self._stream):
            self._stream.close()  # a call that is not to be made after all
        # Also when the task is being cancelled: else the connection would stay open.
        with contextlib.suppress(Exception), anyio.CancelScope(shield=True):
            await self._stack.aclose()

    async def _opened(self) -> AsyncIterator[Any]:
        if self._events is None:
            try:
                source = await self._open(self._stream)
                close = getattr(source, "close", None) or getattr(source, "aclose", None)
                if close is not None:
                    self._stack.push_async_callback(close)
                self._begin(source)
                self._events = aiter(source)
            except BaseException as error:
                self._not_opened(error)
                await self._release()
                raise
        return self._events

    async def _open(self, stream: Any) -> Any:
        if inspect.isawaitable(stream):
            return await self._open(await stream)
        if hasattr(stream, "http_response"):
            self._stack.push_async_callback(stream.close)
            return await stream.parse()
        if hasattr(stream, "__aiter__"):
            return stream
        if hasattr(stream, "__aenter__"):
            return await self._open(await self._stack.enter_async_context(stream))
        raise NotAnEvent(f"aread_stream: {type(stream).__name__}: give what the SDK returns for streaming")

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while self._answer is None:
            events = await self._opened()
            try:
                async for event in events:
                    if text := self._arrived.take(event):
                        return text
                self._ran_out()
            except NotAnEvent:
                await self.aclose()
                raise
            except Exception as error:  # noqa: BLE001 - told as the answer's `error`
                self._failed(error)
            except BaseException:
                await self.aclose()
                raise
            await self._release()
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        self._entered = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        await self.aclose()
        return False


def _snapshot(source: Any) -> Any:
    """Return the message as the SDK's `MessageStream` has put it together; None for anything else."""
    try:
        return source.current_message_snapshot
    except (AttributeError, AssertionError):  # the SDK asserts that something has come
        return None


def _request_id(source: Any) -> str | None:
    headers = getattr(getattr(source, "response", None), "headers", None)
    found: str | None = None if headers is None else headers.get("request-id")
    return found
