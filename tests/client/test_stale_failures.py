"""All else is retries, other models, a parked call, an open circuit, a deadline: then there is an older answer."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import claxon
import pytest
from claxon import CircuitBreaker, Event, Fallbacks, MemoryStore, StaleAnswers, may_be_stale
from claxon.stale import Kept, aside

from service.demo.fake_claude import FakeClaude, Request
from tests.client.calling import ARGUMENTS, WAYS, stream_async, stream_sync
from tests.client.steered import BOTH, client_of, quick

Client = anthropic.Anthropic | anthropic.AsyncAnthropic


async def create(client: Client, **more: Any) -> Any:
    """Return a message."""
    if isinstance(client, anthropic.AsyncAnthropic):
        return await client.messages.create(**{**ARGUMENTS, **more})
    return client.messages.create(**{**ARGUMENTS, **more})


class Api:
    """An API that does as it is told now, and counts."""

    def __init__(self) -> None:
        self.says = "200"
        self.requests = 0

    def __call__(self, request: Request) -> str:
        self.requests += 1
        return self.says


@pytest.fixture
def api() -> Api:
    return Api()


@BOTH
async def test_a_parked_call_is_answered(kind: str, api: Api, events: list[Event]) -> None:
    with FakeClaude(api) as fake:
        async with client_of(kind, fake, [StaleAnswers(), quick(most_retry_after_s=1)]) as client:
            with may_be_stale(60):
                await create(client)
                api.says = "429:retry_after=3600"
                marks = claxon.marks(await create(client))

    assert (marks.stale, marks.stopped_by) == (True, "retry_after")
    assert (events[-1].final, events[-1].cached, events[-1].stopped_by) == (True, True, "retry_after")


@BOTH
async def test_a_call_that_an_open_circuit_refuses_is_answered(kind: str, api: Api, events: list[Event]) -> None:
    with FakeClaude(api) as fake:
        async with client_of(kind, fake, [StaleAnswers(), CircuitBreaker(least_attempts=3)]) as client:
            with may_be_stale(60):
                await create(client)
                api.says = "529"
                for _ in range(2):
                    assert claxon.marks(await create(client)).stale
                sent = api.requests
                assert claxon.marks(await create(client)).stale

    assert api.requests == sent, "nothing was sent"
    last = events[-1]
    assert (last.error_code, last.circuit, last.final, last.cached) == ("circuit_open", "open", True, True)


@BOTH
async def test_a_call_whose_deadline_is_over_is_answered(kind: str, api: Api) -> None:
    with FakeClaude(api) as fake:
        async with client_of(kind, fake, [StaleAnswers(), quick()]) as client:
            with may_be_stale(60):
                await create(client)
                api.says = "504"
                with claxon.deadline(0.05):
                    assert claxon.marks(await create(client)).stale


@BOTH
async def test_other_models_are_asked_before_and_a_fresh_answer_wins(kind: str, events: list[Event]) -> None:
    broken: set[str] = set()
    with FakeClaude(lambda request: "529" if request.model in broken else "200") as fake:
        async with client_of(kind, fake, [StaleAnswers(), Fallbacks("claude-other"), quick(most_attempts=2)]) as client:
            with may_be_stale(60):
                await create(client)
                broken.add("claude-test")
                other = await create(client)
                broken.add("claude-other")
                stale = await create(client)

    assert (claxon.marks(other).stale, other.model) == (False, "claude-other")
    assert claxon.marks(stale).stale
    assert stale.model == "claude-other", "the last good answer is the newest, whoever gave it"
    assert [event.cached for event in events if event.final and not event.ok] == [True]


@BOTH
async def test_all_of_production_ends_with_an_older_answer(kind: str, api: Api) -> None:
    with FakeClaude(api) as fake:
        async with client_of(kind, fake, []) as client:
            made = claxon.production(client, retries=quick(most_attempts=3), fallbacks=["claude-other"], show=False)
            with may_be_stale(60):
                fresh = await create(made)
                api.says = "500"
                stale = await create(made)

    assert stale.content == fresh.content
    assert (claxon.marks(stale).stale, api.requests) == (True, 7)


@BOTH
async def test_only_the_categories_that_the_app_chose_are_answered(kind: str, api: Api) -> None:
    answers = StaleAnswers(on=["overloaded", "not_found"])
    with FakeClaude(api) as fake:
        async with client_of(kind, fake, [answers, quick(most_retry_after_s=1)]) as client:
            with may_be_stale(60):
                await create(client)
                for says in ("529", "404"):
                    api.says = says
                    assert claxon.marks(await create(client)).stale
                for says in ("500", "429:retry_after=3600"):
                    api.says = says
                    with pytest.raises(anthropic.APIStatusError):
                        await create(client)


@BOTH
async def test_a_page_of_a_proxy_is_not_kept(kind: str, api: Api) -> None:
    api.says = "html"
    with FakeClaude(api) as fake:
        async with client_of(kind, fake, [StaleAnswers()]) as client:
            with may_be_stale(60):
                assert isinstance(await create(client), str), "as the SDK gives it without us"
                api.says = "500"
                with pytest.raises(anthropic.InternalServerError):
                    await create(client)


@BOTH
@pytest.mark.parametrize("way", WAYS)
async def test_a_stream_is_kept_and_served_in_each_way_of_the_sdk(way: str, kind: str, api: Api) -> None:
    with FakeClaude(api) as fake:
        async with client_of(kind, fake, [StaleAnswers()]) as client:
            with may_be_stale(60):
                for api.says in ("200", "529"):
                    if isinstance(client, anthropic.AsyncAnthropic):
                        await stream_async(client, way, "")
                    else:
                        stream_sync(client, way, "")

    assert claxon.stats().resilience["stale_served"] == 1


def test_bedrocks_own_framing_is_kept_and_served_too(api: Api) -> None:
    """The bytes are not parsed by the SDK here, for that needs botocore; we need it not."""
    bodies = []
    with (
        FakeClaude(api) as fake,
        anthropic.AnthropicBedrock(
            api_key="x", aws_region="x", base_url=fake.url, max_retries=0, middleware=[StaleAnswers()]
        ) as client,
        may_be_stale(60),
    ):
        for api.says in ("200", "529"):
            with client.messages.with_streaming_response.create(**ARGUMENTS, stream=True) as response:
                bodies.append(b"".join(response.iter_bytes()))

    assert len(bodies[0]) > 500
    assert bodies[0] == bodies[1]


async def test_an_unstreamed_answer_is_served_to_one_who_reads_it_as_it_comes(api: Api) -> None:
    with FakeClaude(api) as fake:
        async with client_of("sync", fake, [StaleAnswers()]) as client:
            assert isinstance(client, anthropic.Anthropic)
            with may_be_stale(60):
                fresh = client.messages.create(**ARGUMENTS)
                api.says = "500"
                with client.messages.with_streaming_response.create(**ARGUMENTS) as response:
                    body = b"".join(response.iter_bytes())
                    assert response.parse() == fresh

    assert fresh.id.encode() in body


@BOTH
async def test_a_conversation_goes_on_from_an_older_answer(kind: str, api: Api) -> None:
    """What the SDK made of an answer may stand in the next request, and does not keep that from having a key."""
    with FakeClaude(api) as fake:
        async with client_of(kind, fake, [StaleAnswers()]) as client:
            with may_be_stale(60):
                for api.says in ("200", "500"):
                    answer = await create(client)
                    said = [{"role": "assistant", "content": answer.content}, {"role": "user", "content": "And?"}]
                    answer = await create(client, messages=[*ARGUMENTS["messages"], *said])

    assert claxon.marks(answer).stale


@BOTH
async def test_one_that_is_not_outermost_says_so_once(kind: str, api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with FakeClaude(api) as fake:
        async with client_of(kind, fake, [quick(), StaleAnswers()]) as client:
            await create(client)
            assert caplog.text == ""
            with may_be_stale(60):
                await create(client)
                await create(client)

    assert caplog.text.count("StaleAnswers: not the first of middleware=[...]") == 1


async def test_a_store_that_outlives_the_process_needs_an_account(
    api: Api, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that mints its tokens has nothing by which another process would know whose they are."""
    from anthropic.lib.credentials import StaticToken

    with FakeClaude(api) as fake:
        for account in ("us", None):
            answers = StaleAnswers(claxon.DiskStore(tmp_path / "answers.db"), account=account)
            given = {"api_key": None, "credentials": StaticToken("t")}
            async with client_of("sync", fake, [answers], **given) as client:
                with may_be_stale(60):
                    await create(client)
            assert ("say whose they are" in caplog.text) is (account is None)


def test_threads_share_one_middleware(api: Api) -> None:
    """Each gets the answer to its own question."""
    answers = StaleAnswers()
    barrier = threading.Barrier(16)
    with (
        FakeClaude(api) as fake,
        anthropic.Anthropic(api_key="k", base_url=fake.url, max_retries=0, middleware=[answers]) as client,
    ):

        def work(number: int) -> tuple[str, str, bool]:
            question = {**ARGUMENTS, "system": str(number)}
            with may_be_stale(60):
                fresh = client.messages.create(**question)
                if barrier.wait(20) == 0:
                    api.says = "529"
                barrier.wait(20)
                stale = client.messages.create(**question)
            return fresh.id, stale.id, claxon.marks(stale).stale

        with ThreadPoolExecutor(16) as pool:
            found = list(pool.map(work, range(16)))

    assert all(fresh == stale and marked for fresh, stale, marked in found)
    assert len({fresh for fresh, _, _ in found}) == 16


class Hanging:
    """A store on a disk that hangs."""

    blocking = True

    def __init__(self) -> None:
        self.goes_on = threading.Event()
        self.asked = 0

    def get(self, key: str) -> Kept | None:
        self.asked += 1
        self.goes_on.wait(20)
        return None

    def put(self, key: str, kept: Kept) -> None:
        self.get(key)

    def delete_expired(self) -> int:
        return 0


async def test_a_store_that_hangs_holds_neither_the_loop_nor_the_call_nor_the_apps_threads(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aside, "PATIENCE_S", 0.1)
    store = Hanging()
    try:
        with FakeClaude(api) as fake:
            async with client_of("async", fake, [StaleAnswers(store)]) as client:
                with may_be_stale(60):
                    async with asyncio.timeout(10):
                        answers = await asyncio.gather(*(create(client) for _ in range(20)))
                        assert all(answer.content for answer in answers)
                        assert await asyncio.to_thread(lambda: "the app's own thread") == "the app's own thread"
                        api.says = "500"
                        for _ in range(3 * aside.MOST_THREADS):
                            with pytest.raises(anthropic.InternalServerError):
                                await create(client)
        assert aside.MOST_THREADS <= store.asked <= 2 * aside.MOST_THREADS
    finally:
        store.goes_on.set()


async def test_answers_are_shared_by_sync_and_async_clients(api: Api) -> None:
    answers = StaleAnswers(MemoryStore())
    with FakeClaude(api) as fake:
        async with client_of("sync", fake, [answers]) as client, client_of("async", fake, [answers]) as other:
            with may_be_stale(60):
                await create(client)
                api.says = "500"
                assert claxon.marks(await create(other)).stale
