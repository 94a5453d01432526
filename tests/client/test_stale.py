"""An older answer is given when all else fails: only for calls that are marked, never in place of a fresh one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import claxon
import httpx2
import pytest
from claxon import DiskStore, Event, MemoryStore, StaleAnswers, may_be_stale

from service.demo.fake_claude import FakeClaude
from tests.client.calling import ARGUMENTS
from tests.client.steered import BOTH, client_of, quick

Client = anthropic.Anthropic | anthropic.AsyncAnthropic


async def create(client: Client, **more: Any) -> Any:
    """Return a message."""
    if isinstance(client, anthropic.AsyncAnthropic):
        return await client.messages.create(**{**ARGUMENTS, **more})
    return client.messages.create(**{**ARGUMENTS, **more})


async def raw(client: Client) -> tuple[Any, Any]:
    """Return a raw response, and its message."""
    if isinstance(client, anthropic.AsyncAnthropic):
        answer = await client.messages.with_raw_response.create(**ARGUMENTS)
        return answer, await answer.parse()
    response = client.messages.with_raw_response.create(**ARGUMENTS)
    return response, response.parse()


async def streamed(client: Client) -> tuple[str, claxon.Marks]:
    """Return the text of a streamed answer, and its marks."""
    if isinstance(client, anthropic.AsyncAnthropic):
        async with client.messages.stream(**ARGUMENTS) as stream:
            return await stream.get_final_text(), claxon.marks(stream)
    with client.messages.stream(**ARGUMENTS) as stream:
        return stream.get_final_text(), claxon.marks(stream)


class Switch:
    """An API that does as it is told now."""

    def __init__(self) -> None:
        self.says = "200"

    def __call__(self, request: object) -> str:
        return self.says


@pytest.fixture
def switch() -> Switch:
    return Switch()


@BOTH
@pytest.mark.parametrize("says", ["500", "529", "429", "504", "reset"])
async def test_the_last_good_answer_is_served_when_all_else_fails(
    says: str, kind: str, switch: Switch, events: list[Event]
) -> None:
    with FakeClaude(switch) as fake:
        async with client_of(kind, fake, [StaleAnswers(), quick()]) as client:
            with may_be_stale(60):
                fresh = await create(client)
                switch.says = says
                stale = await create(client)

    assert stale.model_dump() == fresh.model_dump()
    assert type(stale) is type(fresh)
    assert not claxon.marks(fresh).stale
    found = claxon.marks(stale)
    assert found.stale
    assert found.age_s is not None
    assert 0 <= found.age_s < 10
    last = events[-1]
    assert (last.final, last.cached, last.ok) == (True, True, False)
    assert [event.cached for event in events[:-1]] == [None] * (len(events) - 1)
    assert claxon.stats().resilience["stale_served"] == 1


@BOTH
async def test_a_call_that_is_not_marked_is_never_answered_so(kind: str, switch: Switch) -> None:
    with FakeClaude(switch) as fake:
        async with client_of(kind, fake, [StaleAnswers()]) as client:
            with may_be_stale(60):
                await create(client)
            switch.says = "500"
            with pytest.raises(anthropic.InternalServerError):
                await create(client)
            with may_be_stale(60), may_be_stale(None), pytest.raises(anthropic.InternalServerError):
                await create(client)


@BOTH
async def test_an_answer_of_a_call_that_was_not_marked_is_not_kept(kind: str, switch: Switch) -> None:
    with FakeClaude(switch) as fake:
        async with client_of(kind, fake, [StaleAnswers()]) as client:
            await create(client)
            switch.says = "500"
            with may_be_stale(60), pytest.raises(anthropic.InternalServerError):
                await create(client)


@BOTH
@pytest.mark.parametrize("says", ["401", "400", "403", "404", "429:error_code=enforced_spend_limit_reached"])
async def test_what_somebody_must_mend_is_not_hidden(says: str, kind: str, switch: Switch) -> None:
    with FakeClaude(switch) as fake:
        async with client_of(kind, fake, [StaleAnswers()]) as client:
            with may_be_stale(60):
                await create(client)
                switch.says = says
                with pytest.raises(anthropic.APIStatusError):
                    await create(client)


@BOTH
async def test_a_stream_is_kept_and_served_as_it_came(kind: str, switch: Switch, events: list[Event]) -> None:
    with FakeClaude(switch) as fake:
        async with client_of(kind, fake, [StaleAnswers(), quick()]) as client:
            with may_be_stale(60):
                fresh, marks = await streamed(client)
                assert not marks.stale
                switch.says = "529"
                stale, marks = await streamed(client)

    assert stale == fresh == "Hello!"
    assert marks.stale
    assert [event.stream_end for event in events if event.ok] == ["complete"]


@BOTH
async def test_a_cut_stream_is_not_kept(kind: str, switch: Switch) -> None:
    with FakeClaude(switch) as fake:
        async with client_of(kind, fake, [StaleAnswers()]) as client:
            with may_be_stale(60):
                for says in ("stream-cut", "stream-end", "stream-error"):
                    switch.says = says
                    try:
                        await streamed(client)
                    except (anthropic.APIError, httpx2.TransportError):
                        continue
                switch.says = "500"
                with pytest.raises(anthropic.InternalServerError):
                    await streamed(client)


@BOTH
async def test_a_raw_response_is_served_too(kind: str, switch: Switch) -> None:
    with FakeClaude(switch) as fake:
        async with client_of(kind, fake, [StaleAnswers()]) as client:
            with may_be_stale(60):
                first, fresh = await raw(client)
                switch.says = "500"
                response, stale = await raw(client)

    assert type(response) is type(first)
    assert stale.model_dump() == fresh.model_dump()
    assert stale._request_id == fresh._request_id == response.request_id
    assert response.headers["claxon-stale"] == "0"
    assert "claxon-stale" not in first.headers
    assert (response.status_code, response.url, response.elapsed.total_seconds()) == (200, first.url, 0)
    assert claxon.marks(response).stale
    assert claxon.marks(stale).stale


@BOTH
async def test_a_refusal_is_not_kept(kind: str, switch: Switch) -> None:
    switch.says = "refusal"
    with FakeClaude(switch) as fake:
        async with client_of(kind, fake, [StaleAnswers()]) as client:
            with may_be_stale(60):
                await create(client)
                switch.says = "500"
                with pytest.raises(anthropic.InternalServerError):
                    await create(client)


@BOTH
async def test_another_request_or_account_has_no_share_in_it(kind: str, switch: Switch) -> None:
    answers = StaleAnswers()
    with FakeClaude(switch) as fake:
        async with (
            client_of(kind, fake, [answers]) as client,
            client_of(kind, fake, [answers], api_key="sk-ant-another") as other,
        ):
            with may_be_stale(60):
                await create(client)
                switch.says = "500"
                assert claxon.marks(await create(client)).stale
                with pytest.raises(anthropic.InternalServerError):
                    await create(other)
                with pytest.raises(anthropic.InternalServerError):
                    await create(client, max_tokens=65)


async def test_an_answer_that_is_too_old_is_not_served(switch: Switch) -> None:
    now = [1000.0]
    answers = StaleAnswers(MemoryStore(clock=lambda: now[0]), clock=lambda: now[0])
    with FakeClaude(switch) as fake:
        async with client_of("sync", fake, [answers]) as client:
            with may_be_stale(60):
                await create(client)
                switch.says = "500"
                now[0] += 59
                assert claxon.marks(await create(client)).age_s == 59
                now[0] += 2
                with pytest.raises(anthropic.InternalServerError):
                    await create(client)


async def test_without_a_policy_the_sdks_own_retries_come_first(switch: Switch, events: list[Event]) -> None:
    """An answer is older only when the SDK's loop has failed too."""
    with FakeClaude(switch) as fake:
        async with client_of("sync", fake, [StaleAnswers()], max_retries=2) as client:
            with may_be_stale(60):
                await create(client)
                switch.says = "529:retry_after_ms=1"
                assert claxon.marks(await create(client)).stale

    assert [(event.attempt, event.final, event.cached) for event in events[1:]] == [
        (1, False, None),
        (2, False, None),
        (3, True, True),
    ]


async def test_an_answer_is_served_from_disk_by_the_next_process(switch: Switch, tmp_path: Path) -> None:
    with FakeClaude(switch) as fake:
        async with client_of("async", fake, [StaleAnswers(DiskStore(tmp_path / "answers.db"))]) as client:
            with may_be_stale(60):
                await create(client)
        switch.says = "500"
        async with client_of("async", fake, [StaleAnswers(DiskStore(tmp_path / "answers.db"))]) as client:
            with may_be_stale(60):
                assert claxon.marks(await create(client)).stale


class Broken:
    blocking = False

    def get(self, key: str) -> Any:
        raise OSError(key)

    def put(self, key: str, kept: object) -> None:
        raise OSError(key)


@BOTH
async def test_a_store_that_fails_costs_no_call(kind: str, switch: Switch) -> None:
    with FakeClaude(switch) as fake:
        async with client_of(kind, fake, [StaleAnswers(Broken())]) as client:
            with may_be_stale(60):
                assert await create(client)
                assert (await streamed(client))[0] == "Hello!"
                switch.says = "500"
                with pytest.raises(anthropic.InternalServerError):
                    await create(client)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: may_be_stale(0), "may_be_stale: 0: give seconds above 0, or None"),
        (lambda: StaleAnswers(on=["authentication"]), "StaleAnswers: on: 'authentication': nothing to answer from"),
        (lambda: MemoryStore(most_answers=0), "MemoryStore: most_answers: 0:"),
        (lambda: DiskStore("/no/such/folder/x"), "DiskStore: path: '/no/such/folder/x': no such folder"),
        (lambda: StaleAnswers(on=["bad_response"]), "StaleAnswers: on: 'bad_response': nothing to answer from a cache"),
    ],
)
def test_a_bad_argument_is_refused_when_the_app_starts(make: Callable[[], object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()
