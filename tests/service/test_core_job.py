"""A job in the core's thread: never twice at once, and what it raises is seen."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.support.running import Running, until


def test_while_one_waits_for_the_core_no_second_one_does(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        done: list[int] = []
        go_on = threading.Event()
        job = claxon.service._job("audit", lambda: done.append(1))
        claxon.service.core.submit(go_on.wait)
        for _ in range(100):
            job()
        waiting = claxon.service.core.waiting
        go_on.set()

        assert waiting < 10
        assert until(lambda: done == [1], 5)
        job()
        assert until(lambda: done == [1, 1], 5)


def test_a_job_that_raises_is_counted_and_is_no_success(tmp_path: Path) -> None:
    def stumble() -> None:
        raise KeyError("a bug")

    with Running(tmp_path) as claxon:
        job = claxon.service._job("audit", stumble)
        before = job.succeeded_at
        job()

        assert until(lambda: job.faults == 1, 5)
        assert job.succeeded_at == before
        assert 'claxon_scheduler_troubles_total{timer="audit",trouble="error"} 1.0' in claxon.get("/metrics")
