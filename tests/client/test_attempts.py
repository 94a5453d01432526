"""One event per attempt, with what became of it: the cases that were seen of the real SDK."""

from __future__ import annotations

from typing import Any

import anthropic
import claxon
import pytest
from claxon import Event

from service.demo.fake_claude import FakeClaude
from tests.client.calling import ARGUMENTS, MODEL, ask, script
from tests.client.cases import ATTEMPT_FIELDS, cases_of

CASES = cases_of("attempts")
UNANSWERED = cases_of("unanswered")


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(("steps", "expected"), CASES.values(), ids=CASES)
async def test_each_attempt_makes_one_event_that_says_how_it_ended(
    steps: str,
    expected: list[tuple[Any, ...]],
    kind: str,
    client: anthropic.Anthropic,
    async_client: anthropic.AsyncAnthropic,
    events: list[Event],
) -> None:
    await ask(client if kind == "sync" else async_client, steps)

    assert [tuple(getattr(event, name) for name in ATTEMPT_FIELDS) for event in events] == expected
    assert {event.max_attempts for event in events} == {3}
    assert len({event.call_id for event in events}) == 1


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize(("steps", "expected"), CASES.values(), ids=CASES)
async def test_a_watched_client_makes_the_same_events_without_any_patching(
    steps: str,
    expected: list[tuple[Any, ...]],
    kind: str,
    client: anthropic.Anthropic,
    async_client: anthropic.AsyncAnthropic,
) -> None:
    with claxon_without_hook() as events:
        watched = claxon.watch(client) if kind == "sync" else claxon.watch(async_client)
        await ask(watched, steps)

    assert [tuple(getattr(event, name) for name in ATTEMPT_FIELDS) for event in events] == expected
    assert len({event.call_id for event in events}) == 1


def claxon_without_hook() -> Any:
    """Capture events while the SDK's classes are as they were."""
    from contextlib import contextmanager

    from claxon.patching import remove
    from claxon.state import STATE
    from claxon.testing import capture_events

    @contextmanager
    def capturing() -> Any:
        with capture_events() as events:
            remove()
            STATE.active = False
            yield events

    return capturing()


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("hooked", [True, False], ids=["instrumented", "watched"])
async def test_a_reset_connection_that_may_not_be_retried_is_final_and_exhausted(
    kind: str, hooked: bool, client: anthropic.Anthropic, async_client: anthropic.AsyncAnthropic
) -> None:
    """Without `max_retries` this would be taken for an absorbed error, and nobody would be paged."""
    chosen = client if kind == "sync" else async_client
    from claxon.testing import capture_events

    with capture_events() if hooked else claxon_without_hook() as events:
        error = await ask(claxon.watch(chosen), "reset", max_retries=0)

    assert isinstance(error, anthropic.APIConnectionError)
    (event,) = events
    assert (event.category, event.error_type) == ("connection", "APIConnectionError")
    assert (event.final, event.exhausted, event.max_attempts, event.status) == (True, True, 1, None)


@pytest.mark.parametrize(("steps", "expected"), UNANSWERED.values(), ids=UNANSWERED)
async def test_an_attempt_without_an_answer_says_why(
    steps: str, expected: list[tuple[Any, ...]], client: anthropic.Anthropic, events: list[Event]
) -> None:
    await ask(client, steps, timeout=0.05, max_retries=0)

    assert [tuple(getattr(event, name) for name in ATTEMPT_FIELDS) for event in events] == expected


async def test_a_reset_connection_is_tried_again(client: anthropic.Anthropic, events: list[Event]) -> None:
    error = await ask(client, "reset,200", max_retries=1)

    assert error is None
    assert [(event.category, event.final) for event in events] == [("connection", False), ("ok", True)]


async def test_a_timeout_is_one(client: anthropic.Anthropic, events: list[Event]) -> None:
    error = await ask(client, "hang:delay=5", timeout=0.05, max_retries=0)

    assert isinstance(error, anthropic.APITimeoutError)
    assert [(event.category, event.final, event.exhausted) for event in events] == [("timeout", True, True)]
    assert events[0].duration_ms is not None
    assert 50 <= events[0].duration_ms < 5000


async def test_an_event_carries_what_the_request_and_the_answer_say(
    client: anthropic.Anthropic, fake: FakeClaude, events: list[Event]
) -> None:
    message = client.messages.create(**ARGUMENTS)

    (event,) = events
    assert (event.model, event.path, event.app, event.environment) == (MODEL, "/v1/messages", "default", "")
    assert (event.tokens, event.input_tokens, event.output_tokens) == (64, 10, 5)
    assert (event.cache_read_tokens, event.cache_write_tokens) == (7, 3)
    assert event.stop_reason == "end_turn"
    assert event.request_id == message._request_id
    assert event.error_type is event.error_code is event.error_message is event.stream_end is None
    assert event.duration_ms is not None
    assert 0 < event.duration_ms < 5000


async def test_rate_limit_headers_become_numbers_and_instants(client: anthropic.Anthropic, events: list[Event]) -> None:
    await ask(client, "200:remaining=0.5")

    limits = events[0].ratelimit
    assert limits is not None
    assert (limits.requests_limit, limits.requests_remaining) == (50, 25)
    assert (limits.input_tokens_limit, limits.input_tokens_remaining) == (30_000, 15_000)
    assert (limits.output_tokens_remaining, limits.tokens_remaining) == (4_000, 19_000)
    assert str(limits.tokens_reset).endswith("+00:00")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("retry_after_ms=7", 0.007),
        ("retry_after=0.01", 0.01),
        ("retry_after=soon", None),
        ("retry_after=-5", None),
        ("", None),
    ],
)
async def test_retry_after_is_what_the_sdk_will_sleep_and_none_where_it_chooses_itself(
    header: str, seconds: float | None, client: anthropic.Anthropic, events: list[Event]
) -> None:
    await ask(client, f"429:{header},200", max_retries=1)

    assert events[0].retry_after_s == seconds


async def test_a_date_is_a_retry_after_too_and_nobody_sleeps_after_the_last_attempt() -> None:
    from email.utils import formatdate
    from time import time

    from claxon.retry import LONGEST_SLEEP_S, retry_after_s

    soon = retry_after_s({"retry-after": formatdate(time() + 90, usegmt=True)})

    assert soon is not None
    assert 85 < soon <= 90
    assert retry_after_s({"retry-after": formatdate(time() - 90, usegmt=True)}) is None
    assert retry_after_s({"retry-after": "9e9"}) == LONGEST_SLEEP_S


async def test_after_the_last_attempt_there_is_no_sleep_to_report(
    client: anthropic.Anthropic, events: list[Event]
) -> None:
    await ask(client, "429:retry_after=30", max_retries=0)

    assert events[0].retry_after_s is None


async def test_the_usage_limit_that_is_told_in_words_becomes_a_code_and_the_words_stay_here(
    client: anthropic.Anthropic, events: list[Event]
) -> None:
    text = "You have reached your specified API usage limits. You will regain access on 2026-12-01."

    await ask(client, f"400:message={text}")

    (event,) = events
    assert (event.error_code, event.category) == ("usage_limit_reached", "account")
    assert event.error_message is None


async def test_a_model_that_ends_soon_carries_its_date(client: anthropic.Anthropic, events: list[Event]) -> None:
    with pytest.warns(DeprecationWarning, match="end-of-life"):
        client.messages.create(**{**ARGUMENTS, "model": "claude-sonnet-4-5"})
    client.messages.create(**ARGUMENTS)

    assert [event.model_end_of_life for event in events] == ["2026-11-30", None]


async def test_other_resources_make_events_too(client: anthropic.Anthropic, events: list[Event]) -> None:
    client.messages.count_tokens(model=MODEL, messages=ARGUMENTS["messages"])
    list(client.models.list())
    client.beta.messages.create(**ARGUMENTS)
    client.post("/v1/messages?x=1", body=ARGUMENTS, cast_to=object)

    assert [(event.path, event.model, event.category) for event in events] == [
        ("/v1/messages/count_tokens", MODEL, "ok"),
        ("/v1/models", "none", "ok"),
        ("/v1/messages", MODEL, "ok"),
        ("/v1/messages", MODEL, "ok"),
    ]


async def test_an_id_in_the_address_is_no_path_of_its_own(client: anthropic.Anthropic, events: list[Event]) -> None:
    """Else each of them would be a key of its own in the service, for ever."""
    client.messages.batches.with_raw_response.retrieve("msgbatch_123")

    assert events[0].path == "/v1/messages/batches/{message_batch_id}"


async def test_a_raw_response_that_is_never_parsed_still_tells_its_usage(
    client: anthropic.Anthropic, events: list[Event]
) -> None:
    raw = client.messages.with_raw_response.create(**script("200"))
    with client.messages.with_streaming_response.create(**script("200")) as response:
        body = response.json()

    assert raw.parse().usage.input_tokens == 10
    assert isinstance(body, dict)
    assert [(event.input_tokens, event.output_tokens) for event in events] == [(10, 5), (10, 5)]
