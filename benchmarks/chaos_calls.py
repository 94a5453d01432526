"""The app of benchmarks.chaos: so many calls of the real SDK, in one of several ways, and how each of them ended.

    python -m benchmarks.chaos_calls LOAD-AS-JSON

A process whose clock is hastened before anything else is imported; prints JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Load:
    """What the app does.

    Attributes:
        port: Of the API.
        way: How it calls, by name.
        sync: Whether with threads and the sync client.
        calls: How many.
        at_once: In flight, at most.
        rate_s: Calls that begin each second, whatever became of those before; 0: one after another.
        factor: How many of its seconds pass in a real one.
        origin: The Unix time at which both clocks show the same.
        seed: Of the arrivals and of the SDK's jitter.
    """

    port: int
    way: str
    sync: bool
    calls: int
    at_once: int
    rate_s: float
    factor: float
    origin: float
    seed: int

    def text(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self))


if __name__ == "__main__":
    from benchmarks.fast_clock import hasten

    _asked = Load(**json.loads(sys.argv[1]))
    hasten(_asked.factor, origin=_asked.origin)

import asyncio  # noqa: E402 - after the clock
import itertools  # noqa: E402
import logging  # noqa: E402
import random  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Awaitable, Callable  # noqa: E402
from typing import Any  # noqa: E402

import anthropic  # noqa: E402
import claxon  # noqa: E402
import httpx2  # noqa: E402

from benchmarks.fast_clock import runner  # noqa: E402

MODEL, OTHER_MODEL = "claude-opus-5-5", "claude-haiku-4-5"
STREAMED = 0.3
"""The share of calls that are streamed."""

TIMEOUT_S = 60.0
"""Of one attempt; the SDK's own is ten minutes, which no app that answers people leaves so."""

ROUNDS = 4
"""Of the naive loop."""

WELL, OTHER, PARTIAL, UNSAID = "well", "well, by the other model", "part of it, and said so", "cut, and not said"


def _client(load: Load) -> Any:
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=load.at_once)
    kind, http = (anthropic.Anthropic, httpx2.Client) if load.sync else (anthropic.AsyncAnthropic, httpx2.AsyncClient)
    url = f"http://127.0.0.1:{load.port}"
    transport = http(limits=limits, verify=False, timeout=TIMEOUT_S)
    client = kind(api_key="x", base_url=url, timeout=TIMEOUT_S, http_client=transport)
    if load.way == "production":
        return claxon.production(client, show=False)
    if load.way == "production, two models":
        return claxon.production(client, fallbacks=[OTHER_MODEL], show=False)
    return client


def _arguments(number: int) -> dict[str, Any]:
    return {
        "model": MODEL,
        "max_tokens": 400,
        "messages": [{"role": "user", "content": f"Call {number}"}],
        "extra_headers": {"x-call": str(number)},
    }


def _is_streamed(number: int) -> bool:
    return random.Random(number).random() < STREAMED


async def _call(client: Any, load: Load, number: int) -> str:
    """Make one call, and return how it ended; sync where the client is, then it never waits."""
    if not _is_streamed(number):
        found = client.messages.create(**_arguments(number))
        message = found if load.sync else await found
        return _well(message)
    asked = client.messages.create(**_arguments(number), stream=True)
    stream = asked if load.sync else await asked
    if load.way.startswith("production"):
        answer = claxon.read_stream(stream) if load.sync else await claxon.aread_stream(stream)
        return PARTIAL if answer.truncated else _well(stream)
    reason = None
    if load.sync:
        for event in stream:
            reason = event.delta.stop_reason if event.type == "message_delta" else reason
    else:
        async for event in stream:
            reason = event.delta.stop_reason if event.type == "message_delta" else reason
    return WELL if reason else UNSAID


def _well(answer: Any) -> str:
    return OTHER if claxon.marks(answer).fallback_from else WELL


async def _naively(client: Any, load: Load, number: int) -> str:
    """Call again after whatever fails, as many an app does around the SDK's own retries."""
    for again in range(ROUNDS):
        try:
            return await _call(client, load, number)
        except (anthropic.APIError, httpx2.HTTPError):
            if again == ROUNDS - 1:
                raise
        pause = 2.0**again
        if load.sync:
            time.sleep(pause)
        else:
            await asyncio.sleep(pause)
    raise AssertionError("the last round returns or raises")


def _way(load: Load) -> Callable[[Any, Load, int], Awaitable[str]]:
    return _naively if load.way == "naive loop" else _call


class Ends:
    """How the calls ended."""

    def __init__(self) -> None:
        self.kinds: Counter[str] = Counter()
        self.durations: list[float] = []

    async def one(self, client: Any, load: Load, number: int) -> None:
        """Make a call, and note it."""
        began = time.perf_counter()
        try:
            kind = await _way(load)(client, load, number)
        except Exception as error:
            kind = type(error).__name__
        self.kinds[kind] += 1
        self.durations.append(time.perf_counter() - began)


async def _closed(load: Load, ends: Ends) -> None:
    numbers = iter(range(load.calls))
    async with _client(load) as client:

        async def work() -> None:
            for number in numbers:
                await ends.one(client, load, number)

        await asyncio.gather(*(work() for _ in range(load.at_once)))


async def _open(load: Load, ends: Ends) -> None:
    chance = random.Random(load.seed)
    due = time.perf_counter()
    async with _client(load) as client, asyncio.TaskGroup() as group:
        for number in range(load.calls):
            due += chance.expovariate(load.rate_s)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(ends.one(client, load, number))


def _threads(load: Load, ends: Ends) -> None:
    numbers = itertools.count()
    with _client(load) as client:

        def work() -> None:
            while (number := next(numbers)) < load.calls:
                try:
                    ends.one(client, load, number).send(None)
                except StopIteration:
                    continue
                raise RuntimeError("the sync client waited for an event loop")

        threads = [threading.Thread(target=work) for _ in range(load.at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def run(load: Load) -> None:
    """Make the calls and print what became of them, in the seconds of the hastened clock."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    random.seed(load.seed)
    ends = Ends()
    began, cpu = time.perf_counter(), time.process_time()
    if load.sync:
        _threads(load, ends)
    else:
        with runner(load.factor) as event_loop:
            event_loop.run((_open if load.rate_s else _closed)(load, ends))
    durations = sorted(ends.durations)
    found = {
        "ends": dict(ends.kinds),
        "p50_s": durations[len(durations) // 2],
        "p99_s": durations[int(len(durations) * 0.99)],
        "lasted_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
        "counts": claxon.stats().resilience,
    }
    print(json.dumps(found), flush=True)


if __name__ == "__main__":
    run(_asked)
