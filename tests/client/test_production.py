"""`production(client)` is one line, and all of it works together."""

from __future__ import annotations

from typing import Any

import anthropic
import claxon
import httpx2
import pytest
from claxon import CircuitBreaker, Event, Fallbacks, RetryPolicy, StaleAnswers, Throttle, preset
from claxon.middleware import ClaxonMiddleware

from service.demo.fake_claude import FakeClaude
from tests.client.calling import ARGUMENTS, ask
from tests.client.ingest import Ingest
from tests.client.steered import BOTH, client_of, quick

FIRST, SECOND = "claude-test", "claude-other"


@pytest.fixture(autouse=True)
def _unshown() -> None:
    preset._shown.clear()
    preset._budget.cache_clear()


def kinds(client: Any) -> list[type]:
    """Return the kinds of a client's middlewares, outermost first."""
    return [type(entry) for entry in client.middleware]


@BOTH
async def test_all_patterns_stand_in_their_order_around_the_apps_own(kind: str, fake: FakeClaude) -> None:
    class Own(anthropic.Middleware):
        def handle(self, request: Any, call_next: Any) -> Any:
            return call_next(request)

        async def handle_async(self, request: Any, call_next: Any) -> Any:
            return await call_next(request)

    async with client_of(kind, fake, [Own()], max_retries=2) as client:
        made = claxon.production(client, fallbacks=[SECOND], show=False)
        again = claxon.production(made, throttle=False, breaker=False, stale=False, show=False)

    assert kinds(made) == [StaleAnswers, Fallbacks, RetryPolicy, CircuitBreaker, Throttle, Own]
    assert kinds(again) == [RetryPolicy, Own]
    assert made.max_retries == again.max_retries == 0
    assert kinds(client) == [Own]
    assert client.max_retries == 2


async def test_a_client_that_refreshes_its_token_keeps_that_one_retry(fake: FakeClaude, events: list[Event]) -> None:
    from anthropic.lib.credentials import StaticToken

    with anthropic.Anthropic(credentials=StaticToken("token"), base_url=fake.url) as client:
        made = claxon.production(client, retries=quick(), show=False)
        assert await ask(made, "401,200") is None
        assert isinstance(await ask(made, "reset"), anthropic.APIConnectionError)

    assert [(event.category, event.final) for event in events[:2]] == [("authentication", False), ("ok", True)]
    assert [(event.category, event.final) for event in events[2:]] == [("connection", False)] * 3 + [
        ("connection", True)
    ]


async def test_what_it_does_is_printed_once(
    fake: FakeClaude, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client_of("sync", fake, []) as client:
        for _ in range(2):
            claxon.production(client)
        claxon.production(client, fallbacks=[SECOND], most_usd=0.5)
        claxon.production(client, deadline_s=9, show=False)

    printed = capsys.readouterr().err
    assert printed.count("claxon.production:") == 2
    first, second = printed.split("claxon.production:")[1:]
    assert first.split()[:2] == ["throttle", "on"]
    assert "fallbacks        off  name models" in first
    assert "retry-after up to 60 s; deadline 600 s; retries for 10% of calls, 50 in a burst" in first
    assert "fallbacks        on   the next model when a call fails for good" in second
    assert "$0.5 a call" in second
    assert "telemetry        off" in first


@BOTH
async def test_calls_go_on_to_the_next_model_and_then_to_an_older_answer(kind: str, events: list[Event]) -> None:
    down: set[str] = set()
    with FakeClaude(lambda request: "529" if request.model in down else "200") as fake:
        async with client_of(kind, fake, []) as client:
            made = claxon.production(client, fallbacks=[SECOND], retries=quick(), show=False)
            answers = []
            for broken in ((), (FIRST,), (FIRST, SECOND)):
                down.update(broken)
                with claxon.may_be_stale(60):
                    if isinstance(made, anthropic.AsyncAnthropic):
                        answers.append(await made.messages.create(**ARGUMENTS))
                    else:
                        answers.append(made.messages.create(**ARGUMENTS))
            found = [claxon.marks(answer) for answer in answers]

    assert [mark.stale for mark in found] == [False, False, True]
    assert [mark.fallback_from for mark in found[:2]] == [(), (FIRST,)]
    assert [answer.model for answer in answers] == [FIRST, SECOND, SECOND]
    calls = {event.call_id: [] for event in events}
    for event in events:
        calls[event.call_id].append(event)
    saved, failed = list(calls.values())[1:]
    assert [event.final for event in saved] == [False] * (len(saved) - 1) + [True]
    assert saved[-1].fallback_from == FIRST
    assert [event.final for event in failed] == [False] * (len(failed) - 1) + [True]
    assert failed[-1].cached


async def test_an_open_breaker_ends_the_retries_and_rules_see_the_outage(events: list[Event]) -> None:
    with FakeClaude(lambda request: "500") as fake:
        async with client_of("sync", fake, []) as client:
            made = claxon.production(client, retries=quick(budget=None), show=False)
            errors = [await ask(made, "500") for _ in range(8)]
            sent = len(fake.seen)

    assert sent < 8 * 4
    assert isinstance(errors[-1], claxon.CircuitOpen)
    refused = [event for event in events if event.error_code == "circuit_open"]
    assert refused
    assert {(event.category, event.final, event.circuit) for event in refused} == {("server", True, "open")}
    assert sum(event.final is True for event in events) == 8, "each call fails once"


async def test_with_a_service_it_is_observed(
    fake: FakeClaude, ingest: Ingest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with client_of("sync", fake, []) as client:
        assert ClaxonMiddleware not in kinds(claxon.production(client, show=False))
        made = claxon.production(client, retries=quick(), url=ingest.url, app="shop")
        assert kinds(made)[-1] is ClaxonMiddleware
        assert f"telemetry        on   one event per attempt to {ingest.url}" in capsys.readouterr().err
        await ask(made, "529,200")
        monkeypatch.setenv("CLAXON_URL", ingest.url)
        assert kinds(claxon.production(client, show=False))[-1] is ClaxonMiddleware
    assert claxon.flush(5)

    assert [(event["status"], event["app"], event.get("final")) for event in ingest.events] == [
        (529, "shop", False),
        (200, "shop", True),
    ]


def test_what_is_no_client_is_refused() -> None:
    with pytest.raises(TypeError, match=r"claxon.production: Client: give it an Anthropic client"):
        claxon.production(httpx2.Client(verify=False))
    with pytest.raises(ValueError, match="deadline_s"):
        claxon.production(anthropic.Anthropic(api_key="x"), deadline_s=-1)
