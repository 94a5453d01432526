"""alerts/counters.py: totals for /metrics and the page."""

from __future__ import annotations

import pytest
from claxon.taxonomy import Category

from alerts.counters import Totals
from alerts.default_rules import ERROR_RATE_TICKET
from alerts.evaluator import Engine
from tests.support.events import NOON, absorbed, exhausted, make_event, provisional, success


def test_every_category_is_there_from_0() -> None:
    """So that a first 401 is an increase."""
    totals = Totals()
    totals.succeed(2)
    totals.fail(make_event(now=NOON, status=401))

    assert totals.by_category() == {category.value: 0 for category in Category} | {"ok": 2, "authentication": 1}


def test_calls_are_counted_by_how_they_ended_and_absorbed_attempts_are_none() -> None:
    totals = Totals()
    totals.succeed(3)
    for event in (exhausted(NOON), make_event(now=NOON, status=401), absorbed(NOON), provisional(NOON, call_id="one")):
        totals.fail(event)

    assert totals.by_outcome() == {"ok": 3, "failed": 1, "exhausted": 1}
    assert totals.absorbed == 1


def test_tokens_and_time_of_every_attempt_are_summed() -> None:
    totals = Totals()
    tokens = {"input_tokens": 2, "output_tokens": 3, "cache_read_tokens": 5, "cache_write_tokens": 7}
    for _ in range(2):
        totals.measure(success(NOON, tokens=1, duration_ms=250, stop_reason="refusal", **tokens))
    totals.measure(success(NOON))

    assert totals.by_kind() == {"requested": 2, "input": 4, "output": 6, "cache_read": 10, "cache_write": 14}
    assert (totals.seconds, totals.timed, totals.refusals) == (0.5, 2, 2)


def test_totals_of_several_keys_are_one_total() -> None:
    one, other = Totals(), Totals()
    one.succeed(1)
    other.succeed(2)
    other.fail(exhausted(NOON))
    other.measure(success(NOON, tokens=9))

    one.add(other)

    assert one.by_outcome() == {"ok": 3, "failed": 0, "exhausted": 1}
    assert (one.attempts, one.requested) == ({"ok": 3, "server": 1}, 9)


@pytest.mark.parametrize(("after_s", "alone"), [(300, False), (301, True)])
def test_a_failure_is_alone_when_none_of_its_category_lies_within_5_min(after_s: int, alone: bool) -> None:
    totals = Totals()

    assert totals.fail(exhausted(NOON))
    assert totals.fail(exhausted(NOON + after_s)) is alone


def test_a_failure_of_which_nothing_more_is_heard_is_a_failed_call_in_the_end() -> None:
    engine = Engine([ERROR_RATE_TICKET])
    engine.observe([provisional(NOON, call_id="one")], NOON)
    engine.tick(NOON + 60)
    before = next(iter(engine.state.totals.values())).by_outcome()
    engine.tick(NOON + 3600)

    assert before["failed"] == 0
    assert next(iter(engine.state.totals.values())).by_outcome()["failed"] == 1
