"""A throttle holds calls back before a limit is hit; through the real SDK, against limits that are token buckets."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import anthropic
import claxon
import pytest
from claxon import Event, Throttle, counting, guard
from claxon.pacing import Lane

from service.demo.fake_claude import FakeClaude, Request, Step
from tests.client.calling import ARGUMENTS, WAYS, ask, stream_async, stream_sync
from tests.client.steered import BOTH, client_of, quick
from tests.support.token_bucket_api import Limits, TokenBucketApi

MODEL = ARGUMENTS["model"]


class LimitedApi:
    """What a fake API says: as much left as it is told, of 600 requests a minute, ten a second."""

    def __init__(self, left: float, *, limit: float = 600.0) -> None:
        self.left, self.limit = left, limit
        self.more: dict[str, str] = {}

    def __call__(self, request: Request) -> Step:
        limits = Limits({"requests": self.limit}, filled=self.left / self.limit, now=0.0)
        return Step(headers={**limits.headers(0.0, epoch=float(int(time.time()))), **self.more})


@pytest.fixture
def api() -> Iterator[FakeClaude]:
    """An API with 20 of 600 requests left: a second third of what pacing begins at."""
    with FakeClaude(respond=LimitedApi(20)) as server:
        yield server


@BOTH
async def test_a_call_is_held_back_and_the_event_and_the_marks_say_for_how_long(
    kind: str, api: FakeClaude, events: list[Event]
) -> None:
    counting.forget()
    async with client_of(kind, api, [Throttle()]) as client:
        messages = []
        for _ in range(3):
            made: Any = client.messages.create(**ARGUMENTS)
            messages.append(await made if kind == "async" else made)

    held = [event.throttled_ms or 0 for event in events]
    assert held[0] == 0
    assert held[2] >= 100  # two intervals of 0.2 s, but for what flows back meanwhile
    assert counting.counted()["throttled"] == len([ms for ms in held if ms])
    assert claxon.marks(messages[2]).waited_s * 1000 == pytest.approx(held[2], abs=0.01)
    assert claxon.marks(messages[0]).waited_s == 0
    assert api.seen[2].at - api.seen[1].at >= held[2] / 1000


@BOTH
async def test_nothing_waits_while_enough_is_left(kind: str, api: FakeClaude, events: list[Event]) -> None:
    api.respond = LimitedApi(61)
    throttle = Throttle()
    async with client_of(kind, api, [throttle]) as client:
        for _ in range(20):
            assert await ask(client, "") is None

    assert [event.throttled_ms for event in events] == [None] * 20


@BOTH
async def test_an_api_that_sends_no_limits_is_never_waited_for(kind: str, api: FakeClaude) -> None:
    throttle = Throttle()
    api.respond = lambda request: Step(headers={})
    async with client_of(kind, api, [throttle]) as client:
        for _ in range(5):
            assert await ask(client, "") is None
        api.respond = lambda request: Step(status=429, retry_after="3600", headers={})
        assert isinstance(await ask(client, ""), anthropic.RateLimitError)

    assert throttle._lanes == {}


@BOTH
async def test_nobody_waits_longer_than_the_app_allows(kind: str, api: FakeClaude, events: list[Event]) -> None:
    api.respond = LimitedApi(0, limit=10)
    async with client_of(kind, api, [Throttle(most_wait_s=0.05)]) as client:
        for _ in range(4):
            assert await ask(client, "") is None

    held = [event.throttled_ms or 0 for event in events]
    assert held[0] == 0
    assert 45 <= max(held) < 150


@BOTH
async def test_half_of_what_a_deadline_leaves_is_waited_at_most(kind: str, api: FakeClaude) -> None:
    api.respond = LimitedApi(0, limit=10)
    async with client_of(kind, api, [Throttle()]) as client:
        await ask(client, "")
        began = time.perf_counter()
        with claxon.deadline(0.4):
            assert await ask(client, "") is None

    assert 0.19 < time.perf_counter() - began < 0.4


@BOTH
async def test_what_was_waited_is_taken_from_the_attempts_time(kind: str, api: FakeClaude) -> None:
    limited = LimitedApi(0, limit=10)
    delays = iter([0, 5])
    api.respond = lambda request: replace(limited(request), delay=next(delays))
    async with client_of(kind, api, [Throttle(most_wait_s=0.1)]) as client:
        await ask(client, "")
        began = time.perf_counter()
        with claxon.deadline(0.2):
            assert isinstance(await ask(client, ""), anthropic.APITimeoutError)

    assert 0.19 < time.perf_counter() - began < 2


@BOTH
async def test_each_model_has_limits_of_its_own(kind: str, api: FakeClaude, events: list[Event]) -> None:
    api.respond = LimitedApi(0, limit=10)
    async with client_of(kind, api, [Throttle(most_wait_s=0.05)]) as client:
        await ask(client, "")
        other: Any = client.messages.create(**{**ARGUMENTS, "model": "claude-other"})
        if kind == "async":
            await other
        await ask(client, "")

    assert [event.throttled_ms is not None for event in events] == [False, False, True]


async def test_keys_of_one_workspace_share_its_limits_and_others_do_not(api: FakeClaude, events: list[Event]) -> None:
    api.respond = LimitedApi(0, limit=10)
    throttle = Throttle(most_wait_s=0.05)
    for key, workspace in (("a", "w1"), ("b", "w1"), ("c", "w2"), ("a", "w1"), ("b", "w1"), ("c", "w2"), ("d", "w2")):
        api.respond.more = {"anthropic-workspace-id": workspace}
        async with client_of("sync", api, [throttle], api_key=key) as client:
            assert await ask(client, "") is None

    # Which workspace a key is of is known after its first answer.
    assert [event.throttled_ms is not None for event in events] == [False, False, False, True, True, True, False]
    assert sorted(throttle._lanes) == [("w1", MODEL), ("w2", MODEL)]


async def test_a_key_given_with_the_request_counts_as_another(api: FakeClaude, events: list[Event]) -> None:
    api.respond = LimitedApi(0, limit=10)
    async with client_of("sync", api, [Throttle(most_wait_s=0.05)]) as client:
        for key in ("a", "a", "b"):
            client.messages.create(**ARGUMENTS, extra_headers={"X-Api-Key": key})

    assert [event.throttled_ms is not None for event in events] == [False, True, False]


def test_no_key_is_kept(api: FakeClaude) -> None:
    throttle = Throttle()
    with anthropic.Anthropic(api_key="sk-ant-secret", base_url=api.url, middleware=[throttle]) as client:
        client.messages.create(**ARGUMENTS)

    assert throttle._workspaces
    assert "secret" not in repr((throttle._workspaces, throttle._lanes))


@pytest.mark.parametrize("way", WAYS)
async def test_streams_are_held_back_too(way: str, api: FakeClaude, events: list[Event]) -> None:
    throttle = Throttle()
    async with client_of("sync", api, [throttle]) as client:
        for _ in range(2):
            stream_sync(client, way, "")
    async with client_of("async", api, [throttle]) as async_client:
        for _ in range(2):
            await stream_async(async_client, way, "")

    assert [event.stream_end for event in events] == ["complete"] * 4
    assert any(event.throttled_ms for event in events)


async def test_a_stream_says_how_long_it_was_held_back(api: FakeClaude) -> None:
    api.respond = LimitedApi(0, limit=10)
    async with client_of("sync", api, [Throttle(most_wait_s=0.05)]) as client:
        await ask(client, "")
        with client.messages.create(**ARGUMENTS, stream=True) as stream:
            list(stream)

    assert claxon.marks(stream).waited_s >= 0.045


@BOTH
async def test_an_error_says_how_long_its_call_was_held_back(kind: str, api: FakeClaude, events: list[Event]) -> None:
    limited = LimitedApi(0, limit=10)
    steps = iter([200, 500, None])
    api.respond = lambda request: (
        "reset" if (status := next(steps)) is None else replace(limited(request), status=status)
    )
    async with client_of(kind, api, [Throttle(most_wait_s=0.05)]) as client:
        await ask(client, "")
        for _ in range(2):
            error = await ask(client, "")
            assert error is not None
            assert claxon.marks(error).waited_s >= 0.045

    assert [event.throttled_ms is not None for event in events] == [False, True, True]
    assert [event.final for event in events] == [True, True, True]


@BOTH
async def test_a_retry_is_held_back_as_well(kind: str, api: FakeClaude, events: list[Event]) -> None:
    limited = LimitedApi(0, limit=10)
    statuses = iter([200, 500, 200])
    api.respond = lambda request: replace(limited(request), status=next(statuses))
    async with client_of(kind, api, [quick(), Throttle(most_wait_s=0.05)]) as client:
        await ask(client, "")
        assert await ask(client, "") is None

    assert [(e.attempt, e.final, e.throttled_ms is not None) for e in events] == [
        (1, True, False),
        (1, False, True),
        (2, True, True),
    ]


async def test_waiting_tasks_do_not_block_the_loop(api: FakeClaude, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them wait at the same time, and other tasks go on meanwhile."""
    api.respond = LimitedApi(0, limit=10)
    throttle = Throttle(most_wait_s=0.2)
    async with client_of("async", api, [throttle]) as client:
        await ask(client, "")
        monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail("blocks the loop"))
        calls = [asyncio.create_task(ask(client, "")) for _ in range(20)]
        most = 0
        while not all(call.done() for call in calls):
            await asyncio.sleep(0.001)
            most = max(most, only(throttle).waiting)

    assert [await call for call in calls] == [None] * 20
    assert most == 20


async def test_a_cancelled_caller_gives_its_place_back(api: FakeClaude) -> None:
    api.respond = LimitedApi(0, limit=10)
    throttle = Throttle()
    async with client_of("async", api, [throttle]) as client:
        await ask(client, "")
        calls = [asyncio.create_task(ask(client, "")) for _ in range(10)]
        lane = only(throttle)
        while lane.waiting < 10:
            await asyncio.sleep(0.005)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    assert lane.waiting == 0
    assert len(api.seen) == 1


async def test_a_task_that_is_dropped_while_it_waits_gives_its_place_back(api: FakeClaude) -> None:
    """Its coroutine is closed by the garbage collector, which may run while this very thread holds the lock."""
    api.respond = LimitedApi(0, limit=10)
    throttle = Throttle()
    requests: list[Any] = []

    async def first(request: Any, call_next: Any) -> Any:
        requests.append((request, call_next))
        return await call_next(request)

    async with client_of("async", api, [first, throttle]) as client:
        await ask(client, "")
        request, call_next = requests[0]
        coroutine = throttle.handle_async(request, call_next)
        coroutine.send(None)
        lane = only(throttle)
        assert lane.waiting == 1
        del request, call_next
        with throttle._lock:
            coroutine.close()
            gc.collect()

    assert lane.waiting == 0


@pytest.mark.parametrize("kind", ["threads", "tasks"])
async def test_concurrent_calls_against_a_token_bucket_are_hardly_ever_refused(kind: str, events: list[Event]) -> None:
    """900 requests a minute, 15 a second, and a twentieth of them left, for 16 callers without a pause."""
    refused = {}
    for throttled in (False, True):
        api = TokenBucketApi({"requests": 900}, filled=0.05)
        with FakeClaude(respond=api) as server:
            middleware = [Throttle()] if throttled else []
            if kind == "threads":
                _crowd(server, middleware, until=time.monotonic() + 1)
            else:
                await _crowd_of_tasks(server, middleware, until=time.monotonic() + 1)
        refused[throttled] = api.refused / (api.refused + api.answered)
        assert api.answered > 15  # in a second 15 flow back

    assert refused[False] > 0.2
    assert refused[True] < 0.05


def _crowd(server: FakeClaude, middleware: list[Any], *, until: float) -> None:
    def caller(client: anthropic.Anthropic) -> None:
        while time.monotonic() < until:
            try:
                client.messages.create(**ARGUMENTS)
            except anthropic.RateLimitError:
                time.sleep(0.01)

    with (
        anthropic.Anthropic(api_key="x", base_url=server.url, max_retries=0, middleware=middleware) as client,
        ThreadPoolExecutor(16) as threads,
    ):
        for done in [threads.submit(caller, client) for _ in range(16)]:
            done.result()


async def _crowd_of_tasks(server: FakeClaude, middleware: list[Any], *, until: float) -> None:
    async def caller(client: anthropic.AsyncAnthropic) -> None:
        while time.monotonic() < until:
            try:
                await client.messages.create(**ARGUMENTS)
            except anthropic.RateLimitError:
                await asyncio.sleep(0.01)

    async with client_of("async", server, middleware) as client:
        assert isinstance(client, anthropic.AsyncAnthropic)
        await asyncio.gather(*(caller(client) for _ in range(16)))


async def test_the_number_of_lanes_is_bounded(api: FakeClaude) -> None:
    throttle = Throttle()
    for number in range(1000):
        throttle._open(("w", f"model-{number}")).used = float(number)
        throttle._remember(("", number), "w")

    assert len(throttle._lanes) == 256
    assert ("w", "model-999") in throttle._lanes
    assert len(throttle._workspaces) == 256


@BOTH
async def test_a_fault_of_ours_does_not_stop_a_call(
    kind: str, api: FakeClaude, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.respond = LimitedApi(0, limit=10)
    async with client_of(kind, api, [Throttle()]) as client:
        await ask(client, "")
        for name in ("take", "wait_s", "learn"):
            with monkeypatch.context() as patch:
                patch.setattr(Lane, name, None)
                if name == "learn":
                    patch.setattr(Lane, "take", lambda *args, **kwargs: None)
                assert await ask(client, "") is None

    assert guard.faults.value() == 3


@BOTH
async def test_other_resources_pass(kind: str, api: FakeClaude, events: list[Event]) -> None:
    api.respond = LimitedApi(0, limit=10)
    async with client_of(kind, api, [Throttle()]) as client:
        await ask(client, "")
        counted: Any = client.messages.count_tokens(model=MODEL, messages=ARGUMENTS["messages"])
        if kind == "async":
            await counted

    assert events[-1].throttled_ms is None


def test_a_forked_child_has_a_free_lock() -> None:
    throttle = Throttle()
    throttle._open(("w", "m"))
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with throttle._lock:
            held.set()
            free.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    child = os.fork()
    if child == 0:
        throttle._open(("w", "m"))
        os._exit(0)
    free.set()
    holder.join()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"below": 0}, "Throttle: below: 0: give a share above 0, up to 0.5, such as 0.1 for 10 %"),
        ({"below": 10}, "Throttle: below: 10: give a share above 0, up to 0.5, such as 0.1 for 10 %"),
        ({"most_wait_s": -1}, "Throttle: most_wait_s: -1: give seconds above 0, up to 3600"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_at_once(option: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Throttle(**option)


def only(throttle: Throttle) -> Lane:
    (lane,) = throttle._lanes.values()
    return lane
