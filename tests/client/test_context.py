"""context: the app's own words on its events."""

from __future__ import annotations

import asyncio

import anthropic
import claxon
import pytest
from claxon import Event

from tests.client.calling import ARGUMENTS


def test_blocks_nest_and_the_innermost_word_wins(client: anthropic.Anthropic, events: list[Event]) -> None:
    with claxon.context(path="checkout", environment="staging", tenant="acme"):
        with claxon.context("checkout/summary", app="till", attributes={"step": 2}):
            client.messages.create(**ARGUMENTS)
        client.messages.create(**ARGUMENTS)
    client.messages.create(**ARGUMENTS)

    assert [(event.path, event.app, event.environment, event.attributes) for event in events] == [
        ("checkout/summary", "till", "staging", {"tenant": "acme", "step": "2"}),
        ("checkout", "default", "staging", {"tenant": "acme"}),
        ("/v1/messages", "default", "", None),
    ]


async def test_it_decorates_functions_and_coroutine_functions(
    client: anthropic.Anthropic, async_client: anthropic.AsyncAnthropic, events: list[Event]
) -> None:
    @claxon.context(path="plain")
    def plain() -> str:
        client.messages.create(**ARGUMENTS)
        return "done"

    @claxon.context(path="coroutine")
    async def coroutine() -> str:
        await async_client.messages.create(**ARGUMENTS)
        return "done"

    async with claxon.context(tenant="acme"):
        assert [plain(), await coroutine()] == ["done", "done"]

    assert [(event.path, event.attributes) for event in events] == [
        ("plain", {"tenant": "acme"}),
        ("coroutine", {"tenant": "acme"}),
    ]


async def test_one_context_serves_many_tasks_at_once(events: list[Event]) -> None:
    from claxon.tagging import current_tags

    shared = claxon.context(path="shared")
    both = asyncio.Barrier(2)

    async def work() -> tuple[str | None, str | None]:
        with shared:
            await both.wait()
            inside = current_tags().path
            await both.wait()
        return inside, current_tags().path

    assert await asyncio.gather(work(), work()) == [("shared", None), ("shared", None)]


def test_it_is_left_when_an_exception_passes() -> None:
    from claxon.tagging import current_tags

    with pytest.raises(KeyError), claxon.context(path="inner"):
        raise KeyError

    assert current_tags().path is None


def test_long_and_many_words_are_cut(client: anthropic.Anthropic, events: list[Event]) -> None:
    """An event that the service would refuse for them must not come about."""
    many = {f"key{number}": "v" * 1000 for number in range(40)}
    with claxon.context(path="p" * 500, app="a" * 500, environment="e" * 500, attributes=many):
        client.messages.create(**ARGUMENTS)

    (event,) = events
    assert (len(event.path), len(event.app), len(event.environment)) == (200, 64, 64)
    assert event.attributes is not None
    assert len(event.attributes) == 16
    assert {len(value) for value in event.attributes.values()} == {256}


def test_a_value_without_a_text_is_left_out() -> None:
    class Odd:
        def __str__(self) -> str:
            raise ValueError

    from claxon.tagging import current_tags

    with claxon.context(odd=Odd(), even=2):
        assert current_tags().attributes == {"even": "2"}
