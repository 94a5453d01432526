"""keeping: which answers are good enough to be given once more, and how a stream is kept while it passes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx2
import msgspec

from .. import guard
from ..streaming import scanner_for
from .store import LARGEST

GOOD = frozenset({"end_turn", "stop_sequence", "tool_use"})
"""Reasons to stop of a whole answer: not one that was cut off, paused or refused."""

STREAMS = ("text/event-stream", "application/vnd.amazon.eventstream")

_PIECE = 16 * 1024
_LAST = b"event: message_stop"
_MOST_LOOKS = 3


class _Answer(msgspec.Struct):
    type: str | None = None
    stop_reason: str | None = None


_decode = msgspec.json.Decoder(_Answer).decode


def is_stream(kind: str) -> bool:
    """Return whether a Content-Type is that of a streamed answer."""
    return kind.startswith(STREAMS)


def is_good(kind: str, body: bytes) -> bool:
    """Return whether a body is a whole answer: a message, or all events of one."""
    if not 0 < len(body) <= LARGEST:
        return False
    if is_stream(kind):
        scanner = scanner_for(httpx2.Headers({"content-type": kind}))
        scanner.feed(body)
        scanner.finish()
        return scanner.done and not scanner.off and scanner.failure is None and scanner.stop_reason in GOOD
    try:
        answer = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return answer.type == "message" and answer.stop_reason in GOOD


def uncompressed(body: bytes, encoding: str) -> bytes:
    """Return a body as it was before its Content-Encoding; nothing where that is more than is kept.

    Raises:
        httpx2.DecodingError: It is not so encoded.
    """
    if encoding in ("", "identity"):
        return body
    pieces = (body[start : start + _PIECE] for start in range(0, len(body), _PIECE))
    found = bytearray()
    for piece in httpx2.Response(200, headers={"content-encoding": encoding}, content=pieces).iter_bytes():
        found += piece
        if len(found) > LARGEST:
            return b""
    return bytes(found)


class _Keeping:
    """A stream's body, which passes untouched; a copy is given away once it is whole.

    That is when it has ended, or its last event is about to pass: an app that
    stops reading there would else have nothing kept. Not when it is closed, for
    that may be a finalizer's doing, which must not wait for a store.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._chunks: list[bytes] = []
        self._size = 0
        self._looks = 0
        self._done = False

    @property
    def elapsed(self) -> Any:
        """The inner body's, which the HTTP library looks for."""
        return getattr(self._inner, "elapsed", None)

    @property
    def stream_observer(self) -> Any:
        """The inner body's, which the SDK's own tracing looks for."""
        return getattr(self._inner, "stream_observer", None)

    def _see(self, chunk: bytes) -> bool:
        """Note a chunk; return whether the answer may be whole with it."""
        self._size += len(chunk)
        if self._size > LARGEST:
            self._chunks.clear()
            self._done = True
        if self._done:
            return False
        self._chunks.append(chunk)
        if _LAST not in chunk or self._looks == _MOST_LOOKS:
            return False
        self._looks += 1
        return True

    def _body(self) -> bytes:
        return b"".join(self._chunks)

    def _kept(self, done: bool) -> None:
        if done:
            self._done = True
            self._chunks.clear()


class KeepingStream(_Keeping, httpx2.SyncByteStream):
    """For the sync client; `keep` returns whether the body was whole."""

    def __init__(self, inner: Any, keep: Callable[[bytes], bool]) -> None:
        super().__init__(inner)
        self._keep = keep

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._inner:
            if self._see(chunk):
                self._offer()
            yield chunk
        if not self._done:
            self._offer()

    def _offer(self) -> None:
        try:
            self._kept(self._keep(self._body()))
        except Exception as error:  # noqa: BLE001 - the app has its stream
            guard.fault("stale", error)

    def close(self) -> None:
        """Close the inner body."""
        self._inner.close()


class AsyncKeepingStream(_Keeping, httpx2.AsyncByteStream):
    """For the async client."""

    def __init__(self, inner: Any, keep: Callable[[bytes], Awaitable[bool]]) -> None:
        super().__init__(inner)
        self._keep = keep

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._inner.__aiter__()
        try:
            async for chunk in chunks:
                if self._see(chunk):
                    await self._offer()
                yield chunk
        finally:
            # Else the event loop would close it later, in a task of its own.
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
        if not self._done:
            await self._offer()

    async def _offer(self) -> None:
        try:
            self._kept(await self._keep(self._body()))
        except Exception as error:  # noqa: BLE001 - as above
            guard.fault("stale", error)

    async def aclose(self) -> None:
        """Close the inner body."""
        await self._inner.aclose()
