"""Measures: what is counted of events in the core's thread beside what the rules count."""

from __future__ import annotations

from typing import Any

import pytest
from claxon.event import Circuit, Event, RateLimits

from alerts.counters import Totals
from service import measures
from service.measures import OTHERS, Measured, Measures
from tests.support.events import NOON, make_event, success

SHOP = ("shop", "", "m")


def measured(*events: Event, now: float = NOON) -> Measured:
    """Return what is known of shop's m after these events."""
    found = Measures()
    found.take(list(events), now)
    return found.snapshot()[SHOP]


def shop(**fields: Any) -> Event:
    return make_event(now=NOON, app="shop", environment="", model="m", **fields)


def test_durations_and_first_tokens_are_counted_where_they_are_said() -> None:
    found = measured(shop(status=200, duration_ms=250), shop(status=500, duration_ms=750), shop(status=200))

    assert (found.took.count, found.took.total_s, found.first.count) == (2, 1.0, 0)


def test_a_stream_is_timed_by_its_first_token_too() -> None:
    assert measured(shop(status=200, time_to_first_token_ms=80)).first.total_s == 0.08


def test_tokens_of_a_failed_attempt_are_wasted_and_those_of_a_cancelled_one_are_not() -> None:
    """Whoever closed the stream has got what it wanted."""
    used = {"input_tokens": 5, "cache_read_tokens": 3, "cache_write_tokens": 2, "output_tokens": 7}
    found = measured(
        shop(status=500, **used),
        shop(status=200, stream_end="closed", **used),
        shop(status=200, **used),
        shop(status=500),
    )

    assert (found.wasted_input, found.wasted_output) == (10, 7)


@pytest.mark.parametrize("first", [0, 1])
def test_the_newest_answer_says_what_is_left_of_a_limit_in_whatever_order_they_come(first: int) -> None:
    old, new = RateLimits(requests_limit=9, requests_remaining=8), RateLimits(requests_limit=9, requests_remaining=1)
    events = [shop(status=200, ratelimit=old, time=NOON - 5), shop(status=429, ratelimit=new, time=NOON - 1)]
    events[0].at, events[1].at = NOON - 5, NOON - 1

    assert measured(events[first], events[1 - first]).limits == new


def test_the_newest_event_that_tells_of_a_breaker_says_its_state() -> None:
    assert measured(shop(status=200, circuit=Circuit.OPEN), shop(status=200)).circuit == "open"


def test_reasons_that_no_client_of_ours_gives_are_one() -> None:
    found = measured(*(shop(status=500, stopped_by=f"why {i}") for i in range(9)), shop(status=500, stopped_by="cost"))

    assert found.stopped == {"other": 9, "cost": 1}


def test_hops_over_the_limit_share_one_series(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "MAX_HOPS", 2)
    found = Measures()
    found.take([shop(status=200, fallback_from=f"m{i % 5}") for i in range(10)], NOON)

    assert found.hops == {(*SHOP, "m0"): 2, (*SHOP, "m1"): 2, (*OTHERS, "(overflow)"): 6}


def test_models_that_the_engine_met_late_share_one_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is heard first after a restart need not be among the first that the engine ever saw."""
    monkeypatch.setattr(measures, "MAX_MODELS", 2)
    found = Measures()
    found.begin({("shop", "", f"m{i}"): Totals() for i in range(4)})
    found.take([shop(status=200, duration_ms=1) for _ in range(3)], NOON)
    late = [shop(status=200, duration_ms=1) for _ in range(4)]
    for i, event in enumerate(late):
        event.model = f"m{3 - i}"
    found.take(late, NOON)

    counts = {model: one.took.count for model, one in found.snapshot().items()}
    assert counts == {("shop", "", "m1"): 1, ("shop", "", "m0"): 1, OTHERS: 5}


def test_where_no_engine_has_all_models_the_first_that_are_measured_have_series_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measures, "MAX_MODELS", 2)
    found = Measures()
    events = [shop(status=200, duration_ms=1) for _ in range(6)]
    for i, event in enumerate(events):
        event.model = f"m{i % 3}"
    found.take(events, NOON)

    counts = {model: one.took.count for model, one in found.snapshot().items()}
    assert counts == {("shop", "", "m0"): 2, ("shop", "", "m1"): 2, OTHERS: 2}


def test_a_snapshot_does_not_move() -> None:
    found = Measures()
    found.take([shop(status=200, duration_ms=5)], NOON)
    before = found.snapshot()
    found.take([shop(status=500, duration_ms=5, output_tokens=1, stopped_by="cost", cached=True)] * 3, NOON)

    assert before[SHOP].took.count == 1
    assert (before[SHOP].stopped, before[SHOP].cached, before[SHOP].wasted_output) == ({}, 0, 0)


def test_up_to_a_number_a_second_each_attempt_is_timed_and_beyond_one_in_ten_for_ten() -> None:
    found, batch = Measures(), [success(NOON, duration_ms=i % 20) for i in range(1000)]
    for _ in range(40):
        found.take(batch, NOON + 0.5)

    (known,) = found.snapshot().values()
    assert known.took.count == 40_000
    assert known.took.total_s == pytest.approx(40 * sum(i % 20 for i in range(1000)) / 1000)


def test_each_second_begins_with_timing_each_attempt() -> None:
    found = Measures()
    found.take([success(NOON, duration_ms=1)] * (measures.EXACT + 1), NOON)
    found.take([success(NOON, duration_ms=1)] * 3, NOON + 1)

    (known,) = found.snapshot().values()
    assert known.took.count == -(-(measures.EXACT + 1) // 10) * 10 + 3


def test_what_is_counted_does_not_depend_on_how_much_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "_WAITING", 7)
    found = Measures()
    for i in range(10):
        found.take([shop(status=200, duration_ms=i, time_to_first_token_ms=i)] * 3, NOON)

    assert (found.snapshot()[SHOP].took.count, found.snapshot()[SHOP].first.total_ms) == (30, 135)
