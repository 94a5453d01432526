"""calling: the ways an app calls the API, so that one table of cases serves them all."""

from __future__ import annotations

from typing import Any

import anthropic

MODEL = "claude-test"
PROMPT = "the quick brown prompt"
ARGUMENTS: dict[str, Any] = {
    "model": MODEL,
    "max_tokens": 64,
    "messages": [{"role": "user", "content": PROMPT}],
}
SOON = "retry_after_ms=1"
"""Keeps the SDK's back-off short."""


def script(steps: str) -> dict[str, Any]:
    """Return a call's arguments that make the fake API play `steps`."""
    return {**ARGUMENTS, "extra_headers": {"x-fake": steps}}


async def ask(
    client: anthropic.Anthropic | anthropic.AnthropicBedrock | anthropic.AsyncAnthropic,
    steps: str,
    **options: Any,
) -> BaseException | None:
    """Make one call and return what it raised."""
    chosen = client.with_options(**options) if options else client
    try:
        if isinstance(chosen, anthropic.AsyncAnthropic):
            await chosen.messages.create(**script(steps))
        else:
            chosen.messages.create(**script(steps))
    except Exception as error:
        return error
    return None


def stream_sync(client: anthropic.Anthropic, way: str, steps: str) -> None:
    """Read a whole streamed answer, in one of the ways the SDK offers."""
    if way == "create":
        with client.messages.create(**script(steps), stream=True) as events:
            list(events)
    elif way == "stream":
        with client.messages.stream(**script(steps)) as stream:
            list(stream)
    elif way == "raw":
        list(client.messages.with_raw_response.create(**script(steps), stream=True).parse())
    else:
        with client.messages.with_streaming_response.create(**script(steps), stream=True) as response:
            list(response.parse())


async def stream_async(client: anthropic.AsyncAnthropic, way: str, steps: str) -> None:
    """As `stream_sync`, asynchronously."""
    if way == "create":
        async with await client.messages.create(**script(steps), stream=True) as events:
            [_ async for _ in events]
    elif way == "stream":
        async with client.messages.stream(**script(steps)) as stream:
            [_ async for _ in stream]
    elif way == "raw":
        raw = await client.messages.with_raw_response.create(**script(steps), stream=True)
        [_ async for _ in await raw.parse()]
    else:
        async with client.messages.with_streaming_response.create(**script(steps), stream=True) as response:
            [_ async for _ in await response.parse()]


WAYS = ("create", "stream", "raw", "streaming")
