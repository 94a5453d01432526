"""On real traces the engine decides what the oracle decides, every transition of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from itertools import pairwise
from random import Random

import pytest

from alerts.default_rules import DEFAULT_RULES
from alerts.evaluator import Engine
from tests.support.oracle import Change, Moment, copies, differences, engine_changes, oracle
from tests.support.traces import (
    Posted,
    agent_calls,
    as_log,
    burst_calls,
    endpoint_calls,
    endpoints,
    failed_share,
    instant,
    shift_to,
)

RAGGED = "claude-opus-5/amazon-bedrock"
CLEAN = "claude-sonnet-4.6/anthropic/2"
HOUR = 3600.0

Trace = Callable[[], Iterable[Posted]]

TRACES: dict[str, Trace] = {
    "a hard outage that ends": lambda: endpoint_calls(CLEAN, "2026-08-16 20:00", "2026-08-17 01:00"),
    "an outage cut off in the middle": lambda: endpoint_calls(CLEAN, "2026-08-16 21:00", "2026-08-16 22:35"),
    "an outage with relapses": lambda: endpoint_calls(RAGGED, "2026-08-15 08:00", "2026-08-15 12:00"),
    "a day of relapses at 8 calls in 5 min": lambda: endpoint_calls(
        RAGGED, "2026-08-15 00:00", "2026-08-16 00:00", calls_per_5m=8
    ),
    "a plateau at 5 to 10 %": lambda: endpoint_calls(CLEAN, "2026-08-15 05:00", "2026-08-15 09:00"),
    "a healthy day": lambda: endpoint_calls(
        "claude-sonnet-5/anthropic", "2026-08-15 00:00", "2026-08-16 00:00", calls_per_5m=20
    ),
    "agents": agent_calls,
    "bursts": burst_calls,
}

AFTERWARDS = (1.0, HOUR, 2 * HOUR, 80 * HOUR)
"""Silence, long enough for every window to run empty."""


@pytest.mark.parametrize("name", TRACES)
def test_the_engine_decides_what_the_oracle_decides(name: str) -> None:
    log = as_log(TRACES[name](), then=AFTERWARDS)

    assert differences(engine_changes(Engine(DEFAULT_RULES), log), oracle(DEFAULT_RULES, log)) == []


# Minutes, so only on demand: CLAXON_TEST_FUZZ=1.
if "CLAXON_TEST_FUZZ" in os.environ:

    @pytest.mark.parametrize("calls_per_5m", [20, 100])
    @pytest.mark.parametrize("series", endpoints())
    def test_the_engine_and_the_oracle_agree_for_sixteen_days(series: str, calls_per_5m: int) -> None:
        calls = endpoint_calls(series, "2026-08-06 15:00", "2026-08-22 15:00", calls_per_5m=calls_per_5m)
        log = as_log(calls, then=AFTERWARDS)

        assert differences(engine_changes(Engine(DEFAULT_RULES), log), oracle(DEFAULT_RULES, log)) == []


def _pages(changes: dict[str, list[Change]]) -> list[Change]:
    return [c for several in changes.values() for c in several if c.change == "fired" and '"page"' in c.alert]


def test_a_healthy_day_pages_nobody() -> None:
    log = as_log(TRACES["a healthy day"](), then=AFTERWARDS)

    assert _pages(engine_changes(Engine(DEFAULT_RULES), log)) == []


def test_a_hard_outage_is_paged_within_three_minutes_and_resolved_after_it() -> None:
    log = as_log(TRACES["a hard outage that ends"]())

    changes = engine_changes(Engine(DEFAULT_RULES), log)

    # Between two polls the trace goes by the nearer one, so it begins half way.
    began, ended = instant("2026-08-16 21:52:30"), instant("2026-08-16 22:38:00")
    rate = next(several for name, several in changes.items() if "ClaudeErrorRate" in name and '"page"' in name)
    assert [c.change for c in rate] == ["fired", "resolved"]
    assert began < rate[0].at < began + 180
    assert ended < rate[1].at < ended + 1800


def test_alerts_fire_at_the_end_of_a_trace_that_ends_in_an_outage() -> None:
    now = 1_800_000_000.5
    calls = shift_to(now, TRACES["an outage cut off in the middle"]())
    engine = Engine(DEFAULT_RULES)

    engine_changes(engine, as_log(calls))
    engine.tick(now)

    firing = {alert.rule for alert in engine.alerts() if alert.state.value == "firing"}
    assert now - 1 <= max(call["time"] for call in calls) <= now
    assert firing >= {"ClaudeErrorRate/page", "ClaudeConsecutiveServerErrors/page", "ClaudeRetriesExhausted/page"}


def test_a_trace_is_the_same_each_time() -> None:
    hour = (RAGGED, "2026-08-15 00:00", "2026-08-15 01:00")

    assert list(endpoint_calls(*hour)) == list(endpoint_calls(*hour))
    assert list(endpoint_calls(*hour)) != list(endpoint_calls(*hour, seed=2))


def test_a_trace_has_the_volume_and_the_failures_that_were_asked_for() -> None:
    calls = list(endpoint_calls(RAGGED, "2026-08-15 06:02", "2026-08-15 06:32", calls_per_5m=1000))

    failed = sum(call["status"] != 200 for call in calls)
    assert len(calls) == pytest.approx(6000, rel=0.1)
    assert failed / len(calls) == pytest.approx(failed_share(RAGGED, instant("2026-08-15 06:15")), abs=0.02)


def _untidy(log: list[Moment], *, seed: int = 1) -> list[Moment]:
    """The same events as a network delivers them: 1 % late by 2 to 10 min, the rest within 30 s."""
    chance = Random(seed)
    arrivals = []
    for now, events in log:
        late = chance.uniform(120, 600) if chance.random() < 0.01 else chance.uniform(0, 30)
        arrivals += [(now + late, event) for event in copies(events)]
    arrivals.sort(key=lambda arrival: arrival[0])
    batches: list[Moment] = []
    for now, event in arrivals:
        if batches and now - batches[-1].now < 1:
            batches[-1].events.append(event)  # type: ignore[attr-defined]
        else:
            batches.append(Moment(now, [event]))
    return [Moment(max(now, *(e.at for e in events)), events) for now, events in batches]


def test_the_engine_and_the_oracle_agree_on_what_arrives_late_and_out_of_order() -> None:
    log = _untidy(as_log(endpoint_calls(CLEAN, "2026-08-16 21:00", "2026-08-17 00:00")))

    assert all(one.now <= other.now for one, other in pairwise(log))
    assert differences(engine_changes(Engine(DEFAULT_RULES), log), oracle(DEFAULT_RULES, log)) == []


def test_out_of_order_and_late_delivery_makes_no_other_pages() -> None:
    tidy = as_log(endpoint_calls(CLEAN, "2026-08-16 21:00", "2026-08-17 00:00"))

    in_order = _pages(engine_changes(Engine(DEFAULT_RULES), tidy))
    untidy = _pages(engine_changes(Engine(DEFAULT_RULES), _untidy(tidy)))

    assert sorted(c.alert for c in untidy) == sorted(c.alert for c in in_order)
