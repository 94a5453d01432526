"""The rule engine alone: what an event costs beyond its decoding, what a tick costs, what an idle key weighs.

Events are those of benchmarks.records (about 370 bytes, 20 apps x 7 paths x 2 models), in batches of 500 and in steady
event time; the reference is `msgspec` decoding the same bytes in the same run. A tick is measured with 100,000 keys of
which 100 fail. A key weighs what `tracemalloc` finds after each of 100,000 keys was heard of once, its second is over
and all is counted. Usage: python -m benchmarks.engine [--only observe|tick|memory]
"""

from __future__ import annotations

import argparse
import gc
import time
import tracemalloc
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import msgspec
from claxon.event import Event, complete_all

from alerts.default_rules import DEFAULT_RULES
from alerts.evaluator import Engine
from benchmarks.records import make_events

START = 1_790_000_000.0
BATCH = 500
KEYS = 100_000
ACTIVE = 100

Shape = Callable[[int], tuple[str, str, str]]
"""A key's number -> (app, path, model)."""

SHAPES: dict[str, Shape] = {
    "100 apps x 20 paths x 50 models": lambda i: (f"app-{i % 100}", f"/p{i // 100 % 20}", f"m{i // 2000}"),
    "100,000 apps": lambda i: (f"app-{i}", "/p", "m"),
}


def steady(n: int, *, failing: float, per_second: float) -> list[dict[str, Any]]:
    """Return benchmarks.records' events in steady event time."""
    events = make_events(n, seed=1, failing=failing)
    for i, event in enumerate(events):
        event["time"] = START + i / per_second
    return events


def observe(n: int, *, failing: float, per_second: float) -> tuple[float, float]:
    """Return microseconds an event: of decoding, and of all that follows, in batches as they arrive."""
    events = steady(n, failing=failing, per_second=per_second)
    bodies = [msgspec.json.encode(events[i : i + BATCH]) for i in range(0, n, BATCH)]
    decoder = msgspec.json.Decoder(list[Event])
    engine = Engine(DEFAULT_RULES)
    decoding = rest = 0.0
    gc.collect()
    gc.disable()
    for place, body in enumerate(bodies):
        begin = time.perf_counter()
        batch = decoder.decode(body)
        decoded = time.perf_counter()
        now = START + (place + 1) * BATCH / per_second
        complete_all(batch, received_at=now)
        engine.observe(batch, now)
        rest += time.perf_counter() - decoded
        decoding += decoded - begin
    gc.enable()
    return decoding / n * 1e6, rest / n * 1e6


def _heard_once(shape: Shape) -> Iterator[list[Event]]:
    for first in range(0, KEYS, BATCH):
        keys = [shape(i) for i in range(first, first + BATCH)]
        yield [
            Event(app=app, path=path, model=model, status=200, at=START, final=True, exhausted=False)
            for app, path, model in keys
        ]


def loaded(shape: Shape) -> Engine:
    """Return an engine that has heard of 100,000 keys, and counted all."""
    engine = Engine(DEFAULT_RULES, measure=False)
    for batch in _heard_once(shape):
        engine.observe(batch, START)
    engine.tick(START + 1)
    _ = engine.state
    return engine


def ticks(shape: Shape, seconds: int = 120) -> list[float]:
    """Return how long each tick took, in milliseconds, while 100 keys fail every second."""
    engine = loaded(shape)
    took = []
    for second in range(2, seconds):
        now = START + second
        keys = [shape(i * 997 % KEYS) for i in range(ACTIVE)]
        failed = [
            Event(app=app, path=path, model=model, status=500, category="server", at=now, final=True, exhausted=True)
            for app, path, model in keys
        ]
        engine.observe(failed, now)
        begin = time.perf_counter()
        engine.tick(now + 0.999_999)
        engine.tick(now + 1)
        took.append((time.perf_counter() - begin) * 1000)
    return took


def bytes_per_key(shape: Shape) -> float:
    """Return what an idle key weighs."""
    gc.collect()
    tracemalloc.start()
    engine = loaded(shape)
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert engine.now >= START
    return held / KEYS


def main() -> None:
    """Print one run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=["observe", "tick", "memory"])
    parser.add_argument("--events", type=int, default=200_000)
    options = parser.parse_args()
    if options.only in (None, "observe"):
        for failing in (0.0, 0.003, 0.03, 1.0):
            n = options.events if failing < 1 else options.events // 4
            for per_second in (1_000, 20_000):
                decoding, rest = observe(n, failing=failing, per_second=per_second)
                said = f"observe, {failing:.1%} failing, {per_second:,} events/s of event time"
                print(f"{said}: {rest:.2f} us an event beyond decoding, which takes {decoding:.2f}", flush=True)
    if options.only in (None, "tick"):
        for name, shape in SHAPES.items():
            took = sorted(ticks(shape))
            said = f"median {median(took):.1f} ms, longest {took[-1]:.1f} ms (bound: 20)"
            print(f"tick, {KEYS:,} keys, {ACTIVE} failing, {name}: {said}", flush=True)
    if options.only in (None, "memory"):
        for name, shape in SHAPES.items():
            print(f"idle key, {name}: {bytes_per_key(shape):,.0f} bytes (bound: 4,096)", flush=True)


if __name__ == "__main__":
    main()
