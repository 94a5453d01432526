"""A retry policy decides in place of the SDK's loop, and the events say what it decided."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import time
from typing import Any

import anthropic
import claxon
import httpx2
import pytest
from anthropic import NotGiven
from claxon import Event
from claxon.calls import current_call
from claxon.deadlines import current_deadline, shortened
from claxon.testing import capture_events

from service.demo.fake_claude import FakeClaude
from tests.client.calling import WAYS, ask, script, stream_async, stream_sync
from tests.client.steered import BOTH, client_of, quick

FIELDS = ("attempt", "category", "final", "exhausted", "stopped_by", "max_attempts")

# What the API plays, and the events: (attempt, category, final, exhausted, stopped_by, max_attempts).
CASES: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "absorbed errors": (
        "500,500,200",
        [
            (1, "server", False, False, None, 4),
            (2, "server", False, False, None, 4),
            (3, "ok", True, False, None, 4),
        ],
    ),
    "an overload: three retries": (
        "529",
        [
            (1, "overloaded", False, False, None, 4),
            (2, "overloaded", False, False, None, 4),
            (3, "overloaded", False, False, None, 4),
            (4, "overloaded", True, True, "max_attempts", 4),
        ],
    ),
    "a timeout: one retry": (
        "504",
        [(1, "timeout", False, False, None, 4), (2, "timeout", True, True, "max_attempts", 4)],
    ),
    "a broken connection": ("reset,200", [(1, "connection", False, False, None, 4), (2, "ok", True, False, None, 4)]),
    "a rejected key": ("401", [(1, "authentication", True, False, None, 4)]),
    "a bad request, though the API says to try again": (
        "400:should_retry=true",
        [(1, "invalid_request", True, False, None, 4)],
    ),
    "no permission": ("403", [(1, "permission", True, False, None, 4)]),
    "a spend limit, which the SDK would retry": (
        "429:error_code=enforced_spend_limit_reached",
        [(1, "account", True, False, None, 4)],
    ),
    "a 500 that must not be retried": ("500:should_retry=false", [(1, "server", True, False, None, 4)]),
    "a missing model that the API says to ask again for": (
        "404:should_retry=true,200",
        [(1, "not_found", False, False, None, 4), (2, "ok", True, False, None, 4)],
    ),
    "a retry-after beyond the cap": ("429:retry_after=3600", [(1, "rate_limit", True, True, "retry_after", 4)]),
    "failures of two kinds, each counted by itself": (
        "504,500,504",
        [
            (1, "timeout", False, False, None, 4),
            (2, "server", False, False, None, 4),
            (3, "timeout", True, True, "max_attempts", 4),
        ],
    ),
}


@BOTH
@pytest.mark.parametrize("case", CASES)
async def test_a_call_is_tried_again_as_its_category_allows(
    case: str, kind: str, fake: FakeClaude, events: list[Event]
) -> None:
    steps, expected = CASES[case]
    async with client_of(kind, fake, [quick()]) as client:
        before = len(fake.seen)
        await ask(client, steps)

    assert [tuple(getattr(event, name) for name in FIELDS) for event in events] == expected
    assert len({event.call_id for event in events}) == 1
    assert len(fake.seen) - before == len(expected)


@BOTH
async def test_the_sdks_own_loop_does_not_multiply_the_policys(
    kind: str, fake: FakeClaude, events: list[Event], caplog: pytest.LogCaptureFixture
) -> None:
    """With `max_retries` left as it was: as many requests, and the same error."""
    for steps in ("529", "reset"):
        events.clear()
        async with client_of(kind, fake, [quick()], max_retries=2) as client:
            before = len(fake.seen)
            error = await ask(client, steps)

        assert len(fake.seen) - before == 4
        assert isinstance(error, (anthropic.OverloadedError, anthropic.APIConnectionError))
        assert [event.final for event in events] == [False, False, False, True]
    assert "max_retries=2" in caplog.text
    assert "max_retries=0" in caplog.text


@BOTH
async def test_a_policy_works_on_a_client_that_nobody_observes(kind: str, fake: FakeClaude) -> None:
    async with client_of(kind, fake, [quick()]) as client:
        before = len(fake.seen)
        assert await ask(client, "500,200") is None
        assert isinstance(await ask(client, "529"), anthropic.OverloadedError)

    assert len(fake.seen) - before == 2 + 4


@BOTH
async def test_a_watched_client_with_a_policy_gives_exact_events(kind: str, fake: FakeClaude) -> None:
    """Without the call hook: numbers, ids and finality come from the policy."""
    with capture_events() as events:
        claxon.uninstrument()
        async with client_of(kind, fake, [quick()]) as client:
            await ask(claxon.watch(client, url=""), "reset,529,200")

    assert [(event.attempt, event.final, event.category) for event in events] == [
        (1, False, "connection"),
        (2, False, "overloaded"),
        (3, True, "ok"),
    ]
    assert len({event.call_id for event in events}) == 1


@BOTH
async def test_a_parked_call_says_how_long_and_is_the_sdks_error_too(kind: str, fake: FakeClaude) -> None:
    async with client_of(kind, fake, [quick(most_retry_after_s=5)]) as client:
        started = time.perf_counter()
        limited = await ask(client, "429:retry_after=3600")
        overloaded = await ask(client, "529:retry_after=3600")

    assert time.perf_counter() - started < 5
    assert isinstance(limited, claxon.CallParked)
    assert isinstance(limited, anthropic.RateLimitError)
    assert limited.retry_after_s == 3600
    assert limited.request_id
    assert "3600 s" in str(limited)
    assert claxon.marks(limited).stopped_by == "retry_after"
    assert isinstance(overloaded, claxon.CallParked)
    assert isinstance(overloaded, anthropic.OverloadedError)
    assert claxon.stats().resilience["parked"] == 2
    again = pickle.loads(pickle.dumps(limited))
    assert again.retry_after_s == 3600


@BOTH
async def test_retry_after_is_slept_and_told_before(kind: str, fake: FakeClaude, events: list[Event]) -> None:
    async with client_of(kind, fake, [quick()]) as client:
        started = time.perf_counter()
        await ask(client, "429:retry_after_ms=120,200")

    assert time.perf_counter() - started >= 0.12
    assert events[0].retry_after_s is not None
    assert 0.12 <= events[0].retry_after_s < 0.13
    assert events[1].ok


@BOTH
async def test_a_call_ends_by_its_deadline(kind: str, fake: FakeClaude, events: list[Event]) -> None:
    policy = quick(deadline_s=0.3, rules={"server": 50}, most_attempts=60, budget=None)
    async with client_of(kind, fake, [policy]) as client:
        started = time.perf_counter()
        error = await ask(client, "500:retry_after_ms=100")

    assert 0.15 < time.perf_counter() - started < 0.6
    assert isinstance(error, anthropic.InternalServerError)
    assert claxon.marks(error).stopped_by == "deadline"
    assert events[-1].stopped_by == "deadline"
    assert (events[-1].final, events[-1].exhausted) == (True, True)


@BOTH
async def test_a_silent_api_is_left_at_the_deadline(kind: str, fake: FakeClaude, events: list[Event]) -> None:
    async with client_of(kind, fake, [quick()]) as client:
        started = time.perf_counter()
        with claxon.deadline(0.2):
            error = await ask(client, "hang:delay=5")

    assert time.perf_counter() - started < 2
    assert isinstance(error, anthropic.APITimeoutError)
    assert events[-1].final is True


@BOTH
async def test_a_call_after_its_deadline_is_not_sent(kind: str, fake: FakeClaude, events: list[Event]) -> None:
    async with client_of(kind, fake, [quick()]) as client:
        before = len(fake.seen)
        with claxon.deadline(0.001):
            await asyncio.sleep(0.01)
            error = await ask(client, "200")

    assert isinstance(error, claxon.DeadlineExceeded)
    assert len(fake.seen) == before
    assert [(event.error_type, event.category, event.final, event.stopped_by) for event in events] == [
        ("DeadlineExceeded", "timeout", True, "deadline")
    ]


@BOTH
async def test_what_is_inside_a_policy_sees_its_deadline(kind: str, fake: FakeClaude) -> None:
    """Else a throttle would hold a call back for longer than it has."""
    seen: list[float | None] = []

    class Looks(anthropic.Middleware):
        def handle(self, request: Any, call_next: Any) -> Any:
            seen.append(current_deadline())
            return call_next(request)

        async def handle_async(self, request: Any, call_next: Any) -> Any:
            seen.append(current_deadline())
            return await call_next(request)

    async with client_of(kind, fake, [quick(deadline_s=9), Looks()]) as client:
        await ask(client, "500,200")

    assert len(seen) == 2
    assert seen[0] is not None
    assert seen[0] == seen[1]
    assert 5 < seen[0] - time.perf_counter() < 9
    assert current_deadline() is None


def test_of_nested_deadlines_the_earliest_holds() -> None:
    with claxon.deadline(1):
        outer = current_deadline()
        with claxon.deadline(100):
            assert current_deadline() == outer
    assert current_deadline() is None

    @claxon.deadline(5)
    async def answer() -> float | None:
        return current_deadline()

    found = asyncio.run(answer())
    assert found is not None
    assert 4 < found - time.perf_counter() <= 5


async def test_a_cancelled_pause_ends_the_call_and_says_so(fake: FakeClaude, events: list[Event]) -> None:
    async with client_of("async", fake, [quick(base_s=30, most_backoff_s=30, random=lambda: 1.0)]) as client:
        task = asyncio.create_task(ask(client, "500"))
        while not events:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert [(event.attempt, event.category, event.final) for event in events] == [
        (1, "server", False),
        (2, "cancelled", True),
    ]


@BOTH
async def test_a_refreshed_token_is_the_sdks_business(kind: str, fake: FakeClaude, events: list[Event]) -> None:
    """A first 401 of a client with a token cache is no rejected key, and must not page."""
    from anthropic.lib.credentials import StaticToken

    async with client_of(
        kind, fake, [quick()], api_key=None, credentials=StaticToken("token"), max_retries=1
    ) as client:
        assert await ask(client, "401,200") is None

    assert [(event.attempt, event.category, event.final) for event in events] == [
        (1, "authentication", False),
        (2, "ok", True),
    ]


def test_overload_is_retried_for_thirty_seconds_at_most() -> None:
    from claxon.outcome import Outcome
    from claxon.retry_rules import RULES, Backoff, Course, decide
    from claxon.taxonomy import Category

    outcome = Outcome(category=Category.OVERLOADED, status=529, retry_after_s=16.0)
    course = Course(deadline=None, attempts=1)
    backoff = Backoff(base_s=0.5, most_s=8.0, random=lambda: 0.0)

    def at(now: float) -> tuple[float | None, str | None]:
        return decide(outcome, course, rules=RULES, most_attempts=9, most_retry_after_s=60, backoff=backoff, now=now)

    assert at(0.0) == (16.0, None)
    assert at(16.0) == (None, "max_attempts"), "the next would begin after 32 s"


def test_pauses_have_full_jitter_and_double_to_a_cap() -> None:
    from claxon.retry_rules import Backoff

    longest = Backoff(base_s=0.5, most_s=8.0, random=lambda: 1.0)
    none = Backoff(base_s=0.5, most_s=8.0, random=lambda: 0.0)

    assert [longest.after(number, None) for number in range(1, 8)] == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert none.after(3, None) == 0.0
    assert none.after(3, 7.0) == 7.0, "never earlier than the API asked for"
    assert longest.after(3, 7.0) == 7.5


def test_a_timeout_is_shortened_to_what_the_deadline_leaves() -> None:
    class Client:
        timeout = httpx2.Timeout(600, connect=5)

    assert shortened(NotGiven(), Client(), 30) == httpx2.Timeout(30, connect=5)
    assert shortened(10, None, 30) == httpx2.Timeout(10)
    assert shortened(None, None, 30) == httpx2.Timeout(30)
    assert shortened(httpx2.Timeout(3), None, 1.5) == httpx2.Timeout(1.5)


@BOTH
@pytest.mark.parametrize("way", WAYS)
async def test_a_stream_is_tried_again_until_it_opens(
    way: str, kind: str, fake: FakeClaude, events: list[Event]
) -> None:
    async with client_of(kind, fake, [quick()]) as client:
        if isinstance(client, anthropic.AsyncAnthropic):
            await stream_async(client, way, "529,500,200")
        else:
            stream_sync(client, way, "529,500,200")

    assert [(event.attempt, event.final, event.category) for event in events] == [
        (1, False, "overloaded"),
        (2, False, "server"),
        (3, True, "ok"),
    ]
    assert events[-1].stream_end == "complete"


@BOTH
async def test_a_cut_stream_is_no_failure_of_the_policys(kind: str, fake: FakeClaude, events: list[Event]) -> None:
    async with client_of(kind, fake, [quick()]) as client:
        with contextlib.suppress(httpx2.TransportError):
            if isinstance(client, anthropic.AsyncAnthropic):
                await stream_async(client, "create", "stream-cut")
            else:
                stream_sync(client, "create", "stream-cut")

    assert [(event.attempt, event.final, event.category) for event in events] == [(1, True, "stream")]


@BOTH
async def test_answers_say_how_many_requests_they_took(kind: str, fake: FakeClaude) -> None:
    async with client_of(kind, fake, [quick()]) as client:
        if isinstance(client, anthropic.AsyncAnthropic):
            message: Any = await client.messages.create(**script("500,200"))
            raw: Any = await client.messages.with_raw_response.create(**script("500,200"))
            stream: Any = await client.messages.create(**script("500,200"), stream=True)
        else:
            message = client.messages.create(**script("500,200"))
            raw = client.messages.with_raw_response.create(**script("500,200"))
            stream = client.messages.create(**script("500,200"), stream=True)
        found = [claxon.marks(answer).attempts for answer in (message, raw, stream)]
        closed = stream.close()
        if closed is not None:
            await closed

    assert found == [2, 2, 2]
    assert claxon.marks("an answer of somebody else's") == claxon.Marks()


async def test_what_is_no_message_is_tried_again_too(events: list[Event]) -> None:
    """A policy stands in for the SDK's loop, whatever is asked."""
    asked: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.method)
        if len(asked) < 3:
            return httpx2.Response(500)
        return httpx2.Response(200, json={"data": [], "has_more": False, "first_id": None, "last_id": None})

    transport = httpx2.Client(transport=httpx2.MockTransport(answer))
    with anthropic.Anthropic(api_key="x", http_client=transport, max_retries=0, middleware=[quick()]) as client:
        assert client.models.list().data == []

    assert asked == ["GET"] * 3
    assert [event.final for event in events] == [False, False, True]


async def test_a_call_lets_go_of_its_attempts(fake: FakeClaude, events: list[Event]) -> None:
    """Calls and attempts are unseen by the garbage collector: a call that held one would keep both for ever."""
    calls = []

    def note(request: anthropic.APIRequest, call_next: anthropic.CallNext) -> anthropic.APIResponse[Any]:
        calls.append(current_call())
        return call_next(request)

    async with client_of("sync", fake, [quick(), note]) as client:
        for steps in ("529", "401", "reset,200", "hang:delay=0.01"):
            await ask(client, steps)

    assert len(calls) == 4 + 1 + 2 + 4
    assert all(call is not None and call.held is None and call.depth == 0 for call in calls)


async def test_the_sdks_own_tracing_sees_one_call(fake: FakeClaude) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    spans = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    options: Any = {"tracer_provider": provider}
    async with client_of("sync", fake, [quick()], open_telemetry=options) as client:
        await ask(client, "529,500,200")

    (span,) = spans.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["http.request.resend_count"] == 2
