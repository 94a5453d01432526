"""A circuit breaker refuses calls at once while a model mostly fails; through the real SDK."""

from __future__ import annotations

import asyncio
import gc
import os
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import claxon
import httpx2
import pytest
from claxon import CircuitBreaker, CircuitOpen, Event, counting, guard, otel
from claxon.breaker import circuit_states
from claxon.circuits import Circuit
from claxon.settings import Settings
from claxon.state import STATE
from claxon.streaming import break_again
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from service.demo.fake_claude import FakeClaude
from tests.client.calling import ARGUMENTS, WAYS, ask, script, stream_async, stream_sync
from tests.client.steered import BOTH, client_of, quick

MODEL = ARGUMENTS["model"]


@pytest.fixture(autouse=True)
def _no_app(monkeypatch: pytest.MonkeyPatch) -> None:
    """The app is `default`, whatever was set before."""
    monkeypatch.setattr(STATE, "settings", Settings())


class Clock:
    """Wound by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def breaker(clock: Clock | None = None, **options: Any) -> CircuitBreaker:
    """Return one that opens after four attempts, for 5 s."""
    given = {"least_attempts": 4, "open_s": 5.0, "random": lambda: 1.0, "clock": clock or Clock(), **options}
    return CircuitBreaker(**given)


async def failing(client: Any, times: int = 4, steps: str = "500") -> None:
    for _ in range(times):
        assert await ask(client, steps) is not None


@BOTH
async def test_an_open_circuit_raises_a_typed_error_and_sends_nothing(kind: str, fake: FakeClaude) -> None:
    async with client_of(kind, fake, [breaker()]) as client:
        await failing(client)
        before = len(fake.seen)

        error = await ask(client, "200")

    assert len(fake.seen) == before
    assert isinstance(error, CircuitOpen)
    assert isinstance(error, anthropic.APIError)
    assert (error.model, error.app, error.category) == (MODEL, "default", "server")
    assert error.retry_in_s == pytest.approx(5.0)
    assert claxon.marks(error).stopped_by == "circuit"
    assert pickle.loads(pickle.dumps(error)).retry_in_s == error.retry_in_s


@BOTH
async def test_the_sdk_does_not_retry_what_was_refused(kind: str, fake: FakeClaude) -> None:
    async with client_of(kind, fake, [breaker()], max_retries=2) as client:
        await failing(client, times=2, steps="500:retry_after_ms=1")
        before = len(fake.seen)

        error = await ask(client, "200")

    assert isinstance(error, CircuitOpen)
    assert len(fake.seen) == before


@BOTH
async def test_probes_close_it_and_the_events_tell_the_states(kind: str, fake: FakeClaude, events: list[Event]) -> None:
    clock = Clock()
    async with client_of(kind, fake, [breaker(clock)]) as client:
        await failing(client)
        await ask(client, "200")
        clock.now += 5
        for _ in range(4):
            assert await ask(client, "200") is None

    assert [(e.category, e.error_code, e.circuit, e.final, e.stopped_by) for e in events] == [
        ("server", None, None, True, None),
        ("server", None, None, True, None),
        ("server", None, None, True, None),
        ("server", None, "open", True, None),
        ("server", "circuit_open", "open", True, "circuit"),
        ("ok", None, "half_open", True, None),
        ("ok", None, "half_open", True, None),
        ("ok", None, "closed", True, None),
        ("ok", None, None, True, None),
    ]


@BOTH
async def test_a_failing_probe_opens_it_again(kind: str, fake: FakeClaude, events: list[Event]) -> None:
    clock = Clock()
    made = breaker(clock)
    async with client_of(kind, fake, [made]) as client:
        await failing(client)
        clock.now += 5
        await failing(client, times=1, steps="529")
        error = await ask(client, "200")

    assert isinstance(error, CircuitOpen)
    assert error.retry_in_s == pytest.approx(10.0)
    assert error.category == "overloaded"
    assert [(e.category, e.circuit) for e in events][-2:] == [("overloaded", "open"), ("overloaded", "open")]


@BOTH
@pytest.mark.parametrize(
    "steps", ["400", "401", "403", "404", "413", "429", "429:error_code=enforced_spend_limit_reached"]
)
async def test_what_is_the_apps_own_doing_never_opens_it(kind: str, steps: str, fake: FakeClaude) -> None:
    made = breaker()
    async with client_of(kind, fake, [made]) as client:
        for _ in range(8):
            error = await ask(client, steps)
            assert isinstance(error, anthropic.APIStatusError)

    assert circuit_of(made) == "closed"


@BOTH
@pytest.mark.parametrize("steps", ["500", "503", "504", "529", "reset"])
async def test_what_speaks_of_the_apis_health_opens_it(kind: str, steps: str, fake: FakeClaude) -> None:
    made = breaker()
    async with client_of(kind, fake, [made]) as client:
        await failing(client, steps=steps)

    assert circuit_of(made) == "open"


async def test_rate_limits_open_it_where_the_app_says_so(fake: FakeClaude) -> None:
    made = breaker(count_rate_limits=True)
    async with client_of("sync", fake, [made]) as client:
        await failing(client, steps="429")

    assert circuit_of(made) == "open"


@BOTH
async def test_each_app_and_model_has_a_circuit_of_its_own(kind: str, fake: FakeClaude) -> None:
    made = breaker()
    async with client_of(kind, fake, [made]) as client:
        with claxon.context(app="shop"):
            await failing(client)
            assert isinstance(await ask(client, "200"), CircuitOpen)
        with claxon.context(app="search"):
            assert await ask(client, "200") is None
        with claxon.context(app="shop"):
            other: Any = client.messages.create(**{**ARGUMENTS, "model": "claude-other"})
            if kind == "async":
                await other

    found = [state for state in circuit_states() if state[0] in ("shop", "search")]
    assert found == [("search", MODEL, "closed"), ("shop", "claude-other", "closed"), ("shop", MODEL, "open")]


async def test_several_breakers_of_one_model_tell_the_worst_state(fake: FakeClaude) -> None:
    opened, closed = breaker(), breaker()
    with claxon.context(app="twice"):
        async with client_of("sync", fake, [closed]) as client:
            assert await ask(client, "200") is None
        async with client_of("sync", fake, [opened]) as client:
            await failing(client)

    assert [state for state in circuit_states() if state[0] == "twice"] == [("twice", MODEL, "open")]
    del opened, client
    gc.collect()


async def test_the_state_is_a_gauge(fake: FakeClaude) -> None:
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    provider.get_meter("test").create_observable_gauge("claxon.circuit.state", [otel._circuits])
    made = breaker()
    with claxon.context(app="gauged"):
        async with client_of("sync", fake, [made]) as client:
            await failing(client)

    collected = reader.get_metrics_data()
    assert collected is not None
    points = [
        point
        for resource in collected.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    ]
    provider.shutdown()
    found = {tuple((point.attributes or {}).items()): getattr(point, "value", None) for point in points}
    assert found[("app", "gauged"), ("gen_ai.request.model", MODEL)] == 2


@pytest.mark.parametrize("way", WAYS)
async def test_a_stream_is_judged_when_it_begins(way: str, fake: FakeClaude) -> None:
    """What happens inside a stream is not seen from here, and is no sign that the next call will fail."""
    made = breaker()
    async with client_of("sync", fake, [made]) as client:
        for _ in range(4):
            with pytest.raises(Exception):  # noqa: B017, PT011 - each way raises its own
                stream_sync(client, way, "stream-error")
    async with client_of("async", fake, [made]) as client:
        await stream_async(client, way, "200")
        with pytest.raises(anthropic.InternalServerError):
            await stream_async(client, way, "500")

    assert circuit_of(made) == "closed"
    assert window_of(made) == (6, 1)


@BOTH
async def test_it_opens_in_the_middle_of_retries(kind: str, fake: FakeClaude, events: list[Event]) -> None:
    async with client_of(kind, fake, [quick(most_attempts=10, rules={"server": 9}), breaker()]) as client:
        before = len(fake.seen)
        error = await ask(client, "500")

    assert isinstance(error, CircuitOpen)
    assert len(fake.seen) - before == 4
    assert [(e.attempt, e.final, e.circuit) for e in events] == [
        (1, False, None),
        (2, False, None),
        (3, False, None),
        (4, False, "open"),
        (5, True, "open"),
    ]
    assert len({e.call_id for e in events}) == 1


async def test_a_probe_that_is_cancelled_does_not_block_it(fake: FakeClaude) -> None:
    clock = Clock()
    made = breaker(clock)
    async with client_of("async", fake, [made]) as client:
        await failing(client)
        clock.now += 5
        probes = [asyncio.create_task(client.messages.create(**script("200:delay=5"))) for _ in range(2)]
        while len(made._circuits["default", MODEL]._probing) < 2:
            await asyncio.sleep(0.005)
        assert isinstance(await ask(client, "200"), CircuitOpen)
        for probe in probes:
            probe.cancel()
        await asyncio.gather(*probes, return_exceptions=True)

        assert await ask(client, "200") is None
        assert await ask(client, "200") is None

    assert circuit_of(made) == "closed"


async def test_a_task_that_is_dropped_half_way_blocks_nothing(fake: FakeClaude) -> None:
    """Its coroutine is closed by the garbage collector, which may run while this very thread holds the lock."""
    clock = Clock()
    made = breaker(clock)
    requests: list[Any] = []

    async def first(request: Any, call_next: Any) -> Any:
        requests.append(request)
        return await call_next(request)

    async def never(request: Any) -> Any:
        await asyncio.get_running_loop().create_future()

    async with client_of("async", fake, [first, made]) as client:
        await failing(client)
    clock.now += 5
    for _ in range(10):
        coroutine = made.handle_async(requests[0], never)
        coroutine.send(None)
        with made._lock:
            coroutine.close()

    assert circuit_of(made) == "half_open"


def test_32_threads_see_one_circuit(fake: FakeClaude) -> None:
    """It opens once; then nothing is sent, and after a while exactly two probes are."""
    clock = Clock()
    made = breaker(clock, least_attempts=10)
    counting.forget()
    with FakeClaude(respond=lambda request: "500") as api, client_for(api, made) as client:
        with ThreadPoolExecutor(32) as threads:
            errors = list(threads.map(lambda _: _create(client), range(640)))
        sent = len(api.seen)
        assert {type(error) for error in errors} == {anthropic.InternalServerError, CircuitOpen}
        # It waits for half of those on their way to fail, too, and there are 31 beside each that has.
        assert 10 <= sent <= 32 + 31
        assert counting.counted() == {"circuit_opened": 1, "circuit_refused": 640 - sent}

        clock.now += 5
        release = threading.Event()
        api.respond = lambda request: release.wait(5) and None
        with ThreadPoolExecutor(32) as threads:
            waiting = [threads.submit(_create, client) for _ in range(320)]
            while len(api.seen) < sent + 2 or sum(future.done() for future in waiting) < 318:
                time.sleep(0.002)
            assert len(api.seen) == sent + 2
            release.set()
    results = [future.result() for future in waiting]
    assert sum(result is None for result in results) == 2
    assert sum(isinstance(result, CircuitOpen) for result in results) == 318
    assert circuit_of(made) == "closed"


async def test_200_tasks_see_one_circuit() -> None:
    clock = Clock()
    made = breaker(clock, least_attempts=10)
    with FakeClaude(respond=lambda request: "529") as api:
        async with client_of("async", api, [made]) as client:
            errors = await asyncio.gather(*(_acreate(client) for _ in range(200)))
            errors += await asyncio.gather(*(_acreate(client) for _ in range(200)))
            sent = len(api.seen)
            assert sum(isinstance(error, CircuitOpen) for error in errors) == 400 - sent
            assert sent <= 200

            clock.now += 5
            api.respond = None
            results = await asyncio.gather(*(_acreate(client) for _ in range(200)))

    assert sum(result is None for result in results) == 2
    assert len(api.seen) == sent + 2
    assert circuit_of(made) == "closed"


async def test_a_refusal_takes_microseconds(fake: FakeClaude) -> None:
    """Of the breaker's own time; the SDK's around it is the same as ever."""
    made = breaker()
    requests: list[Any] = []

    def first(request: Any, call_next: Any) -> Any:
        requests.append(request)
        return call_next(request)

    async with client_of("sync", fake, [first, made]) as client:
        await failing(client)
    took = []
    for _ in range(200):
        began = time.perf_counter()
        with pytest.raises(CircuitOpen):
            made.handle(requests[0], lambda request: pytest.fail("sent"))
        took.append(time.perf_counter() - began)

    assert sorted(took)[100] < 0.001


async def test_the_number_of_circuits_is_bounded(fake: FakeClaude) -> None:
    made = breaker(least_attempts=1)
    with claxon.context(app="open"):
        async with client_of("sync", fake, [made]) as client:
            await failing(client, times=1)
    for number in range(1000):
        made._open(("app", f"model-{number}"))

    assert len(made.states()) == 256
    assert made.states()["open", MODEL] == "open"  # a closed one goes first


@BOTH
async def test_a_fault_of_ours_does_not_stop_a_call(
    kind: str, fake: FakeClaude, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with client_of(kind, fake, [breaker()]) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Circuit, "ask", None)
            assert await ask(client, "200") is None
        with monkeypatch.context() as patch:
            patch.setattr(Circuit, "judge", None)
            assert await ask(client, "200") is None
            assert isinstance(await ask(client, "500"), anthropic.InternalServerError)

    assert guard.faults.value() == 3


@BOTH
async def test_a_refusal_whose_body_breaks_off_is_judged_by_its_status(kind: str, fake: FakeClaude) -> None:
    """And the app gets what it would have got without a breaker."""

    def cut(result: Any) -> Any:
        del result.http_response._content
        break_again(result.http_response, httpx2.ReadError("gone"))
        return result

    def inner(request: Any, call_next: Any) -> Any:
        return cut(call_next(request))

    async def inner_async(request: Any, call_next: Any) -> Any:
        return cut(await call_next(request))

    made = breaker()
    middleware = [made, inner if kind == "sync" else inner_async]
    async with client_of(kind, fake, middleware) as client:
        for _ in range(4):
            assert isinstance(await ask(client, "503"), httpx2.ReadError)

    assert circuit_of(made) == "open"
    assert guard.faults.value() == 0


@BOTH
async def test_other_resources_pass(kind: str, fake: FakeClaude) -> None:
    made = breaker()
    async with client_of(kind, fake, [made]) as client:
        await failing(client)
        counted: Any = client.messages.count_tokens(
            model=MODEL, messages=ARGUMENTS["messages"], extra_headers={"x-fake": "200"}
        )
        if kind == "async":
            counted = await counted

    assert counted.input_tokens == 20


def test_a_forked_child_begins_with_closed_circuits(fake: FakeClaude) -> None:
    """The lock may be held by a thread that the child does not have."""
    made = breaker(least_attempts=1)
    with client_for(fake, made) as client:
        assert _create(client, "500") is not None
    held, free = threading.Event(), threading.Event()

    def hold() -> None:
        with made._lock:
            held.set()
            free.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    child = os.fork()
    if child == 0:
        os._exit(0 if made.states() == {} else 1)
    free.set()
    holder.join()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert circuit_of(made) == "open"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"share": 0}, "CircuitBreaker: share: 0: give a share above 0, up to 1, such as 0.5 for half"),
        ({"share": 50}, "CircuitBreaker: share: 50: give a share above 0, up to 1, such as 0.5 for half"),
        ({"window_s": 0}, "CircuitBreaker: window_s: 0: give seconds above 0, up to 86400"),
        ({"probes": 0}, "CircuitBreaker: probes: 0: give a number from 1 to 10000"),
        ({"open_s": 90}, "CircuitBreaker: most_open_s: 10.0: give at least open_s, 90"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused_at_once(option: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        CircuitBreaker(**option)


def circuit_of(made: CircuitBreaker) -> str:
    return made.states()["default", MODEL]


def window_of(made: CircuitBreaker) -> tuple[int, int]:
    return made._circuits["default", MODEL]._window.counts(1000.0)


def client_for(api: FakeClaude, made: CircuitBreaker) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="x", base_url=api.url, max_retries=0, middleware=[made])


def _create(client: anthropic.Anthropic, steps: str | None = None) -> Exception | None:
    try:
        client.messages.create(**(script(steps) if steps else ARGUMENTS))
    except anthropic.APIError as error:
        return error
    return None


async def _acreate(client: anthropic.AsyncAnthropic) -> Exception | None:
    try:
        await client.messages.create(**ARGUMENTS)
    except anthropic.APIError as error:
        return error
    return None
