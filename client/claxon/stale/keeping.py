"""keeping: which answers are good enough to be given once more, and how a stream is kept while it passes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import httpx2
import msgspec

from .. import guard
from ..scanners import SSEScanner

LARGEST = 1024 * 1024
"""Bytes of an answer that is kept, at most."""

GOOD = frozenset({"end_turn", "stop_sequence", "tool_use"})
"""Reasons to stop of a whole answer: not one that was cut off, paused or refused."""


class _Answer(msgspec.Struct):
    type: str | None = None
    stop_reason: str | None = None


_decode = msgspec.json.Decoder(_Answer).decode


def is_good(kind: str, body: bytes) -> bool:
    """Return whether a body is a whole answer: a message, or all events of one."""
    if not 0 < len(body) <= LARGEST:
        return False
    if kind.startswith("text/event-stream"):
        scanner = SSEScanner(off=False)
        scanner.feed(body)
        scanner.finish()
        return scanner.done and not scanner.off and scanner.failure is None and scanner.stop_reason in GOOD
    try:
        answer = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return answer.type == "message" and answer.stop_reason in GOOD


class _Keeping:
    """A stream's body, which passes untouched; a copy is given away once it has ended by itself."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._chunks: list[bytes] = []
        self._size = 0

    @property
    def elapsed(self) -> Any:
        """The inner body's, which the HTTP library looks for."""
        return getattr(self._inner, "elapsed", None)

    @property
    def stream_observer(self) -> Any:
        """The inner body's, which the SDK's own tracing looks for."""
        return getattr(self._inner, "stream_observer", None)

    def _see(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size <= LARGEST:
            self._chunks.append(chunk)
        else:
            self._chunks.clear()

    def _whole(self) -> bytes:
        chunks, self._chunks = self._chunks, []
        return b"".join(chunks) if self._size <= LARGEST else b""


class KeepingStream(_Keeping, httpx2.SyncByteStream):
    """For the sync client."""

    def __init__(self, inner: Any, keep: Callable[[bytes], None]) -> None:
        super().__init__(inner)
        self._keep = keep

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._inner:
            self._see(chunk)
            yield chunk
        try:
            self._keep(self._whole())
        except Exception as error:  # noqa: BLE001 - the app has its stream
            guard.fault("stale", error)

    def close(self) -> None:
        """Close the inner body."""
        self._inner.close()


class AsyncKeepingStream(_Keeping, httpx2.AsyncByteStream):
    """For the async client."""

    def __init__(self, inner: Any, keep: Callable[[bytes], Awaitable[None]]) -> None:
        super().__init__(inner)
        self._keep = keep

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = self._inner.__aiter__()
        try:
            async for chunk in chunks:
                self._see(chunk)
                yield chunk
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
        try:
            await self._keep(self._whole())
        except Exception as error:  # noqa: BLE001 - the app has its stream
            guard.fault("stale", error)

    async def aclose(self) -> None:
        """Close the inner body."""
        await self._inner.aclose()
