"""What happens while the store itself is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import anthropic
import pytest
from claxon.later import DeferredCalls, StoreUnavailable, Worked

from tests.client.later.servers import running
from tests.client.later.working import NO_PAUSE, SOON, Api, arguments, work
from tests.support.peers import free_port, redis_command


@pytest.mark.peer("redis")
def test_a_worker_outlives_its_redis_and_loses_no_job_with_it(api: Api, tmp_path: Path) -> None:
    port = free_port()
    command = redis_command(tmp_path, port=port, durable=True)
    queue = DeferredCalls(f"redis://127.0.0.1:{port}/0")
    seen: list[str] = []
    worked: list[Worked] = []

    def run() -> None:
        with anthropic.Anthropic(api_key="k", base_url=api.url) as client:
            worked.append(queue.work(client, lambda job, _answer: seen.append(job.key), poll_s=0.02, pauses=NO_PAUSE))

    with running(command, port=port):
        for number in range(20):
            queue.defer(**arguments("hello"), key=f"job-{number}", after_s=0.0 if number < 10 else 0.4)
        worker = threading.Thread(target=run)
        worker.start()
        _wait_until(lambda: len(seen) >= 10)
    time.sleep(0.1)  # killed, as by kill -9, and away for a while
    with running(command, port=port):
        _wait_until(lambda: queue.stats().done == 20)
        queue.stop()
        worker.join()

    assert set(seen) == {f"job-{number}" for number in range(20)}
    assert worked[0].done >= 10


async def test_a_worker_that_is_to_return_when_it_is_done_says_that_it_cannot_know(api: Api) -> None:
    queue = DeferredCalls(f"redis://127.0.0.1:{free_port()}/0")

    with (
        anthropic.Anthropic(api_key="k", base_url=api.url) as client,
        pytest.raises(StoreUnavailable, match="see that the server answers"),
    ):
        await work(queue, client, lambda _job, _answer: None, patience=SOON)


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
