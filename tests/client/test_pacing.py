"""How a rate limit is read, and how calls are paced by it; in time that is wound by hand or simulated."""

from __future__ import annotations

import itertools
from dataclasses import replace

import httpx2
import pytest
from claxon.pacing import OLDEST_S, Lane, Slot
from claxon.ratelimits import Reading, read_limits

from tests.support.pacing_simulation import Load, Simulation

NOON = 1_800_000_000  # 2027-01-15T08:00:00Z
REQUESTS = {
    "anthropic-ratelimit-requests-limit": "50",
    "anthropic-ratelimit-requests-remaining": "5",
    "anthropic-ratelimit-requests-reset": "2027-01-15T08:00:54Z",
}


def said(**changed: str) -> httpx2.Headers:
    return httpx2.Headers(
        {**REQUESTS, **{f"anthropic-ratelimit-{name.replace('_', '-')}": value for name, value in changed.items()}}
    )


def lane_with(remaining: float, *, limit: float = 60.0, refill_s: float | None = None, now: float = 0.0) -> Lane:
    """Return a lane that has been told of 60 requests a minute, one a second."""
    lane = Lane(below=0.1)
    missing_s = (limit - remaining) / limit * 60
    lane.learn({"requests": Reading(limit, remaining, missing_s if refill_s is None else refill_s)}, now)
    return lane


def waits(lane: Lane, callers: int, *, now: float = 0.0, most_wait_s: float = 1000.0) -> list[float]:
    """Return how long each of so many callers waits who come at the same moment."""
    slots: list[tuple[int, Slot | None]] = [
        (number, lane.take(now, most_wait_s=most_wait_s)) for number in range(callers)
    ]
    found = {number: 0.0 for number, slot in slots if slot is None}
    line = [(now, number, slot) for number, slot in slots if slot is not None]
    while line:
        line.sort(key=lambda each: each[0])
        at, number, slot = line.pop(0)
        left_s = lane.wait_s(slot, at)
        if left_s == 0:
            found[number] = at - now
        else:
            line.append((at + left_s, number, slot))
    return [found[number] for number in range(callers)]


# ── reading ───────────────────────────────────────────────────────────────────────────────────────


def test_the_rate_is_what_is_missing_in_the_time_until_nothing_is() -> None:
    reading = read_limits(said(), now=NOON)["requests"]

    assert reading == Reading(50.0, 5.0, 54.0)
    assert reading.rate == pytest.approx(50 / 60)


def test_a_reset_is_read_by_the_servers_own_clock() -> None:
    """The machine's may be an hour off."""
    headers = said()
    headers["date"] = "Fri, 15 Jan 2027 08:00:00 GMT"

    assert read_limits(headers, now=NOON + 3600)["requests"].refill_s == 54.0


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"requests_reset": "2027-01-15T07:00:00Z"}, Reading(50.0, 5.0, 0.0)),
        ({"requests_reset": "soon"}, Reading(50.0, 5.0, 54.0)),
        ({"requests_reset": "9999-12-31T23:59:59Z"}, Reading(50.0, 5.0, 3600.0)),
        ({"requests_remaining": "70"}, Reading(50.0, 50.0, 54.0)),
        ({"requests_remaining": "-1"}, None),
        ({"requests_limit": "many"}, None),
        ({"requests_limit": "0"}, None),
        ({"requests_limit": "nan"}, None),
        ({"requests_limit": "1e400"}, None),
    ],
)
def test_a_header_that_makes_no_sense_does_no_harm(changed: dict[str, str], expected: Reading | None) -> None:
    found = read_limits(said(**changed), now=NOON)

    assert found.get("requests") == expected
    if expected is not None:
        assert expected.rate > 0


def test_without_the_headers_nothing_is_read() -> None:
    assert read_limits(httpx2.Headers({"request-id": "req_1"})) == {}


def test_all_four_kinds_are_read() -> None:
    kinds = ("requests", "tokens", "input-tokens", "output-tokens")
    headers = {f"anthropic-ratelimit-{kind}-{part}": "1000" for kind in kinds for part in ("limit", "remaining")}

    assert sorted(read_limits(httpx2.Headers(headers))) == ["input_tokens", "output_tokens", "requests", "tokens"]
    assert read_limits(httpx2.Headers(headers), below=0.5) == {}


# ── pacing ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("remaining", "seconds"),
    [(60, 0), (30, 0), (8, 0), (7, 1 / 7), (4, 1), (2, 3), (1, 7), (0.5, 8), (0, 8)],
)
def test_the_less_is_left_the_further_calls_are_apart(remaining: float, seconds: float) -> None:
    """One request flows back a second; of 60, pacing begins at eight calls."""
    assert lane_with(remaining).interval(0.0) == pytest.approx(seconds)


@pytest.mark.parametrize(("remaining", "seconds"), [(400, 0), (399, 0.00038), (200, 0.15), (100, 0.45)])
def test_of_a_large_limit_pacing_begins_at_a_tenth(remaining: float, seconds: float) -> None:
    assert lane_with(remaining, limit=4000).interval(0.0) * 10 == pytest.approx(seconds, abs=0.0001)


def test_callers_who_come_at_once_get_successive_slots() -> None:
    found = waits(lane_with(4), 10)

    assert found == sorted(found)
    assert found[0] == 0
    gaps = [later - earlier for earlier, later in itertools.pairwise(found)]
    assert all(0.6 < gap < 1.6 for gap in gaps), gaps  # one flows back a second


def test_nobody_waits_for_the_full_bucket() -> None:
    """At `reset` there would be 60; after a second there is enough for one."""
    assert waits(lane_with(0), 1)[0] == pytest.approx(1.0, abs=0.03)


def test_nobody_waits_longer_than_the_most() -> None:
    found = waits(lane_with(0), 200, most_wait_s=3.0)

    assert max(found) == pytest.approx(3.0, abs=0.01)


def test_a_line_that_went_early_leaves_nobody_waiting_for_it() -> None:
    lane = lane_with(0)
    waits(lane, 200, most_wait_s=3.0)
    lane.learn({"requests": Reading(60.0, 30.0, 30.0)}, 4.0)

    assert waits(lane, 1, now=4.0) == [0.0]


def test_who_waits_already_goes_sooner_when_more_is_left() -> None:
    lane = lane_with(0)
    slots = [lane.take(0.0, most_wait_s=1000) for _ in range(8)]
    last = slots[-1]
    assert last is not None
    before = lane.wait_s(last, 0.0)

    lane.learn({"requests": Reading(60.0, 40.0, 20.0)}, 0.1)

    assert lane.wait_s(last, 0.1) < before / 4


def test_a_cancelled_caller_gives_its_place_to_the_next_who_comes() -> None:
    lane = lane_with(4)
    slots = [lane.take(0.0, most_wait_s=1000) for _ in range(5)]
    second, fifth = slots[1], slots[4]
    assert second is not None
    assert fifth is not None

    lane.leave(second)
    lane.leave(second)  # twice is once
    taken = lane.take(0.0, most_wait_s=1000)
    lane.leave(fifth)
    at_the_end = lane.take(0.0, most_wait_s=1000)

    assert taken is not None
    assert at_the_end is not None
    assert (taken.number, at_the_end.number) == (second.number, fifth.number)
    assert lane.waiting == 5


def test_a_place_given_back_whose_turn_went_by_is_nobodys() -> None:
    lane = lane_with(4)
    slots = [lane.take(0.0, most_wait_s=1000) for _ in range(3)]
    assert slots[0] is not None
    lane.leave(slots[0])
    assert slots[2] is not None
    lane.wait_s(slots[2], 2.0)

    taken = lane.take(2.0, most_wait_s=1000)

    assert taken is not None
    assert taken.number == 4


def test_a_429_holds_the_others_until_it_may_be_tried_again() -> None:
    lane = lane_with(2)
    lane.learn({"requests": Reading(60.0, 0.0, 60.0)}, 0.0, drew=False, retry_after_s=6.0)

    found = waits(lane, 3)

    assert min(found) >= 6.0


@pytest.mark.parametrize("asked", [0.01, 0.5, 6.0])
def test_after_a_retry_after_one_call_may_go_whatever_the_counts_say(asked: float) -> None:
    """The API knows better than its rounded counts."""
    lane = Lane(below=0.1)
    lane.learn({"output_tokens": Reading(8000.0, 0.0, 60.0)}, 0.0, drew=False, retry_after_s=asked)

    assert waits(lane, 1)[0] == pytest.approx(asked, abs=0.03)


def test_full_again_is_forgotten() -> None:
    lane = lane_with(2)
    lane.take(0.0, most_wait_s=0.0)

    assert waits(lane, 1, now=70.0) == [0.0]
    assert lane.watched == ()


def test_an_old_reading_is_forgotten_whatever_it_said() -> None:
    lane = lane_with(0, refill_s=3600.0)
    assert lane.interval(OLDEST_S - 1) > 0

    assert waits(lane, 5, now=OLDEST_S + 1) == [0.0] * 5


def test_the_tightest_limit_decides() -> None:
    lane = lane_with(50)
    assert lane.interval(0.0) == 0

    lane.learn({"requests": Reading(60.0, 50.0, 10.0), "output_tokens": Reading(8000.0, 0.0, 60.0)}, 0.0)

    assert lane.interval(0.0) > 0


def test_the_cost_of_a_call_in_tokens_is_learned() -> None:
    """500 tokens flow back a second and each second a call draws 700, by readings rounded to the thousand."""
    lane, left = Lane(below=0.1), 14_000.0
    for second in range(40):
        lane.learn({"input_tokens": Reading(30_000.0, round(left, -3), (30_000 - left) / 500)}, float(second))
        left += 500 - 700

    assert lane._buckets["input_tokens"].cost == pytest.approx(700, rel=0.15)


def test_what_was_refused_is_not_taken_for_a_call_that_costs_nothing() -> None:
    lane, left = Lane(below=0.1), 10_000.0
    for second in range(40):
        for drew in (True, False, False):
            reading = Reading(30_000.0, left, (30_000 - left) / 500)
            lane.learn({"input_tokens": reading}, second + 0.1, drew=drew)
        left += 500 - 600

    assert lane._buckets["input_tokens"].cost == pytest.approx(600, rel=0.15)


# ── against token buckets ─────────────────────────────────────────────────────────────────────────

TOKENS = {"requests": 4000, "input_tokens": 400_000, "output_tokens": 80_000}
LOADS = {
    "50 requests a minute": Load(limits={"requests": 50}, callers=8, calls_per_minute=100),
    "300 requests a minute": Load(limits={"requests": 300}, callers=32, calls_per_minute=600),
    "four processes that share 300": Load(
        limits={"requests": 300}, callers=16, calls_per_minute=600, processes=4, most_wait_s=60
    ),
    "tokens": Load(limits=TOKENS, callers=64, calls_per_minute=720, tokens=True),
    "few tokens": Load(
        limits={"requests": 1000, "input_tokens": 30_000, "output_tokens": 8000},
        callers=16,
        calls_per_minute=72,
        tokens=True,
        most_wait_s=60,
    ),
    "four processes that share tokens": Load(
        limits=TOKENS, callers=32, calls_per_minute=720, processes=4, tokens=True, most_wait_s=60
    ),
}


@pytest.mark.parametrize("name", LOADS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_twice_what_the_limit_allows_is_hardly_ever_refused_and_as_much_gets_through(name: str, seed: int) -> None:
    """Ten minutes of which nine are counted; without pacing about half of all requests are refused."""
    load = LOADS[name]

    bare = Simulation(replace(load, throttled=False), seed=seed).run()
    paced = Simulation(load, seed=seed).run()

    assert bare.refused_share > 0.4
    assert paced.refused_share < 0.02
    assert paced.answered_per_minute > 0.9 * bare.answered_per_minute
    assert max(paced.waits) <= load.most_wait_s + 0.1


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_processes_that_know_nothing_of_each_other_share_fairly(seed: int) -> None:
    answered = Simulation(LOADS["four processes that share 300"], seed=seed).run().answered

    assert max(answered) < 1.2 * min(answered)


def test_less_than_the_limit_allows_never_waits() -> None:
    course = Simulation(Load(limits={"requests": 300}, callers=32, calls_per_minute=200, filled=1.0)).run()

    assert course.refused == 0
    assert max(course.waits) == 0
