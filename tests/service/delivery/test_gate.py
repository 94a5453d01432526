"""How many messages an integration may be sent at once, and after which pause."""

from __future__ import annotations

from itertools import pairwise

import pytest

from alerts.retries import MAX_BACKOFF_S, next_probe
from service.delivery.gate import MAX_IN_FLIGHT, Gate
from service.receivers.base import Rate


def fail(gate: Gate, now: float, *, begun_at: float | None = None, retry_after: float | None = None) -> None:
    gate.failed(
        now,
        begun_at=now if begun_at is None else begun_at,
        retry_after=retry_after,
        limited=retry_after is not None,
        jitter=0.999_999,
    )


def test_an_integration_that_takes_all_gets_a_few_at_once() -> None:
    gate = Gate()

    assert gate.room(0.0, in_flight=0, rate=None) == MAX_IN_FLIGHT
    assert gate.room(0.0, in_flight=MAX_IN_FLIGHT, rate=None) == 0


def test_after_one_failure_another_row_is_tried_at_once_but_alone() -> None:
    """It may have been the row."""
    gate = Gate()
    fail(gate, 10.0)

    assert gate.room(10.0, in_flight=0, rate=None) == 1
    assert gate.room(10.0, in_flight=1, rate=None) == 0


def test_who_is_down_is_asked_by_one_at_a_time_with_pauses_that_grow() -> None:
    gate = Gate()
    now, asked = 0.0, []
    while now < 3600:
        now += gate.wait_s(now, rate=None)
        assert gate.room(now, in_flight=0, rate=None) == 1 or not asked
        asked.append(now)
        fail(gate, now)
        now += 0.01

    pauses = [after - before for before, after in pairwise(asked)]
    assert pauses[:5] == pytest.approx([0.01, 1, 2, 4, 8], rel=0.02)
    assert max(pauses) == pytest.approx(MAX_BACKOFF_S, rel=0.01)
    assert len(asked) < 25


def test_one_that_is_taken_opens_it() -> None:
    gate = Gate()
    for second in range(9):
        fail(gate, float(second))
    gate.answered()

    assert gate.room(9.0, in_flight=0, rate=None) == MAX_IN_FLIGHT


def test_four_that_fail_together_are_one_failure() -> None:
    gate = Gate()
    for _ in range(4):
        fail(gate, 10.0, begun_at=1.0)

    assert gate.failures == 1


def test_retry_after_holds_all() -> None:
    gate = Gate()
    fail(gate, 0.0, retry_after=30.0)

    assert gate.room(29.9, in_flight=0, rate=None) == 0
    assert gate.wait_s(10.0, rate=None) == pytest.approx(20.0)
    assert gate.room(30.0, in_flight=0, rate=None) == 1


def test_who_wants_fewer_and_names_no_time_is_left_alone_for_a_second() -> None:
    assert next_probe(failures=1, retry_after=None, limited=True, jitter=0.999_999) == pytest.approx(1.0, rel=0.01)


def test_a_rate_is_kept_over_any_time() -> None:
    gate, rate = Gate(), Rate(2, 1.0)
    began: list[float] = []
    now = 0.0
    while now < 10:
        for _ in range(gate.room(now, in_flight=0, rate=rate)):
            gate.begin(rate)
            began.append(now)
        now += max(gate.wait_s(now, rate=rate), 0.001)

    assert 20 <= len(began) <= 22
    assert all(sum(1 for other in began if start <= other < start + 5) <= 2 + 5 * 2 for start in began)


def test_a_clock_that_stands_still_gives_no_more() -> None:
    gate, rate = Gate(), Rate(1, 60.0)
    gate.room(5.0, in_flight=0, rate=rate)
    gate.begin(rate)

    assert gate.room(5.0, in_flight=0, rate=rate) == 0
    assert gate.wait_s(5.0, rate=rate) == pytest.approx(60.0)


@pytest.mark.parametrize(
    ("rate", "nodes"), [(Rate(5, 1.0), 2), (Rate(1, 1.0), 3), (Rate(10, 60.0), 4), (Rate(2, 1.0), 1)]
)
def test_nodes_that_share_a_rate_send_no_more_together(rate: Rate, nodes: int) -> None:
    mine = rate.shared_by(nodes)
    assert mine.n >= 1
    assert mine.n * nodes <= max(rate.n, nodes)
    assert mine.n / mine.per_s * nodes == pytest.approx(rate.n / rate.per_s)
