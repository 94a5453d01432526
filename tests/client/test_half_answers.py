"""A refusal whose body breaks off is what its status says, and raises nothing that the SDK would not.

Of an answer that is no stream the SDK reads the body before any middleware sees it: it is a broken connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import claxon
import pytest
from claxon import CircuitBreaker, Event, Fallbacks

from tests.client.calling import ARGUMENTS
from tests.client.steered import BOTH, quick
from tests.support.half_answers import HalfApi, half_api


@pytest.fixture
def api() -> Iterator[HalfApi]:
    with half_api(2) as running:
        yield running


async def _read(kind: str, api: HalfApi, middleware: list[Any], max_retries: int = 0) -> None:
    """Stream one answer."""
    options: dict[str, Any] = {
        "api_key": "x",
        "base_url": api.url,
        "middleware": middleware,
        "max_retries": max_retries,
    }
    if kind == "sync":
        with anthropic.Anthropic(**options) as client, client.messages.create(**ARGUMENTS, stream=True) as events:
            list(events)
    else:
        async with (
            anthropic.AsyncAnthropic(**options) as async_client,
            await async_client.messages.create(**ARGUMENTS, stream=True) as async_events,
        ):
            [_ async for _ in async_events]


@BOTH
@pytest.mark.parametrize("told", [True, False])
async def test_it_is_tried_again(told: bool, kind: str, api: HalfApi) -> None:
    if told:
        claxon.instrument()

    await _read(kind, api, [quick()])

    assert api.answered == [500, 500, 200]


@BOTH
async def test_the_sdks_own_loop_tries_again_beneath_the_other_patterns(kind: str, api: HalfApi) -> None:
    await _read(kind, api, [Fallbacks("claude-other"), CircuitBreaker()], max_retries=2)

    assert api.answered == [500, 500, 200]


@BOTH
async def test_another_model_is_asked(kind: str, api: HalfApi, events: list[Event]) -> None:
    await _read(kind, api, [Fallbacks("claude-2", "claude-3")])

    assert [event.model for event in events] == [ARGUMENTS["model"], "claude-2", "claude-3"]


@BOTH
async def test_its_events_are_failures_of_the_server(kind: str, api: HalfApi, events: list[Event]) -> None:
    await _read(kind, api, [quick()])

    assert [(event.attempt, event.status, event.category, event.final) for event in events] == [
        (1, 500, "server", False),
        (2, 500, "server", False),
        (3, 200, "ok", True),
    ]
