"""Calls: what only the hook around a whole call can know."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import anthropic
import claxon
import pytest
from anthropic import APIRequest, APIResponse, CallNext, CredentialsError, Middleware
from claxon import Event
from claxon.middleware import ClaxonMiddleware
from claxon.testing import capture_events

from service.demo.fake_claude import FakeClaude
from tests.client.calling import ARGUMENTS, SOON, ask, script


class _Provider:
    """Gives a new token each time it is asked."""

    def __init__(self) -> None:
        self.given = 0

    def __call__(self, *, force_refresh: bool = False) -> Any:
        from anthropic.lib.credentials import AccessToken

        self.given += 1
        return AccessToken(token=f"token-{self.given}", expires_at=None)


async def test_a_401_that_a_fresh_token_heals_is_absorbed(fake: FakeClaude, events: list[Event]) -> None:
    """Else each rotation of a token would page somebody."""
    with anthropic.Anthropic(credentials=_Provider(), base_url=fake.url) as client:
        await ask(client, "401,200")

    assert [(event.status, event.category, event.final) for event in events] == [
        (401, "authentication", False),
        (200, "ok", True),
    ]


async def test_a_second_401_ends_the_call(fake: FakeClaude, events: list[Event]) -> None:
    with anthropic.Anthropic(credentials=_Provider(), base_url=fake.url) as client:
        await ask(client, "401,401")

    assert [(event.final, event.exhausted) for event in events] == [(False, False), (True, False)]


def _no_key(fake: FakeClaude) -> anthropic.Anthropic:
    client = anthropic.Anthropic(api_key="x", base_url=fake.url)
    client.api_key = None
    return client


def _broken_provider(fake: FakeClaude) -> anthropic.Anthropic:
    def fail(*, force_refresh: bool = False) -> Any:
        raise CredentialsError("the token file cannot be read")

    return anthropic.Anthropic(credentials=fail, base_url=fake.url)


@pytest.mark.parametrize("make", [_no_key, _broken_provider])
async def test_a_call_without_credentials_makes_one_final_event_though_nothing_was_sent(
    make: Callable[[FakeClaude], anthropic.Anthropic], fake: FakeClaude, events: list[Event]
) -> None:
    before = len(fake.seen)
    with make(fake) as client:
        error = await ask(client, "200")

    assert isinstance(error, (TypeError, CredentialsError))
    assert len(fake.seen) == before
    (event,) = events
    assert (event.category, event.error_type) == ("authentication", "CredentialsError")
    assert (event.final, event.exhausted, event.attempt, event.error_message) == (True, False, 1, None)


async def test_a_call_cancelled_in_flight_is_no_error(
    async_client: anthropic.AsyncAnthropic, fake: FakeClaude, events: list[Event]
) -> None:
    before = len(fake.seen)
    task = asyncio.create_task(async_client.messages.create(**script("hang:delay=5")))
    while len(fake.seen) == before:
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    (event,) = events
    assert (event.category, event.error_type, event.final) == ("cancelled", "cancelled", True)


async def test_a_call_cancelled_between_two_attempts_is_told_once_and_is_no_error(
    async_client: anthropic.AsyncAnthropic, events: list[Event]
) -> None:
    """No attempt is under way then, so only the hook around the call can see it."""
    task = asyncio.create_task(async_client.messages.create(**script("529:retry_after=30")))
    while not events:
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [(event.attempt, event.category, event.final, event.exhausted) for event in events] == [
        (1, "overloaded", False, False),
        (2, "cancelled", True, False),
    ]
    assert events[0].retry_after_s == 30
    assert events[0].call_id == events[1].call_id


async def test_max_retries_is_what_this_call_will_use(client: anthropic.Anthropic, events: list[Event]) -> None:
    """From the client, a copy of it, or the options of one request."""
    await ask(client, f"529:{SOON}", max_retries=1)
    client.post(
        "/v1/messages",
        body=ARGUMENTS,
        cast_to=object,
        options={"headers": {"x-fake": f"500:{SOON},500:{SOON},500:{SOON},200"}, "max_retries": 4},
    )

    assert [(event.attempt, event.max_attempts, event.exhausted) for event in events] == [
        (1, 2, False),
        (2, 2, True),
        (1, 5, False),
        (2, 5, False),
        (3, 5, False),
        (4, 5, False),
    ]


async def test_calls_have_ids_of_their_own(client: anthropic.Anthropic, events: list[Event]) -> None:
    for _ in range(3):
        await ask(client, "200")

    assert len({event.call_id for event in events}) == 3


class _Falls(Middleware):
    """Asks another model when the first one fails, inside the same attempt."""

    def handle(self, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        response = call_next(request)
        if response.status_code < 500:
            return response
        response.http_response.read()
        return call_next(request.copy(body={**dict(request.json or {}), "model": "claude-other"}))  # type: ignore[call-overload]


async def test_a_fallback_to_another_model_is_an_event_that_names_both(fake: FakeClaude, events: list[Event]) -> None:
    with (
        FakeClaude(lambda request: "529" if request.model == "claude-test" else "200") as api,
        anthropic.Anthropic(api_key="x", base_url=api.url, middleware=[_Falls()]) as client,
    ):
        client.messages.create(**ARGUMENTS)

    assert [(event.model, event.attempt, event.fallback_from, event.category) for event in events] == [
        ("claude-test", 1, None, "overloaded"),
        ("claude-other", 1, "claude-test", "ok"),
    ]
    assert events[0].call_id == events[1].call_id


class _GivesUp(Middleware):
    def handle(self, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        if call_next(request).status_code >= 500:
            raise RuntimeError("circuit open")
        raise AssertionError


async def test_a_call_that_another_middleware_ends_is_final_after_all(fake: FakeClaude, events: list[Event]) -> None:
    """The SDK was to try again, and did not: the call has failed."""
    with anthropic.Anthropic(api_key="x", base_url=fake.url, middleware=[_GivesUp()]) as client:
        await ask(client, f"500:{SOON}")

    assert [(event.attempt, event.final, event.error_type) for event in events] == [
        (1, False, "api_error"),
        (2, True, "RuntimeError"),
    ]


async def test_every_client_is_covered_whenever_and_however_it_was_made(fake: FakeClaude) -> None:
    with anthropic.Anthropic(api_key="x", base_url=fake.url) as before, capture_events() as events:
        after = anthropic.Anthropic(api_key="x", base_url=fake.url)
        bare = before.copy(middleware=[])
        mine = after.with_middleware(lambda request, call_next: call_next(request))
        for client in (before, after, before.with_options(timeout=5), bare, mine):
            await ask(client, "200")
        after.close()

        assert len(events) == 5
        assert isinstance(mine.middleware[-1], ClaxonMiddleware), "innermost, next to the wire"
        assert sum(isinstance(entry, ClaxonMiddleware) for entry in mine.middleware) == 1


async def test_platform_clients_are_covered_and_name_the_model_as_the_app_does(
    fake: FakeClaude, events: list[Event]
) -> None:
    with anthropic.AnthropicBedrock(api_key="x", aws_region="x", base_url=fake.url) as client:
        error = await ask(client, "529", max_retries=0)

    assert isinstance(error, anthropic.InternalServerError)

    (event,) = events
    assert (event.model, event.path, event.category) == ("claude-test", "/v1/messages", "overloaded")


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("200", ("complete", None, "ok", 12)),
        ("stream-error", ("error_event", "throttlingException", "overloaded", None)),
        ("stream-end", ("truncated", "stream_truncated", "stream", None)),
    ],
)
async def test_bedrocks_own_framing_is_read_too(
    steps: str, expected: tuple[object, ...], fake: FakeClaude, events: list[Event]
) -> None:
    """The bytes are not parsed by the SDK here, for that needs botocore; the event needs neither."""
    with (
        anthropic.AnthropicBedrock(api_key="x", aws_region="x", base_url=fake.url) as client,
        client.messages.with_streaming_response.create(**script(steps), stream=True) as response,
    ):
        assert len(b"".join(response.iter_bytes())) > 500

    (event,) = events
    assert (event.stream_end, event.error_type, event.category, event.output_tokens) == expected
    assert (event.input_tokens, event.model) == (10, "claude-test")


async def test_instrumenting_twice_makes_no_second_event(client: anthropic.Anthropic) -> None:
    claxon.instrument(url="")
    claxon.instrument(url="")
    with capture_events() as events:
        await ask(claxon.watch(client), "200")

    assert len(events) == 1


async def test_uninstrument_puts_the_sdk_back_as_it_was(fake: FakeClaude) -> None:
    from anthropic._base_client import AsyncAPIClient, SyncAPIClient

    def parts() -> list[Any]:
        return [vars(kind)[name] for kind in (SyncAPIClient, AsyncAPIClient) for name in ("__init__", "request")]

    before = parts()
    claxon.instrument(url="")
    during = parts()
    claxon.uninstrument()

    assert parts() == before
    assert not set(before) & set(during)


async def test_a_client_made_under_instrument_works_and_is_silent_after_uninstrument(
    fake: FakeClaude,
) -> None:
    claxon.instrument(url="")
    with anthropic.Anthropic(api_key="x", base_url=fake.url) as client:
        claxon.uninstrument()
        assert await ask(client, "200") is None

    assert claxon.stats().queued == 0


async def test_threads_do_not_mix_up_their_calls(client: anthropic.Anthropic, events: list[Event]) -> None:
    def work(number: int) -> None:
        with claxon.context(path=f"route/{number}"):
            client.messages.create(**script(f"500:{SOON},200"))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    routes = {event.call_id: set() for event in events}
    for event in events:
        routes[event.call_id].add(event.path)
    assert len(routes) == 4
    assert all(len(paths) == 1 for paths in routes.values())


async def test_tasks_do_not_mix_up_their_calls(async_client: anthropic.AsyncAnthropic, events: list[Event]) -> None:
    async def work(number: int) -> None:
        with claxon.context(path=f"route/{number}"):
            await async_client.messages.create(**script(f"500:{SOON},200"))

    await asyncio.gather(*(work(number) for number in range(4)))

    assert len({event.call_id for event in events}) == 4
    assert len({(event.call_id, event.path) for event in events}) == 4
