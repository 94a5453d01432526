"""Random logs: batches, ticks, pauses, clumps, streams, silences, late events, calls of several attempts."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any as Anything

import msgspec
from claxon.event import Event
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.support.events import NOON, make_event
from tests.support.oracle import Moment, Resumed

# CLAXON_TEST_FUZZ=100 runs a hundred times as many; for a night, not for every push.
TIMES = int(os.environ.get("CLAXON_TEST_FUZZ", "1"))
SEVERAL = settings(
    max_examples=60 * TIMES,
    deadline=None,
    derandomize=TIMES == 1,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
FEW = settings(SEVERAL, max_examples=20 * TIMES)

KINDS: dict[str, dict[str, Anything]] = {
    "success": {"status": 200},
    "server": {"status": 500, "final": True, "exhausted": True},
    "failed": {"status": 500, "final": True, "exhausted": False},
    "overloaded": {"status": 529, "final": True, "exhausted": True},
    "absorbed": {"status": 500, "final": False},
    "absorbed rate limit": {"status": 429, "final": False},
    "rate limit": {"status": 429, "final": True, "exhausted": True},
    "provisional": {"status": 500},
    "provisional rate limit": {"status": 429},
    "authentication": {"status": 401},
    "absorbed authentication": {"status": 401, "final": False},
    "account": {"status": 402},
    "invalid": {"status": 400},
    "cancelled": {"error_type": "cancelled"},
}
GAPS = [0, 0, 0.25, 0.25, 0.75, 1, 1, 1.5, 2, 3, 5.25, 19, 30, 59, 61, 240, 299, 301, 600, 900, 901, 1800]
SHORT_GAPS = GAPS[:15]
SILENCES = [3598, 3599, 3600, 3601, 3605, 7200, 10_000, 12_001, 30_000, 86_400, 100_000, 260_000]
LATE = [0, 0, 0, 0, 0.25, 0.5, 1, 2, 3, 4.5, 10, 29, 59, 60, 240, 299, 301, 599, 901]
TOO_LATE = [1800, 3598, 3600, 3601, 5000, 20_000, 90_000]

RETRY_AFTER = [0, 5, 20, 21, 60, 60.25, 61, 119.5, 120, 300, 600, 3599, 5000]
LEFT = [(0, 100), (0, 0), (3, 100), (10, 50), (10, 100), (29, 80), (40, 100), (49, 100), (50, 100), (60, 100)]
FULL_IN = [None, -5, 0, 12, 30, 61, 200, 5000, 1e9]
DAYS_LEFT = [-400, -1, 0, 1, 2, 3, 13, 14, 15, 16, 17, 40]
NO_DATES = ["", "soon", "2026-02-30", "20260930", "2026-9-30", "2026-10-01T09:00:00+09:00"]


def _more() -> list[dict[str, Anything]]:
    """What an event may say besides."""
    limits = [
        {"left": left, "of": kind, "full_in": FULL_IN[(7 * i + j) % len(FULL_IN)]}
        for i, left in enumerate(LEFT)
        for j, kind in enumerate(["tokens", "tokens", "tokens", "input_tokens", "requests"])
    ]
    dates = [(datetime.fromtimestamp(NOON, UTC) + timedelta(days=n)).strftime("%Y-%m-%d") for n in DAYS_LEFT]
    parked = [{"retry_after_s": seconds} for seconds in RETRY_AFTER * 3]
    return parked + limits + [{"model_end_of_life": date} for date in [*dates, *NO_DATES]]


kinds = st.sampled_from(["success", "success", "success", *KINDS])
gaps = st.sampled_from(GAPS) | st.sampled_from(GAPS) | st.sampled_from(GAPS + SILENCES)
lateness = st.sampled_from(LATE) | st.sampled_from(LATE) | st.sampled_from(LATE + TOO_LATE)
call_ids = st.none() | st.sampled_from([f"c{n}" for n in range(1, 13)])
attempt_numbers = st.sampled_from([1, 1, 2, 3])
more = st.sampled_from([{}] * 80 + _more())


@st.composite
def attempts(draw: st.DrawFn, lateness: st.SearchStrategy[float] = lateness) -> list[dict[str, Anything]]:
    """One attempt, or a clump of the same."""
    fields = {
        **KINDS[draw(kinds)],
        "app": draw(st.sampled_from("aaab")),
        "environment": draw(st.sampled_from(["", "", "", "live"])),
        "model": draw(st.sampled_from(["m1", "m1", "m2"])),
        "path": draw(st.sampled_from(["/p1", "/p1", "/p2"])),
        "call_id": draw(call_ids),
        "attempt": draw(attempt_numbers),
        "late": draw(lateness),
        **draw(more),
    }
    return [fields] * draw(st.sampled_from([1, 1, 1, 1, 2, 3, 12, 40]))


@st.composite
def talkative(draw: st.DrawFn, lateness: st.SearchStrategy[float] = lateness) -> list[dict[str, Anything]]:
    """One attempt of few keys, that says more than its outcome."""
    kind = draw(st.sampled_from(["success", "absorbed rate limit", "absorbed", "provisional rate limit", "cancelled"]))
    fields = {
        **KINDS[kind],
        "app": "a",
        "model": draw(st.sampled_from(["m1", "m1", "m1", "m2"])),
        "path": "/p1",
        "call_id": draw(call_ids),
        "attempt": draw(attempt_numbers),
        "late": draw(lateness),
        **draw(st.sampled_from(_more())),
    }
    return [fields]


@st.composite
def logs(
    draw: st.DrawFn,
    *,
    most: int = 25,
    between: st.SearchStrategy[float] = gaps,
    of: st.SearchStrategy[list[dict[str, Anything]]] = attempts(),  # noqa: B008 — a description, that nothing changes
    pauses: bool = True,
) -> list[Moment]:
    """A log: batches and ticks, with clumps, streams, silences, late events and instants that occur twice."""
    now = NOON + draw(st.sampled_from([0, 0.25, 1234.5]))
    log: list[Moment] = []
    groups = st.lists(of, max_size=4)
    for gap, group, then in draw(st.lists(st.tuples(between, groups, st.integers(0, 19)), min_size=1, max_size=most)):
        now += gap
        if then == 19 and pauses:
            log.append(Resumed(now))
        log.append(Moment(now, [_event(fields, now) for several in group for fields in several]))
        if then == 18 and group:
            log += _stream(group[0][0], now)
            now = log[-1].now
    return [*log, Moment(now + draw(st.sampled_from([0, 1, 3, 1000, 4000, 20_000])))]


def _stream(fields: dict[str, Anything], now: float) -> list[Moment]:
    """The same attempt every 20 s for 11 min, each of its own call."""
    alone = fields | {"call_id": None, "late": 0}
    return [Moment(now + 20 * n, [_event(alone, now + 20 * n)]) for n in range(1, 34)]


def _event(fields: dict[str, Anything], now: float) -> Event:
    time = now - fields["late"]
    sent = {name: value for name, value in fields.items() if name not in ("late", "left", "of", "full_in")}
    if "left" in fields:
        sent["ratelimit"] = _limits(fields, time)
    return make_event(now=now, time=time, **sent)


def _limits(fields: dict[str, Anything], time: float) -> dict[str, Anything]:
    (remaining, limit), kind, full_in = fields["left"], fields["of"], fields["full_in"]
    reset = None if full_in is None else time + full_in
    # As a header says it, and as a number.
    if reset is not None and limit == 80:
        reset = datetime.fromtimestamp(reset, UTC).isoformat()
    return {f"{kind}_limit": limit, f"{kind}_remaining": remaining, f"{kind}_reset": reset}


talks = st.sampled_from([0, 0.25, 1, 3, 4.75, 5, 5, 10, 11, 12, 20, 20, 30, 60, 61, 119, 300])
any_logs = logs() | logs(of=talkative(), between=talks | gaps)


# ── the same log in another way ───────────────────────────────────────────────


def delivered_again(log: Iterable[Moment], chance: random.Random) -> list[Moment]:
    """Return the log with an id for each event, and with some posted again: in their batch, or in later ones."""
    again: list[Moment] = []
    posted: list[Event] = []
    for moment in log:
        fresh = [msgspec.structs.replace(event, event_id=f"{len(posted) + i}") for i, event in enumerate(moment.events)]
        posted += fresh
        repeats = chance.sample(posted, min(len(posted), chance.randint(0, 3))) if moment.events else []
        again.append(moment._replace(events=fresh + repeats))
    return again


def out_of_order(log: Iterable[Moment], chance: random.Random, *, within_s: float = 30) -> list[Moment]:
    """Return the log as a network delivers it: each event some time after it was, or with those of its batch."""
    arrivals: list[tuple[float, Event | None]] = []
    for now, events in log:
        arrivals.append((now, None))
        arrivals += [(now + chance.choice([0, 0.25, 1, within_s * chance.random()]), event) for event in events]
    arrivals.sort(key=lambda arrival: arrival[0])
    return [Moment(now, [] if event is None else [msgspec.structs.replace(event)]) for now, event in arrivals]
