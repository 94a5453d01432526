"""Partial streams: what came is given back, and six endings are told apart in every way that the SDK offers to read."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anthropic
import claxon
import httpx2
import pytest
from claxon import Event
from claxon.counting import counted
from claxon.event import StreamEnd
from claxon.partial_answer import PartialAnswer
from pydantic import BaseModel

from service.demo.fake_claude import FakeClaude
from tests.client.calling import ARGUMENTS, SOON, script

Way = Callable[[Any, str], Any]

WAYS: dict[str, Way] = {
    "create": lambda client, steps: client.messages.create(**script(steps), stream=True),
    "stream": lambda client, steps: client.messages.stream(**script(steps)),
    "raw": lambda client, steps: client.messages.with_raw_response.create(**script(steps), stream=True),
    "streaming": lambda client, steps: client.messages.with_streaming_response.create(**script(steps), stream=True),
    "beta create": lambda client, steps: client.beta.messages.create(**script(steps), stream=True),
    "beta stream": lambda client, steps: client.beta.messages.stream(**script(steps)),
}

# How the stream goes: the ending, the text that came, output tokens, and the class of the error.
FAULTS: dict[str, tuple[str, tuple[StreamEnd, str, int | None, type[Exception]]]] = {
    "complete": ("200", (StreamEnd.COMPLETE, "Hello!", 12, type(None))),
    "error event": ("stream-error", (StreamEnd.ERROR_EVENT, "Hel", None, anthropic.APIStatusError)),
    "transport error": ("stream-cut", (StreamEnd.TRANSPORT_ERROR, "Hel", None, httpx2.TransportError)),
    "truncated": ("stream-end", (StreamEnd.TRUNCATED, "Hel", None, type(None))),
}


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("steps", "expected"), FAULTS.values(), ids=FAULTS)
async def test_what_came_is_given_back_and_says_how_it_ended(
    steps: str,
    expected: tuple[StreamEnd, str, int | None, type[Exception]],
    way: str,
    kind: str,
    client: anthropic.Anthropic,
    async_client: anthropic.AsyncAnthropic,
    events: list[Event],
) -> None:
    heard: list[str] = []
    if kind == "sync":
        answer = claxon.read_stream(WAYS[way](client, steps), on_text=heard.append)
    else:
        answer = await claxon.aread_stream(WAYS[way](async_client, steps), on_text=heard.append)

    ending, text, tokens, error = expected
    assert (answer.ending, answer.text, answer.output_tokens) == (ending, text, tokens)
    assert isinstance(answer.error, error)
    assert "".join(heard) == text
    assert answer.input_tokens == 10
    assert answer.message is not None
    assert answer.message.content[0].text == text
    assert answer.truncated is (ending is not StreamEnd.COMPLETE)
    assert counted().get("streams_cut", 0) == (1 if answer.truncated else 0)
    (event,) = events
    assert (event.stream_end, event.request_id) == (ending, answer.request_id)


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("way", WAYS)
async def test_an_app_that_stops_reading_has_closed_the_stream(
    way: str,
    kind: str,
    client: anthropic.Anthropic,
    async_client: anthropic.AsyncAnthropic,
    events: list[Event],
) -> None:
    if kind == "sync":
        with claxon.partial(WAYS[way](client, "stream-hang")) as pieces:
            for _ in pieces:
                break
        answer = pieces.answer
    else:
        async with claxon.partial(WAYS[way](async_client, "stream-hang")) as apieces:
            async for _ in apieces:
                break
        answer = apieces.answer

    assert (answer.ending, answer.text, answer.truncated) == (StreamEnd.CLOSED, "Hel", True)
    assert (answer.output_tokens, answer.error) == (None, None)
    assert events[0].stream_end == "closed"
    assert counted().get("streams_cut") is None


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("way", WAYS)
async def test_an_iterator_that_the_app_lets_go_of_is_dropped(
    way: str, kind: str, client: anthropic.Anthropic, async_client: anthropic.AsyncAnthropic
) -> None:
    """Its answer is told to `on_end`, for nobody is left to ask."""
    ended: list[PartialAnswer] = []
    if kind == "sync":
        pieces = claxon.partial(WAYS[way](client, "stream-hang"), on_end=ended.append)
        assert next(pieces) == "Hel"
        del pieces
    else:
        apieces = claxon.partial(WAYS[way](async_client, "stream-hang"), on_end=ended.append)
        assert await anext(apieces) == "Hel"
        del apieces
    gc.collect()

    assert [(answer.ending, answer.text) for answer in ended] == [(StreamEnd.DROPPED, "Hel")]
    await asyncio.sleep(0.05)  # the loop closes the connection


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_asking_for_the_answer_before_the_end_is_the_end(
    kind: str, client: anthropic.Anthropic, async_client: anthropic.AsyncAnthropic, events: list[Event]
) -> None:
    if kind == "sync":
        pieces = claxon.partial(WAYS["create"](client, "stream-hang"))
        next(pieces)
        answer = pieces.answer
        assert list(pieces) == []
    else:
        apieces = claxon.partial(WAYS["create"](async_client, "stream-hang"))
        await anext(apieces)
        answer = apieces.answer
        assert [text async for text in apieces] == []
        await asyncio.sleep(0.05)

    assert (answer.ending, answer.text) == (StreamEnd.CLOSED, "Hel")
    assert [event.stream_end for event in events] == ["closed"]


async def test_pieces_come_as_they_arrive_and_reading_can_go_on(client: anthropic.Anthropic) -> None:
    pieces = claxon.partial(WAYS["stream"](client, "200"))
    first = next(pieces)

    rest = list(pieces)

    assert [first, *rest] == ["Hel", "lo!"]
    assert pieces.answer.ending is StreamEnd.COMPLETE


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("way", WAYS)
async def test_what_fails_before_the_stream_opens_is_raised(
    way: str, kind: str, client: anthropic.Anthropic, async_client: anthropic.AsyncAnthropic
) -> None:
    ended: list[PartialAnswer] = []

    async def read() -> None:
        if kind == "sync":
            for _ in claxon.partial(WAYS[way](client, f"529:{SOON}"), on_end=ended.append):
                pass
        else:
            async for _ in claxon.partial(WAYS[way](async_client, f"529:{SOON}"), on_end=ended.append):
                pass

    with pytest.raises(anthropic.OverloadedError) as raised:
        await read()

    assert raised.value.status_code == 529
    del raised
    gc.collect()
    assert ended == []


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_what_on_text_raises_closes_the_stream_and_is_raised(
    kind: str, client: anthropic.Anthropic, async_client: anthropic.AsyncAnthropic, events: list[Event]
) -> None:
    def refuse(text: str) -> None:
        raise LookupError(text)

    async def read() -> None:
        if kind == "sync":
            claxon.read_stream(WAYS["stream"](client, "stream-hang"), on_text=refuse)
        else:
            await claxon.aread_stream(WAYS["stream"](async_client, "stream-hang"), on_text=refuse)

    with pytest.raises(LookupError):
        await read()

    assert [event.stream_end for event in events] == ["closed"]


async def test_on_text_may_be_a_coroutine_function(async_client: anthropic.AsyncAnthropic) -> None:
    heard: list[str] = []

    async def hear(text: str) -> None:
        await asyncio.sleep(0)
        heard.append(text)

    await claxon.aread_stream(WAYS["create"](async_client, "200"), on_text=hear)

    assert heard == ["Hel", "lo!"]


async def test_a_cancelled_task_closes_the_stream_and_stays_cancelled(
    async_client: anthropic.AsyncAnthropic, events: list[Event]
) -> None:
    begun = asyncio.Event()
    reading = claxon.aread_stream(WAYS["stream"](async_client, "stream-hang"), on_text=lambda _: begun.set())
    task = asyncio.create_task(reading)
    await begun.wait()
    await asyncio.sleep(0.02)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task

    (event,) = events
    assert (event.stream_end, event.category) == ("closed", "cancelled")


async def test_an_interrupt_closes_the_stream_and_goes_through(
    client: anthropic.Anthropic, events: list[Event]
) -> None:
    stream = WAYS["create"](client, "200")

    def interrupted() -> Iterator[Any]:
        yield next(stream)
        raise KeyboardInterrupt

    class Source:
        def __iter__(self) -> Iterator[Any]:
            return interrupted()

        def close(self) -> None:
            stream.close()

    with pytest.raises(KeyboardInterrupt):
        claxon.read_stream(Source())

    assert [event.stream_end for event in events] == ["closed"]


# Where the stream of a thought, a text and a tool call is cut, and what there is then.
CUTS: dict[str, tuple[int, tuple[str, str, object, int | None]]] = {
    "in a thought": (4, ("A greeting ", "", None, 0)),
    "in a text": (9, ("A greeting is asked for.", "Hel", None, 1)),
    "between blocks": (11, ("A greeting is asked for.", "Hello!", None, None)),
    "in a name": (13, ("A greeting is asked for.", "Hello!", {"days": 3}, 2)),
    "in a value": (14, ("A greeting is asked for.", "Hello!", {"days": 3}, 2)),
    "before the end": (16, ("A greeting is asked for.", "Hello!", {"days": 3, "city": "Paris"}, None)),
}


@pytest.mark.parametrize("way", ["create", "stream", "beta create", "beta stream"])
@pytest.mark.parametrize(("place", "expected"), CUTS.values(), ids=CUTS)
async def test_a_cut_anywhere_leaves_what_came_before_it(
    place: int, expected: tuple[str, str, object, int | None], way: str, client: anthropic.Anthropic
) -> None:
    """Thinking is no text; half of a tool's input is readable, and marked as unfinished."""
    answer = claxon.read_stream(WAYS[way](client, f"stream-end:blocks=thinking+text+tool;fault_at={place}"))

    assert answer.message is not None
    tools = [block.input for block in answer.message.content if block.type == "tool_use"]
    found = (answer.thinking, answer.text, tools[0] if tools else None, answer.unfinished_block)
    assert found == expected
    assert answer.ending is StreamEnd.TRUNCATED


@pytest.mark.parametrize("way", ["create", "stream", "beta create", "beta stream"])
async def test_a_whole_stream_makes_the_message_that_the_sdk_makes(way: str, client: anthropic.Anthropic) -> None:
    steps = "200:blocks=thinking+text+tool"
    surface = client.beta if way.startswith("beta") else client
    with surface.messages.stream(**script(steps)) as stream:
        expected = stream.get_final_message()

    answer = claxon.read_stream(WAYS[way](client, steps))

    assert answer.message is not None
    ours, theirs = answer.message.to_dict(), expected.to_dict()
    assert ours.pop("id") != theirs.pop("id")
    assert ours == theirs
    assert (answer.unfinished_block, answer.notice) == (None, "")


async def test_tokens_of_a_cut_are_unknown_and_their_estimate_says_that_it_is_one(client: anthropic.Anthropic) -> None:
    """The API's own first count is 1, whatever follows."""
    cut = claxon.read_stream(WAYS["create"](client, "stream-end:blocks=thinking+text+tool;fault_at=14"))
    whole = claxon.read_stream(WAYS["create"](client, "200"))

    came = len("A greeting is asked for." + "Hello!" + '{"days": 3, "city": "Par')
    assert (cut.output_tokens, cut.tokens_estimated) == (None, True)
    assert abs(cut.tokens_so_far - came / 3.5) < 1
    assert (whole.output_tokens, whole.tokens_so_far, whole.tokens_estimated) == (12, 12, False)


@pytest.mark.parametrize("way", WAYS)
async def test_a_stream_that_breaks_before_its_first_event_is_an_empty_answer(
    way: str, client: anthropic.Anthropic
) -> None:
    answer = claxon.read_stream(WAYS[way](client, "stream-end:fault_at=0"))

    assert (answer.ending, answer.message, answer.text) == (StreamEnd.TRUNCATED, None, "")
    assert (answer.input_tokens, answer.output_tokens, answer.tokens_so_far) == (None, None, 0)
    assert answer.text_with_notice == answer.notice


async def test_a_reset_after_the_last_event_takes_nothing_away(client: anthropic.Anthropic) -> None:
    answer = claxon.read_stream(WAYS["create"](client, "stream-cut:fault_at=8"))

    assert (answer.ending, answer.text) == (StreamEnd.COMPLETE, "Hello!")


async def test_the_notice_is_the_apps_if_it_gives_one(client: anthropic.Anthropic) -> None:
    usual = claxon.read_stream(WAYS["create"](client, "stream-cut"))
    text = claxon.read_stream(WAYS["create"](client, "stream-cut"), notice="…")
    made = claxon.read_stream(WAYS["create"](client, "stream-cut"), notice=lambda cut: f"{cut.ending}: {cut.text}")
    broken = claxon.read_stream(WAYS["create"](client, "stream-cut"), notice=lambda cut: {}[cut.text])
    whole = claxon.read_stream(WAYS["create"](client, "200"), notice="…")

    assert usual.text_with_notice == "Hel\n\nThe answer ends here: the connection was lost. Please try again."
    assert text.text_with_notice == "Hel\n\n…"
    assert made.notice == "transport_error: Hel"
    assert broken.notice == usual.notice
    assert (whole.notice, whole.text_with_notice) == ("", "Hello!")


async def test_an_entered_stream_that_the_app_has_begun_keeps_its_beginning(client: anthropic.Anthropic) -> None:
    with client.messages.stream(**script("stream-end:fault_at=5")) as stream:
        assert next(iter(stream.text_stream)) == "Hel"
        answer = claxon.read_stream(stream)

    assert (answer.ending, answer.text) == (StreamEnd.TRUNCATED, "Hello!")


async def test_an_entered_stream_that_the_app_has_read_is_complete(client: anthropic.Anthropic) -> None:
    with client.messages.stream(**script("200")) as stream:
        stream.until_done()
        answer = claxon.read_stream(stream)

    assert (answer.ending, answer.text, answer.output_tokens) == (StreamEnd.COMPLETE, "Hello!", 12)


async def test_a_bare_stream_that_the_app_has_begun_gives_what_is_left(client: anthropic.Anthropic) -> None:
    stream = WAYS["create"](client, "200")
    next(stream), next(stream), next(stream)

    answer = claxon.read_stream(stream)

    assert (answer.ending, answer.text, answer.message) == (StreamEnd.COMPLETE, "lo!", None)
    assert answer.output_tokens == 12


async def test_a_stream_that_the_app_had_closed_is_closed(client: anthropic.Anthropic) -> None:
    stream = WAYS["create"](client, "stream-hang")
    next(stream)
    stream.close()

    assert claxon.read_stream(stream).ending is StreamEnd.CLOSED


async def test_the_events_themselves_will_do(
    client: anthropic.Anthropic, async_client: anthropic.AsyncAnthropic
) -> None:
    async def later() -> AsyncIterator[Any]:
        async for event in await WAYS["create"](async_client, "200"):
            yield event

    ours = claxon.read_stream(list(WAYS["create"](client, "200")))
    theirs = await claxon.aread_stream(later())

    assert (ours.ending, ours.text) == (theirs.ending, theirs.text) == (StreamEnd.COMPLETE, "Hello!")


class Greeting(BaseModel):
    greeting: str


async def test_structured_output_that_cannot_be_read_is_no_exception(client: anthropic.Anthropic) -> None:
    """The SDK raises at the end of the block; the text is there all the same."""
    answer = claxon.read_stream(client.messages.stream(**script("200"), output_format=Greeting))

    assert (answer.ending, answer.text) == (StreamEnd.CLOSED, "Hello!")
    assert isinstance(answer.error, ValueError)


async def test_what_is_no_stream_is_refused_with_the_remedy(
    client: anthropic.Anthropic, async_client: anthropic.AsyncAnthropic
) -> None:
    message = client.messages.create(**ARGUMENTS)
    opened = await WAYS["create"](async_client, "200")

    with pytest.raises(TypeError, match=r"Message: no stream: call with stream=True"):
        claxon.read_stream(message)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"use `await claxon.aread_stream"):
        claxon.read_stream(opened)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"use `claxon.read_stream"):
        await claxon.aread_stream(client.messages.stream(**ARGUMENTS))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"dict: give a stream of the SDK's"):
        claxon.read_stream([{"type": "message_start"}])


async def test_a_client_that_nobody_observes_gives_partial_answers_too(client: anthropic.Anthropic) -> None:
    answer = claxon.read_stream(WAYS["create"](client, "stream-cut"))

    assert (answer.ending, answer.text) == (StreamEnd.TRANSPORT_ERROR, "Hel")


async def test_an_on_end_that_fails_does_not_reach_the_app(client: anthropic.Anthropic) -> None:
    def fail(answer: PartialAnswer) -> None:
        raise LookupError(answer.text)

    pieces = claxon.partial(WAYS["create"](client, "200"), on_end=fail)

    assert list(pieces) == ["Hel", "lo!"]
    assert pieces.answer.ending is StreamEnd.COMPLETE


async def test_a_connection_is_free_again_after_each_ending(fake: FakeClaude) -> None:
    """One connection is all there is: a stream that kept it would let the next call time out."""
    limits = httpx2.Limits(max_connections=1)
    transport = httpx2.Client(limits=limits, timeout=httpx2.Timeout(1.0))
    with anthropic.Anthropic(api_key="x", base_url=fake.url, http_client=transport, max_retries=0) as client:
        for way in WAYS.values():
            for steps in ("200", "stream-error", "stream-cut", "stream-end"):
                claxon.read_stream(way(client, steps))
            pieces = claxon.partial(way(client, "stream-hang"))
            next(pieces)
            pieces.close()

        assert client.messages.create(**ARGUMENTS).content


@pytest.mark.parametrize("kind", ["sync", "async"])
async def test_a_stream_that_falls_silent_is_cut_by_the_clients_own_timeout(
    kind: str, client: anthropic.Anthropic, async_client: anthropic.AsyncAnthropic
) -> None:
    if kind == "sync":
        answer = claxon.read_stream(WAYS["stream"](client.with_options(timeout=0.1), "stream-hang:delay=0.4"))
    else:
        hasty = async_client.with_options(timeout=0.1)
        answer = await claxon.aread_stream(WAYS["stream"](hasty, "stream-hang:delay=0.4"))

    assert (answer.ending, answer.text) == (StreamEnd.TRANSPORT_ERROR, "Hel")
    assert isinstance(answer.error, httpx2.ReadTimeout)


@pytest.mark.parametrize("way", ["create", "stream"])
async def test_input_of_a_tool_that_is_no_json_loses_nothing_else(way: str, client: anthropic.Anthropic) -> None:
    """The SDK's own stream object raises at it; a bare stream goes on, and the input is empty."""

    def spoiled(events: Iterator[Any]) -> Iterator[Any]:
        for event in events:
            if event.type == "content_block_delta" and event.delta.type == "input_json_delta":
                event.delta.partial_json = event.delta.partial_json.replace("{", "}")
            yield event

    steps = "200:blocks=text+tool"
    if way == "create":
        answer = claxon.read_stream(spoiled(WAYS["create"](client, steps)))
        expected = StreamEnd.COMPLETE
    else:
        manager = WAYS["stream"](client, steps)
        with manager as stream:
            stream._raw_stream = spoiled(stream._raw_stream)
            answer = claxon.read_stream(iter(stream))
        expected = StreamEnd.CLOSED

    assert (answer.ending, answer.text) == (expected, "Hello!")
    assert answer.message is not None
    assert answer.message.content[1].input == {}
    assert isinstance(answer.error, ValueError if expected is StreamEnd.CLOSED else type(None))


async def test_an_unawaited_call_is_made_when_the_first_piece_is_asked_for(
    async_client: anthropic.AsyncAnthropic, fake: FakeClaude
) -> None:
    before = len(fake.seen)
    pieces = claxon.partial(WAYS["create"](async_client, "200"))
    sent = len(fake.seen) - before

    texts = [text async for text in pieces]

    assert (sent, len(fake.seen) - before, texts) == (0, 1, ["Hel", "lo!"])


async def test_a_call_that_is_never_made_leaves_nothing_behind(async_client: anthropic.AsyncAnthropic) -> None:
    async with claxon.partial(WAYS["create"](async_client, "200")) as pieces:
        pass

    assert (pieces.answer.ending, pieces.answer.message) == (StreamEnd.CLOSED, None)


@pytest.mark.parametrize("place", ["claxon.partials.marks", "claxon.partial_answer.Arrived.answer"])
async def test_a_fault_of_ours_leaves_the_text(
    place: str, client: anthropic.Anthropic, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(place, fail)

    answer = claxon.read_stream(WAYS["create"](client, "stream-cut"))

    assert (answer.ending, answer.text) == (StreamEnd.TRANSPORT_ERROR, "Hel")
