"""Streams: six endings, told apart in every way that the SDK offers to read one."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re

import anthropic
import httpx2
import pytest
from claxon import Event

from tests.client.calling import ARGUMENTS, SOON, WAYS, script, stream_async, stream_sync
from tests.client.cases import ENDING_FIELDS, endings

ENDINGS = endings()

# What the app gets.
RAISED: dict[str, type[Exception]] = {"error event": anthropic.APIStatusError, "transport error": httpx2.ReadError}


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_stream_makes_one_event_that_says_how_it_ended(
    ending: str,
    way: str,
    kind: str,
    client: anthropic.Anthropic,
    async_client: anthropic.AsyncAnthropic,
    events: list[Event],
) -> None:
    """A truncated stream raises nothing in the app: only the event tells."""
    steps, expected = ENDINGS[ending]
    raised = RAISED.get(ending)
    expectation = pytest.raises(raised) if raised else contextlib.nullcontext()
    with expectation:
        if kind == "sync":
            stream_sync(client, way, steps)
        else:
            await stream_async(async_client, way, steps)

    (event,) = events
    assert tuple(getattr(event, name) for name in ENDING_FIELDS) == expected
    assert (event.status, event.attempt, event.final, event.exhausted) == (200, 1, True, False)
    assert event.input_tokens == 10


async def test_a_stream_counts_its_tokens_once_and_its_first_token(
    client: anthropic.Anthropic, events: list[Event]
) -> None:
    """`message_delta` is cumulative: 12 tokens, not 1 + 12."""
    stream_sync(client, "create", "200")

    (event,) = events
    assert (event.input_tokens, event.output_tokens) == (10, 12)
    assert (event.cache_read_tokens, event.cache_write_tokens) == (7, 3)
    assert event.stop_reason == "end_turn"
    assert event.time_to_first_token_ms is not None
    assert event.duration_ms is not None
    assert 0 < event.time_to_first_token_ms <= event.duration_ms


async def test_a_refused_stream_is_a_success_with_its_reason(client: anthropic.Anthropic, events: list[Event]) -> None:
    stream_sync(client, "create", "refusal")

    assert (events[0].category, events[0].stop_reason) == ("ok", "refusal")


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_errors_before_a_stream_begins_are_attempts_like_others(
    kind: str,
    client: anthropic.Anthropic,
    async_client: anthropic.AsyncAnthropic,
    events: list[Event],
) -> None:
    steps = f"529:{SOON},429:{SOON};error_code=ramp_limit_exceeded,200"
    if kind == "sync":
        stream_sync(client, "create", steps)
    else:
        await stream_async(async_client, "create", steps)

    assert [(event.status, event.final, event.stream_end) for event in events] == [
        (529, False, None),
        (429, False, None),
        (200, True, "complete"),
    ]
    assert events[1].error_code == "ramp_limit_exceeded"


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_stream_that_the_app_closes_is_no_error(
    kind: str,
    client: anthropic.Anthropic,
    async_client: anthropic.AsyncAnthropic,
    events: list[Event],
) -> None:
    if kind == "sync":
        with client.messages.create(**script("stream-hang"), stream=True) as stream:
            next(iter(stream))
    else:
        async with await async_client.messages.create(**script("stream-hang"), stream=True) as stream:
            await anext(stream.__aiter__())

    (event,) = events
    assert (event.stream_end, event.error_type, event.category) == ("closed", None, "cancelled")


async def test_a_stream_that_the_app_drops_is_told_by_the_garbage_collector(
    client: anthropic.Anthropic, events: list[Event]
) -> None:
    stream = client.messages.create(**script("200"), stream=True)

    del stream
    gc.collect()

    assert [(event.stream_end, event.category) for event in events] == [("dropped", "cancelled")]


async def test_a_task_cancelled_in_the_middle_of_a_stream_is_a_cancellation(
    async_client: anthropic.AsyncAnthropic, events: list[Event]
) -> None:
    begun = asyncio.Event()

    async def read() -> None:
        async with await async_client.messages.create(**script("stream-hang"), stream=True) as stream:
            async for _ in stream:
                begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    (event,) = events
    assert (event.stream_end, event.error_type, event.category) == ("closed", "cancelled", "cancelled")


async def test_a_page_instead_of_a_stream_is_no_success(client: anthropic.Anthropic, events: list[Event]) -> None:
    """The SDK finds no events in it, and tells the app nothing."""
    stream_sync(client, "create", "html")

    (event,) = events
    assert (event.error_type, event.category, event.final) == ("non_json_response", "bad_response", True)


async def test_the_bytes_of_a_stream_pass_untouched(client: anthropic.Anthropic, events: list[Event]) -> None:
    with client.messages.with_streaming_response.create(**script("200"), stream=True) as response:
        observed = b"".join(response.iter_bytes())
    url = str(client.base_url.join("/v1/messages"))
    plain = httpx2.post(url, json={**ARGUMENTS, "stream": True}, timeout=5).content

    # Each message has an id of its own.
    ids = [re.findall(rb'"id":"(msg_\w+)"', body) for body in (observed, plain)]
    assert [len(found) for found in ids] == [1, 1]
    assert observed == plain.replace(ids[1][0], ids[0][0])
    assert response.http_response.elapsed.total_seconds() > 0
    assert events[0].stream_end == "complete"


async def test_a_compressed_stream_is_never_called_truncated(events: list[Event]) -> None:
    """Its bytes cannot be read in passing, and nobody cries wolf."""
    import zlib

    from claxon.streaming import scanner_for

    scanner = scanner_for(httpx2.Headers({"content-type": "text/event-stream", "content-encoding": "gzip"}))
    scanner.feed(zlib.compress(b"event: message_start\n"))

    assert scanner.off


async def test_an_error_whose_body_breaks_off_raises_in_the_app_what_it_would_have_raised(
    client: anthropic.Anthropic, events: list[Event]
) -> None:
    """The middleware reads the body of an error before the SDK does."""
    from claxon.streaming import break_again

    response = httpx2.Response(500, stream=httpx2.ByteStream(b"half"))
    response.read()
    break_again(response, httpx2.ReadError("cut"))
    del response._content

    with pytest.raises(httpx2.ReadError, match="cut"):
        response.read()
    assert response.is_closed
