"""Driving: load on a service, watched from beside."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.footprint import Footprint, Use
from benchmarks.sending import PATIENCE_S, Plan, Sending, Sent

LOOK_S = 0.1


def drive(plan: Plan, pid: int, *, beside: Callable[[float], None] | None = None) -> tuple[Sent, Use]:
    """Send a plan to a service; return what became of it, and what the service took.

    Args:
        plan: What to send.
        pid: The service's process.
        beside: Called every `LOOK_S` with the seconds since the beginning.
    """
    begin = time.perf_counter()
    with Sending(plan) as sending:
        footprint = Footprint(pid)
        while (sent := sending.wait(LOOK_S)) is None:
            footprint.look()
            passed = time.perf_counter() - begin
            if beside is not None:
                beside(passed)
            if passed > plan.seconds + PATIENCE_S + 30:
                raise TimeoutError("the sender did not end")
    return sent, footprint.use(load_s=sent.cpu_s)
