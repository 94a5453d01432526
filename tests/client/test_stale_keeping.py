"""What is kept of answers: whole and good ones, read in whatever way, and untouched on their way to the app."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
from claxon.stale import keeping
from claxon.stale.keeping import AsyncKeepingStream, KeepingStream, is_good, uncompressed
from claxon.stale.store import LARGEST

from service.demo import claude_wire as wire

SSE = "text/event-stream; charset=utf-8"
AWS = "application/vnd.amazon.eventstream"
EVENTS = list(wire.stream_events("claude-test"))
STREAMED = b"".join(map(wire.sse, EVENTS))
FRAMED = b"".join(map(wire.aws_frame, EVENTS))


def message(**changed: Any) -> bytes:
    return json.dumps({**json.loads(wire.message_body("claude-test")), **changed}).encode()


@pytest.mark.parametrize(
    ("good", "kind", "body"),
    [
        (True, "application/json", message()),
        (True, "application/json", message(stop_reason="tool_use")),
        (True, "application/json", message(stop_reason="stop_sequence")),
        (False, "application/json", message(stop_reason="max_tokens")),
        (False, "application/json", message(stop_reason="refusal")),
        (False, "application/json", message(stop_reason="pause_turn")),
        (False, "application/json", message(stop_reason="model_context_window_exceeded")),
        (False, "application/json", message(stop_reason=None)),
        (False, "application/json", b'{"input_tokens":20}'),
        (False, "application/json", b"[]"),
        (False, "application/json", b""),
        (False, "application/json", message(padding="x" * LARGEST)),
        (False, "text/html", b"<html>Bad gateway</html>"),
        (True, SSE, STREAMED),
        (True, SSE, STREAMED.replace(b"\n", b"\r\n")),
        (True, SSE, b"".join(map(wire.sse, wire.stream_events("claude-test", blocks="text+tool")))),
        (False, SSE, b"".join(map(wire.sse, wire.stream_events("claude-test", refusal=True)))),
        (False, SSE, b"".join(map(wire.sse, EVENTS[:-1]))),
        (False, SSE, STREAMED.replace(b"end_turn", b"max_tokens")),
        (False, SSE, b"".join(map(wire.sse, [*EVENTS[:4], wire.error_event("overloaded_error", None)]))),
        (False, SSE, b""),
        (True, AWS, FRAMED),
        (False, AWS, FRAMED[:-1]),
        (False, AWS, b"".join(map(wire.aws_frame, EVENTS[:-1]))),
    ],
)
def test_only_whole_and_good_answers_are_kept(good: bool, kind: str, body: bytes) -> None:
    assert is_good(kind, body) is good


class Source(httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body in pieces."""

    def __init__(self, body: bytes, size: int) -> None:
        self.pieces = [body[start : start + size] for start in range(0, len(body), size)]
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


class Shelf:
    """Keeps what is good of what it is offered."""

    def __init__(self, encoding: str = "") -> None:
        self.encoding = encoding
        self.offered = 0
        self.bodies: list[bytes] = []

    def keep(self, body: bytes) -> bool:
        self.offered += 1
        found = uncompressed(body, self.encoding)
        good = is_good(SSE, found)
        if good:
            self.bodies.append(found)
        return good

    async def keep_async(self, body: bytes) -> bool:
        return self.keep(body)


async def passed(source: Source, shelf: Shelf, *, to_sync: bool) -> bytes:
    """Return what the app reads of a stream that is kept meanwhile."""
    if to_sync:
        return b"".join(KeepingStream(source, shelf.keep))
    return b"".join([piece async for piece in AsyncKeepingStream(source, shelf.keep_async)])


@pytest.mark.parametrize("to_sync", [True, False])
@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
async def test_a_stream_passes_untouched_and_is_kept_once(size: int, to_sync: bool) -> None:
    shelf = Shelf()

    assert await passed(Source(STREAMED, size), shelf, to_sync=to_sync) == STREAMED
    assert shelf.bodies == [STREAMED]


@pytest.mark.parametrize("to_sync", [True, False])
@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_compressed_stream_is_kept_uncompressed(encoding: str, to_sync: bool) -> None:
    body = gzip.compress(STREAMED) if encoding == "gzip" else zlib.compress(STREAMED)
    shelf = Shelf(encoding)

    assert await passed(Source(body, 50), shelf, to_sync=to_sync) == body
    assert shelf.bodies == [STREAMED]


def test_a_small_body_that_swells_is_not_kept() -> None:
    assert uncompressed(gzip.compress(bytes(40 * LARGEST)), "gzip") == b""


@pytest.mark.parametrize("to_sync", [True, False])
async def test_an_app_that_stops_at_the_last_event_has_its_answer_kept(to_sync: bool) -> None:
    """It need not read on to the end of the HTTP body, and many do not."""
    shelf, source = Shelf(), Source(STREAMED, 10_000)
    if to_sync:
        stream = KeepingStream(source, shelf.keep)
        assert next(iter(stream)) == STREAMED
        stream.close()
    else:
        other = AsyncKeepingStream(source, shelf.keep_async)
        reading = other.__aiter__()
        assert await anext(reading) == STREAMED
        await reading.aclose()  # type: ignore[attr-defined]
        await other.aclose()

    assert shelf.bodies == [STREAMED]
    assert source.closed


async def test_a_stream_that_the_app_leaves_is_not_kept() -> None:
    """And no store is asked when it is closed: that may happen in a finalizer, inside of any lock."""
    shelf, source = Shelf(), Source(STREAMED, 100)
    stream = KeepingStream(source, shelf.keep)
    next(iter(stream))
    stream.close()

    assert (shelf.offered, shelf.bodies, source.closed) == (0, [], True)


async def test_a_text_about_events_costs_a_few_looks_only() -> None:
    """An answer may quote the words by which the end is found."""
    shelf = Shelf()
    text = (
        b"".join(map(wire.sse, EVENTS[:3])) + b'event: content_block_delta\ndata: {"x":"event: message_stop"}\n\n' * 50
    )
    await passed(Source(text, 60), shelf, to_sync=True)

    assert shelf.offered == keeping._MOST_LOOKS + 1
    assert shelf.bodies == []


async def test_a_long_stream_takes_no_more_memory_than_is_kept() -> None:
    shelf = Shelf()
    stream = KeepingStream(Source(bytes(2 * LARGEST), 64 * 1024), shelf.keep)
    most = 0
    for _ in stream:
        most = max(most, sum(map(len, stream._chunks)))

    assert most <= LARGEST
    assert (shelf.offered, stream._chunks) == (0, [])


@pytest.mark.parametrize("to_sync", [True, False])
async def test_a_fault_of_the_store_is_no_fault_of_the_stream(to_sync: bool) -> None:
    class Broken(Shelf):
        def keep(self, body: bytes) -> bool:
            raise OSError("disk full")

    assert await passed(Source(STREAMED, 10_000), Broken(), to_sync=to_sync) == STREAMED
