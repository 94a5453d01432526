"""The engine decides as docs/reference/decisions.md says: held to tests/support/oracle.py on random logs."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any as Anything

import msgspec
import pytest
from claxon.event import Event
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.budgets import Tier
from alerts.default_rules import DEFAULT_RULES
from alerts.evaluator import Engine, EngineState
from alerts.matchers import parse_matcher
from alerts.rules import Any, Budget, Consecutive, ErrorRate, Rule
from tests.support.events import NOON, make_event
from tests.support.oracle import Change, Moment, differences, engine_changes, oracle

# CLAXON_TEST_FUZZ=100 runs a hundred times as many; for a night, not for every push.
TIMES = int(os.environ.get("CLAXON_TEST_FUZZ", "1"))
SEVERAL = settings(
    max_examples=60 * TIMES,
    deadline=None,
    derandomize=TIMES == 1,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
FEW = settings(SEVERAL, max_examples=20 * TIMES)

OTHER_RULES = (
    Rule(
        alert="HeldRate",
        condition=ErrorRate(above=0.29, window_s=60, min_failed=1),
        by=("model", "path"),
        hold_s=20,
        keep_firing_for_s=0,
    ),
    Rule(
        alert="HeldSureRate",
        condition=ErrorRate(above=0.1, window_s=600, min_failed=2, confidence=0.9),
        match=(parse_matcher('app="a"'), parse_matcher('status=~"5.."')),
        hold_s=120,
        keep_firing_for_s=7,
    ),
    Rule(
        alert="PlainRow",
        condition=Consecutive(count=3, settle_s=0.0, adaptive=False),
        match=(parse_matcher('category!="rate_limit"'),),
        by=("app",),
        keep_firing_for_s=60,
    ),
    Rule(
        alert="SlowRow",
        condition=Consecutive(count=2, settle_s=7.5, adaptive=False),
        match=(parse_matcher('category="server"'), parse_matcher('model="m1"')),
        hold_s=10,
        keep_firing_for_s=300,
    ),
    Rule(alert="PlainCount", condition=Budget(max_count=2, window_s=600), keep_firing_for_s=120),
    Rule(
        alert="Burn",
        condition=Budget(
            objective=0.9,
            min_exhausted=1,
            tiers=(Tier(burn=2, long_s=600, short_s=60), Tier(burn=1, long_s=7200, short_s=300)),
        ),
        by=("app", "path"),
        keep_firing_for_s=1,
    ),
    Rule(
        alert="AnyOverload",
        condition=Any(),
        match=(parse_matcher('category="overloaded"'), parse_matcher('path!="/p2"')),
        by=("app", "model"),
        keep_firing_for_s=30,
        stale_after_s=600,
    ),
)

# ── random logs ──────────────────────────────────────────────────────────────

KINDS: dict[str, dict[str, Anything]] = {
    "success": {"status": 200},
    "server": {"status": 500, "final": True, "exhausted": True},
    "failed": {"status": 500, "final": True, "exhausted": False},
    "overloaded": {"status": 529, "final": True, "exhausted": True},
    "absorbed": {"status": 500, "final": False},
    "absorbed rate limit": {"status": 429, "final": False},
    "rate limit": {"status": 429, "final": True, "exhausted": True},
    "provisional": {"status": 500},
    "authentication": {"status": 401},
    "absorbed authentication": {"status": 401, "final": False},
    "account": {"status": 402},
    "invalid": {"status": 400},
    "cancelled": {"error_type": "cancelled"},
}
GAPS = [0, 0, 0.25, 0.25, 0.75, 1, 1, 1.5, 2, 3, 5.25, 19, 30, 59, 61, 240, 299, 301, 600, 900, 901, 1800]
SILENCES = [3598, 3599, 3600, 3601, 3605, 7200, 10_000, 30_000, 86_400, 100_000, 260_000]
LATE = [0, 0, 0, 0, 0.25, 0.5, 1, 2, 3, 4.5, 10, 29, 59, 60, 240, 299, 301, 599, 901]
TOO_LATE = [1800, 3598, 3600, 3601, 5000, 20_000, 90_000]

kinds = st.sampled_from(["success", "success", "success", *KINDS])
gaps = st.sampled_from(GAPS) | st.sampled_from(GAPS) | st.sampled_from(GAPS + SILENCES)
lateness = st.sampled_from(LATE) | st.sampled_from(LATE) | st.sampled_from(LATE + TOO_LATE)
call_ids = st.none() | st.sampled_from(["c1", "c2", "c3", "c4", "c5", "c6"])


@st.composite
def attempts(draw: st.DrawFn) -> list[dict[str, Anything]]:
    """One attempt, or a clump of the same."""
    fields = {
        **KINDS[draw(kinds)],
        "app": draw(st.sampled_from("aaab")),
        "environment": draw(st.sampled_from(["", "", "", "live"])),
        "model": draw(st.sampled_from(["m1", "m1", "m2"])),
        "path": draw(st.sampled_from(["/p1", "/p1", "/p2"])),
        "call_id": draw(call_ids),
        "attempt": draw(st.sampled_from([1, 1, 2, 3])),
        "late": draw(lateness),
    }
    return [fields] * draw(st.sampled_from([1, 1, 1, 1, 2, 3, 12, 40]))


@st.composite
def logs(draw: st.DrawFn, *, most: int = 25, between: st.SearchStrategy[float] = gaps) -> list[Moment]:
    """A log: batches and ticks, with clumps, silences, late events and instants that occur twice."""
    now = NOON + draw(st.sampled_from([0, 0.25, 1234.5]))
    log = []
    for gap, groups in draw(st.lists(st.tuples(between, st.lists(attempts(), max_size=4)), min_size=1, max_size=most)):
        now += gap
        log.append(Moment(now, [_event(fields, now) for group in groups for fields in group]))
    return [*log, Moment(now + draw(st.sampled_from([0, 1, 3, 1000, 4000, 20_000])))]


def _event(fields: dict[str, Anything], now: float) -> Event:
    sent = {name: value for name, value in fields.items() if name != "late"}
    return make_event(now=now, time=now - fields["late"], **sent)


def _engine(log: list[Moment], rules: tuple[Rule, ...]) -> dict[str, list[Change]]:
    return engine_changes(Engine(rules), log)


def _in_order(changes: dict[str, list[Change]]) -> dict[str, list[tuple[float, str, str, dict[str, float]]]]:
    """What is left when it does not matter which of two matches of one batch is called the first."""
    vague = ("age_s", "count", "streak")
    return {
        name: [(c.at, c.change, c.reason, {n: v for n, v in c.value.items() if n not in vague}) for c in several]
        for name, several in changes.items()
    }


RULES = pytest.mark.parametrize("rules", [DEFAULT_RULES, OTHER_RULES], ids=["default", "other"])


# ── the engine and the oracle ────────────────────────────────────────────────


@RULES
@given(log=logs())
@SEVERAL
def test_the_engine_decides_what_the_oracle_decides(rules: tuple[Rule, ...], log: list[Moment]) -> None:
    assert differences(_engine(log, rules), oracle(rules, log)) == []


@given(log=logs(most=8, between=st.sampled_from(GAPS[:15])), rules=st.sampled_from([DEFAULT_RULES, OTHER_RULES]))
@settings(FEW, max_examples=8 * TIMES)
def test_the_oracles_short_cuts_change_nothing(log: list[Moment], rules: tuple[Rule, ...]) -> None:
    log = [*log[:-1], Moment(log[-2].now + 1000 if len(log) > 1 else log[-1].now)]

    assert oracle(rules, log) == oracle(rules, log, scan=True, every_second=True)


# ── what must not matter ─────────────────────────────────────────────────────


@RULES
@given(log=logs(), seed=st.integers(0, 2**32))
@FEW
def test_how_events_of_one_instant_are_cut_into_batches_changes_nothing(
    rules: tuple[Rule, ...], log: list[Moment], seed: int
) -> None:
    chance = random.Random(seed)
    cut = []
    for now, events in log:
        edges = sorted(chance.randint(0, len(events)) for _ in range(chance.randint(0, 3)))
        cut += [Moment(now, events[i:j]) for i, j in pairwise([0, *edges, len(events)])]

    assert _engine(cut, rules) == _engine(log, rules)


@RULES
@given(log=logs(), seed=st.integers(0, 2**32))
@FEW
def test_a_tick_more_changes_nothing(rules: tuple[Rule, ...], log: list[Moment], seed: int) -> None:
    chance = random.Random(seed)
    ticked = [log[0]]
    for moment in log[1:]:
        instants = sorted(chance.uniform(ticked[-1].now, moment.now) for _ in range(chance.randint(0, 3)))
        ticked += [*map(Moment, instants), moment]

    assert _engine(ticked, rules) == _engine(log, rules)


@RULES
@given(log=logs(), seed=st.integers(0, 2**32))
@FEW
def test_the_order_inside_a_batch_changes_nothing(rules: tuple[Rule, ...], log: list[Moment], seed: int) -> None:
    chance = random.Random(seed)
    # Of the same attempt posted twice the first counts, so each is there once.
    once = [Moment(now, _without_repeats(events)) for now, events in log]
    shuffled = [Moment(now, chance.sample(events, len(events))) for now, events in once]

    assert _in_order(_engine(shuffled, rules)) == _in_order(_engine(once, rules))


def _without_repeats(events: Sequence[Event]) -> list[Event]:
    named = {(e.app, e.environment, e.call_id, e.attempt): e for e in events if e.call_id is not None}
    return [e for e in events if e.call_id is None] + list(named.values())


@RULES
@given(log=logs(), seed=st.integers(0, 2**32))
@FEW
def test_a_restart_from_a_snapshot_changes_nothing(rules: tuple[Rule, ...], log: list[Moment], seed: int) -> None:
    chance = random.Random(seed)
    engine = Engine(rules)
    restarted: dict[str, list[Change]] = {}
    for moment in log:
        for name, changes in engine_changes(engine, [moment]).items():
            restarted.setdefault(name, []).extend(changes)
        if chance.random() < 0.3:
            snapshot = msgspec.msgpack.encode(engine.state)
            engine = Engine(rules, msgspec.msgpack.decode(snapshot, type=EngineState))

    assert restarted == _engine(log, rules)


@given(log=logs(most=10))
@FEW
def test_time_that_goes_back_is_taken_as_the_latest_time_seen(log: list[Moment]) -> None:
    back = [m for now, events in log for m in (Moment(now, events[:1]), Moment(now - 1000, events[1:]))]

    assert _engine(back, DEFAULT_RULES) == _engine(log, DEFAULT_RULES)
