"""What must not matter: batches, their order inside, ticks, restarts, a clock that goes back."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import pytest
from claxon.event import Event
from hypothesis import given
from hypothesis import strategies as st

from alerts.evaluator import Engine, EngineState
from alerts.rules import Rule
from tests.support.oracle import Change, Moment, Resumed, engine_changes
from tests.support.random_logs import FEW, any_logs, logs
from tests.support.rule_shapes import RULE_SETS

RULES = pytest.mark.parametrize("rules", RULE_SETS.values(), ids=RULE_SETS.keys())
seeds = st.integers(0, 2**32)


def _engine(log: list[Moment], rules: tuple[Rule, ...]) -> dict[str, list[Change]]:
    return engine_changes(Engine(rules), log)


@RULES
@given(log=any_logs, seed=seeds)
@FEW
def test_how_events_of_one_instant_are_cut_into_batches_changes_nothing(
    rules: tuple[Rule, ...], log: list[Moment], seed: int
) -> None:
    chance = random.Random(seed)
    cut: list[Moment] = []
    for moment in log:
        now, events = moment
        edges = sorted(chance.randint(0, len(events)) for _ in range(chance.randint(0, 3)))
        pieces = [Moment(now, events[i:j]) for i, j in pairwise([0, *edges, len(events)])]
        cut += [moment] if isinstance(moment, Resumed) else pieces

    assert _engine(cut, rules) == _engine(log, rules)


@RULES
@given(log=any_logs, seed=seeds)
@FEW
def test_a_tick_more_changes_nothing(rules: tuple[Rule, ...], log: list[Moment], seed: int) -> None:
    chance = random.Random(seed)
    ticked = [log[0]]
    for moment in log[1:]:
        instants = sorted(chance.uniform(ticked[-1].now, moment.now) for _ in range(chance.randint(0, 3)))
        # In a pause nobody ticks.
        ticked += [moment] if isinstance(moment, Resumed) else [*map(Moment, instants), moment]

    assert _engine(ticked, rules) == _engine(log, rules)


@RULES
@given(log=any_logs, seed=seeds)
@FEW
def test_the_order_inside_a_batch_changes_nothing(rules: tuple[Rule, ...], log: list[Moment], seed: int) -> None:
    chance = random.Random(seed)
    # Of the same attempt posted twice the first counts, so each is there once.
    once = [moment._replace(events=_without_repeats(moment.events)) for moment in log]
    shuffled = [moment._replace(events=chance.sample(moment.events, len(moment.events))) for moment in once]

    assert _in_order(_engine(shuffled, rules)) == _in_order(_engine(once, rules))


def _without_repeats(events: Sequence[Event]) -> list[Event]:
    named = {(e.app, e.environment, e.call_id, e.attempt): e for e in events if e.call_id is not None}
    return [e for e in events if e.call_id is None] + list(named.values())


def _in_order(changes: dict[str, list[Change]]) -> dict[str, list[tuple[float, str, str, dict[str, float]]]]:
    """What is left when it does not matter which of two matches of one batch is called the first."""
    vague = ("age_s", "count", "streak")
    return {
        name: [(c.at, c.change, c.reason, {n: v for n, v in c.value.items() if n not in vague}) for c in several]
        for name, several in changes.items()
    }


@RULES
@given(log=any_logs, seed=seeds)
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


@RULES
@given(log=logs(most=10, pauses=False))
@FEW
def test_time_that_goes_back_is_taken_as_the_latest_time_seen(rules: tuple[Rule, ...], log: list[Moment]) -> None:
    back = [m for now, events in log for m in (Moment(now, events[:1]), Moment(now - 1000, events[1:]))]

    assert _engine(back, rules) == _engine(log, rules)
