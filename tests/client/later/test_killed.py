"""What `kill -9` costs, at random points: a run, never a job."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import anthropic
import pytest
from claxon.later import DeferredCalls, Patience
from claxon.later.sqs_store import SqsStore

from tests.client.later.mortals import Mortals, lines_of, run_mortals
from tests.client.later.stores import connect, make_queue
from tests.client.later.working import NO_PAUSE, Api, arguments

JOBS = 80
ROUNDS = 6


@pytest.fixture(scope="module")
def mortals() -> Iterator[Mortals]:
    """What is killed in these tests."""
    with run_mortals() as made:
        yield made


@pytest.fixture(params=["sqlite", pytest.param("redis", marks=pytest.mark.peer("redis"))])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:{tmp_path}/later.db"
    return f"{request.getfixturevalue('redis_url')}?queue={tmp_path.name}"


@pytest.mark.parametrize("kind", ["work", "awork"])
def test_every_job_is_handled_though_its_workers_are_killed_again_and_again(
    url: str, kind: str, api: Api, tmp_path: Path, mortals: Mortals
) -> None:
    queue = DeferredCalls(url)
    for number in range(JOBS):
        api.plan(f"prompt {number}", *random.Random(number).choice([["200:delay=0.05"], ["529", "200:delay=0.05"]]))
        queue.defer(**arguments(f"prompt {number}"), key=f"job-{number}")
    chance, log = random.Random(17), tmp_path / "handled"

    for _ in range(ROUNDS):
        child = mortals.start(kind, url, api=api.url, log=log)
        _wait_until(lambda: queue.stats().running > 0)
        time.sleep(chance.uniform(0.0, 0.2))
        os.kill(child, signal.SIGKILL)
        assert mortals.gone() == -signal.SIGKILL
    killed = queue.stats()
    child = mortals.start(kind, url, api=api.url, log=log)
    _wait_until(lambda: queue.stats().done == JOBS)
    os.kill(child, signal.SIGTERM)
    assert mortals.gone() == 0
    handled = Counter(lines_of(log))

    jobs = queue.jobs(most=JOBS + 1)
    assert killed.done < JOBS
    assert set(handled) == {f"job-{number}" for number in range(JOBS)}
    assert (len(jobs), queue.stats().done) == (JOBS, JOBS)
    assert sum(job.lost for job in jobs) >= ROUNDS / 2  # the kills did hit jobs that ran
    assert sum(handled.values()) - JOBS <= sum(job.lost for job in jobs)  # again only what was cut off


@pytest.mark.peer("moto")
def test_every_job_in_sqs_is_handled_though_its_workers_are_killed(
    sqs_url: str, api: Api, tmp_path: Path, mortals: Mortals
) -> None:
    sqs = connect(sqs_url)
    name, chance, log = make_queue(sqs), random.Random(9), tmp_path / "handled"
    sqs.close()
    queue = DeferredCalls(SqsStore(lambda: connect(sqs_url), name=name, wait_s=0))
    for number in range(40):
        api.plan(f"prompt {number}", "200:delay=0.05")
        queue.defer(**arguments(f"prompt {number}"), key=f"job-{number}")
    url = f"sqs://{name}?region=eu-west-1&endpoint={sqs_url}"

    for _ in range(3):
        before = len(api.seen)
        child = mortals.start("work", url, api=api.url, log=log)
        _wait_until(lambda: len(api.seen) > before)  # noqa: B023 - called in this round
        time.sleep(chance.uniform(0.0, 0.1))
        os.kill(child, signal.SIGKILL)
        assert mortals.gone() == -signal.SIGKILL
    cut_off = len(api.seen) - len(lines_of(log))
    child = mortals.start("work", url, api=api.url, log=log)
    _wait_until(lambda: queue.stats().waiting + queue.stats().running == 0)
    os.kill(child, signal.SIGTERM)
    assert mortals.gone() == 0

    handled = Counter(lines_of(log))
    assert cut_off > 0
    assert set(handled) == {f"job-{number}" for number in range(40)}
    assert queue.stats().dead == 0
    queue.close()


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_every_call_whose_defer_returned_is_in_the_queue_though_its_process_was_killed(
    url: str, api: Api, tmp_path: Path, mortals: Mortals
) -> None:
    chance, log = random.Random(4), tmp_path / "deferred"

    for _ in range(ROUNDS):
        before = len(lines_of(log))
        child = mortals.start("defer", url, api=api.url, log=log)
        _wait_until(lambda: len(lines_of(log)) > before)  # noqa: B023 - called in this round
        time.sleep(chance.uniform(0.0, 0.1))
        os.kill(child, signal.SIGKILL)
        assert mortals.gone() == -signal.SIGKILL
    deferred = set(lines_of(log))
    queue = DeferredCalls(url)
    kept = {job.key: job for job in queue.jobs("waiting", most=1_000_000)}
    assert len(deferred) > ROUNDS
    assert deferred <= set(kept)
    assert len(kept) - len(deferred) <= ROUNDS  # at most one a kill, kept and not yet told
    assert all(job.arguments["messages"][0]["content"] == "hello " * 200 for job in kept.values())


def test_a_killed_process_leaves_the_file_whole(api: Api, tmp_path: Path, mortals: Mortals) -> None:
    path = tmp_path / "later.db"

    log = tmp_path / "deferred"
    for _ in range(ROUNDS):
        child = mortals.start("defer", f"sqlite:{path}", api=api.url, log=log)
        time.sleep(0.05)
        os.kill(child, signal.SIGKILL)
        mortals.gone()

    with sqlite3.connect(path) as db:
        assert db.execute("pragma integrity_check").fetchone() == ("ok",)
        assert db.execute("select (select sum(jobs) from tally) = (select count(*) from job)").fetchone() == (1,)
    db.close()


def test_sigterm_lets_a_worker_finish_what_runs(
    queue: DeferredCalls, api: Api, tmp_path: Path, mortals: Mortals
) -> None:
    for number in range(4):
        api.plan(f"prompt {number}", "200:delay=0.2")
        queue.defer(**arguments(f"prompt {number}"), key=f"job-{number}")

    log = tmp_path / "handled"
    child = mortals.start("work", str(queue.store), api=api.url, log=log)
    _wait_until(lambda: len(api.seen) == 4)
    os.kill(child, signal.SIGTERM)
    status = mortals.gone()
    handled = lines_of(log)

    assert status == 0
    assert sorted(handled) == [f"job-{number}" for number in range(4)]
    assert queue.stats().done == 4


def test_a_job_of_a_killed_worker_runs_again_when_its_lease_has_ended(
    queue: DeferredCalls, api: Api, tmp_path: Path, mortals: Mortals
) -> None:
    api.plan("hello", "200:delay=30", "200")
    queue.defer(**arguments("hello"), key="order-17")
    handled: list[tuple[str, int, int]] = []

    log = tmp_path / "handled"
    child = mortals.start("work", str(queue.store), api=api.url, log=log)
    _wait_until(lambda: api.seen != [])
    os.kill(child, signal.SIGKILL)
    mortals.gone()
    with anthropic.Anthropic(api_key="k", base_url=api.url) as client:
        while not handled:
            queue.work(
                client,
                lambda job, _answer: handled.append((job.key, job.runs, job.lost)),
                until_empty=True,
                patience=Patience(),
                pauses=NO_PAUSE,
            )
            time.sleep(0.02)

    assert handled == [("order-17", 2, 1)]
