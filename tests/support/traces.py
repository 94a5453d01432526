"""Traces: real arrivals with real failure shares, and real call logs, as events that can be posted.

Everything here is decided by the extracts in tests/data and a seed, so a trace
is the same on every machine. tests/data/README.md says where they come from.
"""

from __future__ import annotations

import csv
import gzip
import io
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import accumulate, pairwise
from math import inf
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from claxon.event import Event, complete

from tests.support.oracle import Moment

DATA = Path(__file__).parent.parent / "data"

Posted = dict[str, Any]
"""One event as it is posted, its `time` in Unix seconds."""

BURSTGPT_MIDNIGHT = datetime(2026, 8, 15, tzinfo=UTC).timestamp()
"""The source counts its seconds from a midnight that it does not name."""

# (status, error_type, how many of twenty)
FAILURES = ((500, "api_error", 8), (529, "overloaded_error", 8), (429, "rate_limit_error", 4))


def instant(text: str) -> float:
    """Return the Unix seconds of "2026-08-15 06:30", UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


# ── traces ───────────────────────────────────────────────────────────────────


def endpoint_calls(
    series: str, start: str, end: str, *, calls_per_5m: float = 100, app: str = "chat", seed: int = 1
) -> Iterator[Posted]:
    """Yield the calls of one app to one endpoint: Azure's arrivals, failing as often as OpenRouter saw.

    Args:
        series: "model/tag", one of `endpoints()`.
        start: The first instant, such as "2026-08-15 00:00", UTC.
        end: The last. Where it lies inside an outage the alerts fire at the end.
        calls_per_5m: The mean; at most what Azure's arrivals have, about 1,650.
        app: What the events say.
        seed: Of the thinning, the failures and their kinds.
    """
    chance = Random(f"{series} {calls_per_5m} {seed}")
    model = series.partition("/")[0]
    outcomes = endpoint_outcomes(series, instant(start), instant(end), calls_per_5m=calls_per_5m, chance=chance)
    for i, (at, failed) in enumerate(outcomes):
        yield {
            "time": at,
            "app": app,
            "environment": "production",
            "model": model,
            "call_id": f"{app}-{seed}-{i}",
            **_outcome(chance, failed=failed),
        }


def endpoint_outcomes(
    series: str, start: float, end: float, *, calls_per_5m: float, chance: Random
) -> Iterator[tuple[float, bool]]:
    """Yield the calls to one endpoint as (when it ended, whether it failed); `chance` is drawn from in between."""
    covers = iter(covered(series))
    _, until, share = next(covers)
    draw = chance.random
    for at in _arrivals(start, end, calls_per_5m, chance):
        while at > until:
            _, until, share = next(covers)
        yield at, draw() < share


def agent_calls(*, seed: int = 1) -> Iterator[Posted]:
    """Yield 2,294 calls of coding agents, 148 of them failed; one app for each session."""
    chance = Random(f"agents {seed}")
    for i, row in enumerate(_rows("exgentic_calls.csv.gz")):
        yield {
            "time": float(row["end"]),
            "app": f"agent-{row['session']}",
            "model": row["model"],
            "call_id": f"agents-{i}",
            "duration_ms": int(row["duration_ms"]),
            **_outcome(chance, failed=row["ok"] == "0"),
        }


def burst_calls(*, seed: int = 1) -> Iterator[Posted]:
    """Yield 400 calls of ten hours with long pauses, 17 of them failed."""
    chance = Random(f"bursts {seed}")
    for i, row in enumerate(_rows("burstgpt_calls.csv.gz")):
        yield {
            "time": BURSTGPT_MIDNIGHT + float(row["ts"]),
            "app": "burst",
            "model": row["model"],
            "call_id": f"bursts-{i}",
            **_outcome(chance, failed=row["ok"] == "0"),
        }


def _outcome(chance: Random, *, failed: bool) -> Posted:
    if not failed:
        return {"status": 200}
    ((status, error_type, _),) = chance.choices(FAILURES, weights=[weight for *_, weight in FAILURES])
    retries = {"attempt": 3, "max_attempts": 3, "final": True, "exhausted": True}
    return {"status": status, "error_type": error_type, **retries}


# ── what may be done with one ────────────────────────────────────────────────


def shift_to(now: float, calls: Iterable[Posted]) -> list[Posted]:
    """Return the same calls moved in time, by whole seconds, so that the last ends just before `now`."""
    moved = list(calls)
    by = int(now - max(call["time"] for call in moved))
    return [call | {"time": call["time"] + by} for call in moved]


def as_log(calls: Iterable[Posted], *, then: Sequence[float] = ()) -> list[Moment]:
    """Return the log of a service that heard of each call when it ended, and of nothing `then` seconds after."""
    log = []
    for call in sorted(calls, key=lambda call: call["time"]):
        event = msgspec.convert(call, Event)
        log.append(Moment(call["time"], [complete(event, received_at=call["time"])]))
    return [*log, *(Moment(log[-1].now + seconds) for seconds in then)]


# ── the extracts ─────────────────────────────────────────────────────────────


def endpoints() -> list[str]:
    """Return the names of the series."""
    return sorted(_failed_percent())


def failed_share(series: str, at: float) -> float:
    """Return the share of calls that failed, in [0, 1], by the poll nearest in time."""
    instants, percents = _failed_percent()[series]
    i = bisect_left(instants, at)
    near = [j for j in (i - 1, i) if 0 <= j < len(instants)]
    return percents[min(near, key=lambda j: abs(instants[j] - at))] / 100


def covered(series: str) -> list[tuple[float, float, float]]:
    """Return (from, until, failed share) of each poll: it covers half the way to its neighbours, ends are open."""
    instants, percents = _failed_percent()[series]
    borders = [-inf, *((a + b) / 2 for a, b in pairwise(instants)), inf]
    return [(a, b, percent / 100) for (a, b), percent in zip(pairwise(borders), percents, strict=True)]


def polled(series: str) -> tuple[float, float]:
    """Return the instants of the first and the last poll that saw traffic."""
    instants, _ = _failed_percent()[series]
    return instants[0], instants[-1]


@lru_cache(maxsize=1)
def _failed_percent() -> dict[str, tuple[list[float], list[float]]]:
    found: dict[str, tuple[list[float], list[float]]] = {}
    for row in _rows("openrouter_failed_percent.csv.gz"):
        at = float(row.pop("ts"))
        for series, percent in row.items():
            # Nothing was called, so nothing is known.
            if percent:
                instants, percents = found.setdefault(series, ([], []))
                instants.append(at)
                percents.append(float(percent))
    return found


@lru_cache(maxsize=1)
def _azure_offsets() -> list[float]:
    """Seconds since the trace's first whole second, increasing."""
    return [ms / 1000 for ms in accumulate(int(row["gap_ms"]) for row in _rows("azure_conv_arrivals.csv.gz"))]


def _arrivals(start: float, end: float, calls_per_5m: float, chance: Random) -> Iterator[float]:
    """Yield Azure's arrivals, over and over, thinned."""
    offsets = _azure_offsets()
    length = offsets[-1] + 1
    share = calls_per_5m * length / 300 / len(offsets)
    if share > 1:
        raise ValueError(f"calls_per_5m: {calls_per_5m}: at most {int(len(offsets) * 300 / length)}")
    while True:
        for offset in offsets:
            if start + offset > end:
                return
            if chance.random() < share:
                yield start + offset
        start += length


def _rows(name: str) -> Iterator[dict[str, str]]:
    yield from csv.DictReader(io.StringIO(gzip.decompress((DATA / name).read_bytes()).decode()))
