"""More than can be taken: a rate over the highest, and a disk that stands still.

What is asked of the service: it refuses quickly, says when to come again, forgets nothing that it acknowledged, and
its memory stays bounded. `python -m benchmarks.latency` runs both.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.bodies import json_requests
from benchmarks.driving import drive
from benchmarks.footprint import Use
from benchmarks.logged import logged_events
from benchmarks.sending import Answer, Plan, Sent, percentile
from benchmarks.server import Server

EVENTS = 20_000
CONNECTIONS = 1024
STEP_S = 0.5
REFUSED = (429, 503, 507)


def overload(rate: float, *, batch: int, seconds: float) -> dict[str, Any]:
    """Return what becomes of so many events per second, more than can be taken."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Server(folder) as server:
            sent, use = drive(_plan(server.port, rate, batch, seconds), server.pid)
        return {"rate_s": rate, "seconds": seconds} | _figures(sent, use, batch, logged_events(folder / "data"))


def stalled(rate: float, *, batch: int, before_s: float, stall_s: float, after_s: float) -> dict[str, Any]:
    """Return what becomes of so many events per second while the disk stands still for some of the time."""
    seconds = before_s + stall_s + after_s
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        stall = Stall(folder / "stall", begin_s=before_s, end_s=before_s + stall_s)
        with Server(folder, program=("benchmarks.stalling_serve", str(stall.file))) as server:
            sent, use = drive(_plan(server.port, rate, batch, seconds), server.pid, beside=stall.look)
        found = _figures(sent, use, batch, logged_events(folder / "data"))
    began, ended = stall.began_at - sent.began_at, stall.ended_at - sent.began_at
    # What was being committed when it began comes through.
    during = [answer for answer in sent.taken if began + 0.5 < answer.ended - sent.began_at < ended]
    assert not during, "events were acknowledged while the disk stood still: it did not"
    return {"rate_s": rate, "from_s": began, "until_s": ended, "seconds": seconds} | found


class Stall:
    """A file that is there while the disk is to stand still."""

    def __init__(self, file: Path, *, begin_s: float, end_s: float) -> None:
        self.file = file
        self.began_at = self.ended_at = 0.0
        self._begin_s, self._end_s = begin_s, end_s

    def look(self, passed: float) -> None:
        """Make it or remove it when it is time."""
        if not self.began_at and passed >= self._begin_s:
            self.began_at = time.perf_counter()
            self.file.touch()
        if not self.ended_at and passed >= self._end_s:
            self.ended_at = time.perf_counter()
            self.file.unlink()


def _plan(port: int, rate: float, batch: int, seconds: float) -> Plan:
    requests = json_requests(EVENTS, batch, port=port)
    return Plan(port=port, requests=requests, connections=CONNECTIONS, seconds=seconds, rate=rate / batch)


def _figures(sent: Sent, use: Use, batch: int, logged: int) -> dict[str, Any]:
    refused = [answer for answer in sent.answers if answer.status in REFUSED]
    acknowledged = len(sent.taken) * batch
    return {
        "connections": CONNECTIONS,
        "batch": batch,
        "statuses": {str(status): n for status, n in sent.statuses().items()},
        "unsent": sent.unsent,
        "taken_s": acknowledged / sent.took_s if sent.took_s else 0.0,
        "refused": len(refused),
        "with_retry_after": sum(answer.retry_after for answer in refused),
        "refused_ms": _spread(refused),
        "taken_ms": _spread(sent.taken),
        "acknowledged": acknowledged,
        "logged": logged,
        "lost": max(0, acknowledged - logged),
        "memory_mb": use.memory_mb,
        "step_s": STEP_S,
        "taken_each_step": _each_step(sent.taken, sent.began_at),
        "refused_each_step": _each_step(refused, sent.began_at),
    }


def _spread(answers: Iterable[Answer]) -> dict[str, float]:
    """Return how long answers took once the request was on its way, in milliseconds."""
    took = sorted((answer.ended - answer.sent) * 1000 for answer in answers)
    return {"p50": percentile(took, 0.5), "p99": percentile(took, 0.99), "max": took[-1] if took else 0.0}


def _each_step(answers: Iterable[Answer], begin: float) -> list[int]:
    found: list[int] = []
    for answer in answers:
        step = int((answer.ended - begin) / STEP_S)
        found += [0] * (step + 1 - len(found))
        found[step] += 1
    return found
