"""alerts/rewinding.py: a clock that was ahead and is set back; outages around it are in test_replay_properties.py."""

from __future__ import annotations

import msgspec
import pytest

from alerts.conditions import Any, Consecutive, EndOfLife, ErrorRate, Headroom, Parked
from alerts.decisions import What
from alerts.engine_state import EngineState
from alerts.evaluator import Engine
from alerts.lifecycle import Alert
from alerts.rules import Rule
from alerts.streaks import Failure
from tests.support.events import NOON, exhausted, make_event, provisional, success

DAY = 86_400.0
RULES = (
    Rule(alert="Row", condition=Consecutive(adaptive=False)),
    Rule(alert="Rate", condition=ErrorRate(min_failed=1)),
    Rule(alert="Each", condition=Any()),
    Rule(alert="Gone", condition=EndOfLife()),
    Rule(alert="Spent", condition=Headroom()),
)
TOMORROW = NOON + DAY


def ahead() -> Engine:
    """An engine whose clock is a day ahead, in the middle of an outage."""
    engine = Engine(RULES)
    limits = {"tokens_limit": 1000, "tokens_remaining": 900}
    engine.observe([success(TOMORROW, model_end_of_life="2026-09-30", ratelimit=limits)], TOMORROW)
    engine.observe([exhausted(TOMORROW + 1) for _ in range(3)], TOMORROW + 1)
    engine.tick(TOMORROW + 9)
    engine.observe([provisional(TOMORROW + 9, call_id="one"), success(TOMORROW + 9.5)], TOMORROW + 9.5)
    return engine


def instants(value: object) -> list[float]:
    """Every number in what is remembered that may be an instant.

    But for dates to come, for samples, which show what was seen, and for when a failure of a run began to count.
    """
    if isinstance(value, Failure):
        return [value.at]
    if isinstance(value, msgspec.Struct):
        fields = [field for field in value.__struct_fields__ if field not in ("ends_at", "samples")]
        return [found for field in fields for found in instants(getattr(value, field))]
    if isinstance(value, dict):
        return instants(list(value.values()))
    if isinstance(value, list | tuple):
        return [found for one in value for found in instants(one)]
    return [value] if isinstance(value, int | float) and NOON / 2 < value < 10 * NOON else []


def test_nothing_that_is_remembered_of_a_rule_s_key_lies_ahead() -> None:
    """But for the second at which it is looked at again."""
    engine = ahead()
    before = instants(engine.state.watches) + instants(engine.state.series)
    engine.rewind(NOON)

    after = instants(engine.state.watches) + instants(engine.state.series)

    assert max(before) > TOMORROW
    assert max(after) == NOON + 1


def test_the_windows_let_go_of_what_lies_ahead() -> None:
    engine = ahead()
    engine.rewind(NOON)

    assert engine.recent()["default", ""] == [0] * 5


def test_it_is_decided_and_said_by_how_much() -> None:
    engine = ahead()

    step = engine.rewind(NOON)

    assert [(row.what, row.at, row.value) for row in step.decisions] == [(What.CLOCK_BACK, NOON, {"by_s": DAY + 9.5})]


@pytest.mark.parametrize("on_s", [0, 1])
def test_a_clock_that_was_not_set_back_is_a_tick(on_s: int) -> None:
    engine = ahead()

    step = engine.rewind(engine.now + on_s)

    assert What.CLOCK_BACK not in {row.what for row in step.decisions}


def test_alerts_that_fire_go_on() -> None:
    engine = ahead()
    before = sorted(alert.labels["alertname"] for alert in engine.firing())

    engine.rewind(NOON)

    assert sorted(alert.labels["alertname"] for alert in engine.firing()) == before == ["Each", "Gone", "Rate", "Row"]
    assert all(_first_at(alert) <= NOON for alert in engine.firing())


def _first_at(alert: Alert) -> float:
    return max(alert.fired_at or 0, alert.evidence.first_at, alert.evidence.last_at, alert.last_at)


def test_a_rewound_state_is_one_that_a_snapshot_can_hold() -> None:
    engine = ahead()
    engine.rewind(NOON)
    again = Engine(RULES, msgspec.msgpack.decode(msgspec.msgpack.encode(engine.state), type=EngineState))

    for each in (engine, again):
        each.observe([make_event(now=NOON + 1, status=500), exhausted(NOON + 1)], NOON + 1)
        each.tick(NOON + 3600)

    assert again.ledger_hash == engine.ledger_hash


def test_a_limit_that_was_full_tomorrow_does_not_hide_that_it_is_used_up_today() -> None:
    engine = Engine([Rule(alert="Spent", condition=Headroom(), by=("app",))])
    engine.observe([success(TOMORROW, ratelimit={"tokens_limit": 1000, "tokens_remaining": 900})], TOMORROW)
    engine.rewind(NOON)

    engine.observe([success(NOON + 1, ratelimit={"tokens_limit": 1000, "tokens_remaining": 0})], NOON + 1)
    engine.tick(NOON + 3)

    assert [alert.labels["alertname"] for alert in engine.firing()] == ["Spent"]


def test_who_slept_sleeps_on_for_as_long_as_was_left() -> None:
    """One of them was parked before the clock went ahead, and is awake by now."""
    engine = Engine([Rule(alert="Asleep", condition=Parked(calls=1), keep_firing_for_s=0)])
    fields = {"status": 429, "final": False, "retry_after_s": 300}
    engine.observe([make_event(now=NOON, call_id="early", **fields)], NOON)
    engine.observe([make_event(now=TOMORROW, call_id="a", **fields), make_event(now=TOMORROW, **fields)], TOMORROW)

    engine.rewind(NOON + 1000)
    engine.tick(NOON + 1299)
    asleep = len(engine.firing())
    engine.tick(NOON + 1301)

    assert (asleep, engine.firing()) == (1, [])


def test_a_failure_after_the_clock_went_back_is_alone_only_if_it_is() -> None:
    engine = Engine(RULES)
    engine.observe([exhausted(TOMORROW)], TOMORROW)
    engine.rewind(NOON)

    step = engine.observe([exhausted(NOON + 5)], NOON + 5)
    step = engine.tick(NOON + 7)

    assert What.LONE_500 not in {row.what for row in step.decisions}
