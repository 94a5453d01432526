"""What `claxon.Throttle` does to the share of refused calls, and to how much gets through.

    python -m benchmarks.throttle [--seconds 40] [--seeds 5]

First through the real SDK and HTTP: 32 threads that together want twice what a
fake API of 600 requests a minute allows, for so many seconds without the
throttle and as many with it. Then ten minutes of each of several loads in
simulated time, of which the first is not counted, with the decisions of the
same code: that is how tokens, several processes and hours of load are seen.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import anthropic
from claxon import Throttle

from service.demo.fake_claude import FakeClaude
from tests.support.pacing_simulation import Course, Load, Simulation
from tests.support.token_bucket_api import TokenBucketApi

PER_MINUTE = 600
THREADS = 32
TOKENS = {"requests": 4000, "input_tokens": 400_000, "output_tokens": 80_000}
FEW_TOKENS = {"requests": 1000, "input_tokens": 30_000, "output_tokens": 8000}
LOADS = {
    "50 requests a minute, 100 wanted": Load(limits={"requests": 50}, callers=8, calls_per_minute=100),
    "300 requests a minute, 600 wanted": Load(limits={"requests": 300}, callers=32, calls_per_minute=600),
    "4,000 requests a minute, 6,000 wanted": Load(limits={"requests": 4000}, callers=200, calls_per_minute=6000),
    "the same 300, four processes": Load(limits={"requests": 300}, callers=16, calls_per_minute=600, processes=4),
    "80,000 output tokens a minute, twice as many wanted": Load(
        limits=TOKENS, callers=64, calls_per_minute=720, tokens=True
    ),
    "the same, four processes": Load(limits=TOKENS, callers=32, calls_per_minute=720, tokens=True, processes=4),
    "30,000 input and 8,000 output tokens, twice as many wanted": Load(
        limits=FEW_TOKENS, callers=16, calls_per_minute=72, tokens=True
    ),
    "300 requests a minute, 2,400 wanted": Load(limits={"requests": 300}, callers=400, calls_per_minute=2400),
    "300 requests a minute, 200 wanted": Load(limits={"requests": 300}, callers=32, calls_per_minute=200, filled=1.0),
}


def real(seconds: float, *, throttled: bool) -> tuple[float, float, float]:
    """Return (share refused, answered a minute, median seconds of a call) through the SDK."""
    api = TokenBucketApi({"requests": PER_MINUTE}, filled=0.1, takes_s=0.02)
    middleware = [Throttle()] if throttled else []
    took: list[float] = []
    with FakeClaude(respond=api) as fake:
        client = anthropic.Anthropic(api_key="x", base_url=fake.url, max_retries=0, middleware=middleware)
        until = time.monotonic() + seconds

        def caller(seed: int) -> None:
            chance = random.Random(seed)
            while time.monotonic() < until:
                began = time.monotonic()
                try:
                    client.messages.create(
                        model="claude-test", max_tokens=64, messages=[{"role": "user", "content": "Hello"}]
                    )
                    took.append(time.monotonic() - began)
                except anthropic.RateLimitError:
                    pass
                pause_s = chance.expovariate(2 * PER_MINUTE / 60 / THREADS)
                time.sleep(max(0.0, began + pause_s - time.monotonic()))

        began = time.monotonic()
        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(caller, range(THREADS)))
        minutes = (time.monotonic() - began) / 60
        client.close()
    return api.refused / (api.refused + api.answered), api.answered / minutes, statistics.median(took)


def simulated(load: Load, seeds: int) -> tuple[list[Course], list[Course]]:
    """Return the courses without and with the throttle."""
    bare = [Simulation(replace(load, throttled=False), seed=seed).run() for seed in range(seeds)]
    return bare, [Simulation(load, seed=seed).run() for seed in range(seeds)]


def _row(name: str, *figures: Any) -> str:
    return f"| {name} | " + " | ".join(str(figure) for figure in figures) + " |"


def _mean(values: Sequence[float]) -> float:
    return statistics.fmean(values)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    print(f"SDK and HTTP, {THREADS} threads, {PER_MINUTE} requests a minute, twice as many wanted")
    print(_row("", "refused", "answered a minute", "median of a call"), "|---|---|---|---|", sep="\n")
    for throttled in (False, True):
        refused, answered, median_s = real(options.seconds, throttled=throttled)
        name = "with the throttle" if throttled else "without"
        print(_row(name, f"{refused:.1%}", f"{answered:.0f}", f"{median_s:.2f} s"), flush=True)
    print(f"\nsimulated, mean of {options.seeds}")
    print(_row("", "refused without", "with", "answered a minute without", "with", "waited, median", "99 %"))
    print("|---|---|---|---|---|---|---|")
    for name, load in LOADS.items():
        bare, paced = simulated(load, options.seeds)
        shares = [f"{_mean([course.refused_share for course in each]):.1%}" for each in (bare, paced)]
        rates = [f"{_mean([course.answered_per_minute for course in each]):.0f}" for each in (bare, paced)]
        waits = [f"{_mean([course.wait_s(share) for course in paced]):.1f} s" for share in (0.5, 0.99)]
        print(_row(name, *shares, *rates, *waits), flush=True)


if __name__ == "__main__":
    main()
