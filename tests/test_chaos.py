"""What benchmarks.chaos measures with: a clock that runs faster, an API whose failures are the same for everybody."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time

import pytest

from benchmarks.chaos import one, well
from benchmarks.chaos_api import Api, Plan
from benchmarks.chaos_calls import MODEL
from tests.support.repository import ROOT

HASTENED = """
import time
real = time.perf_counter
began = real()
from benchmarks.fast_clock import hasten, runner
hasten(100, origin=time.time())
import asyncio, json, socket
clock = time.monotonic()
time.sleep(20)
async def wait():
    await asyncio.sleep(20)
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 20)
    except TimeoutError:
        pass
with runner(100) as loop:
    loop.run(wait())
listener = socket.create_server(("127.0.0.1", 0))
listener.settimeout(20)
try:
    listener.accept()
except TimeoutError:
    pass
print(json.dumps([real() - began, time.monotonic() - clock]))
"""


def test_eighty_seconds_of_a_hastened_process_are_one() -> None:
    done = subprocess.run([sys.executable, "-c", HASTENED], cwd=ROOT, capture_output=True, text=True, check=True)
    real, hastened = json.loads(done.stdout)

    assert hastened >= 80
    assert real < hastened / 10


def fates(plan: Plan, calls: list[str], *, requests: int = 3) -> dict[tuple[str, int], str]:
    """Return what becomes of the requests of some calls, made in this order."""

    async def play() -> dict[tuple[str, int], str]:
        api = Api(plan)
        return {(call, number): api.fate(call, MODEL)[0] for number in range(requests) for call in calls}

    return asyncio.run(play())


PLAN = Plan(seed=1, factor=20.0, origin=time.time(), failing=0.2)


def test_a_request_fails_whatever_came_of_others_before_it() -> None:
    """Else a way of calling that sends more would meet another API."""
    calls = [str(number) for number in range(200)]

    assert fates(PLAN, calls) == fates(PLAN, calls[::-1])


def test_as_many_requests_fail_as_are_to() -> None:
    found = fates(PLAN, [str(number) for number in range(5_000)], requests=1)

    assert sum(fate != "ok" for fate in found.values()) / len(found) == pytest.approx(0.2, abs=0.02)


def test_both_clients_meet_the_same_luck_and_every_call_is_counted() -> None:
    found = {case: one(case, "bare SDK", calls=100) for case in ("random", "threads")}
    ends, requests = found["random"]["ends"], found["random"]["api"]["requests"]

    assert sum(ends.values()) == 100
    assert well(found["random"]) > 90
    assert requests > 110
    assert (found["threads"]["ends"], found["threads"]["api"]["requests"]) == (ends, requests)
