"""A circuit opens on a share of failures, probes, and closes; by a clock that is wound by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claxon.circuits import HEALTH, Circuit, Pass, Refusal, Terms, Verdict, Window, give_back, verdict_of
from claxon.event import Circuit as State
from claxon.outcome import Outcome
from claxon.taxonomy import Category

TERMS = Terms(window_s=30, least_attempts=10, share=0.5, open_s=5, most_open_s=40, probes=2, probe_s=30)
OK = Outcome(category=Category.OK, status=200)
FAILED = Outcome(category=Category.SERVER, status=500, error_type="api_error")
REFUSED = Outcome(category=Category.INVALID_REQUEST, status=400)


class Breaker:
    """A circuit, its clock, and how a call fares."""

    def __init__(self, terms: Terms = TERMS, *, chance: float = 1.0) -> None:
        self.now = 1000.0
        self.circuit = Circuit(terms, now=self.now, chance=lambda: chance)

    def ask(self) -> Pass | Refusal:
        return self.circuit.ask(self.now)

    def passed(self) -> Pass:
        given = self.ask()
        assert isinstance(given, Pass)
        return given

    def judge(self, given: Pass, outcome: Outcome) -> bool:
        return self.circuit.judge(given, verdict_of(outcome, counted=HEALTH), outcome, self.now)

    def call(self, outcome: Outcome, times: int = 1) -> None:
        for _ in range(times):
            self.judge(self.passed(), outcome)

    def opened(self) -> Breaker:
        self.call(FAILED, 10)
        assert self.circuit.state is State.OPEN
        return self


@pytest.mark.parametrize(
    ("good", "bad", "state"),
    [
        (0, 9, State.CLOSED),
        (0, 10, State.OPEN),
        (5, 5, State.OPEN),
        (6, 5, State.CLOSED),
        (100, 99, State.CLOSED),
        (100, 100, State.OPEN),
    ],
)
def test_a_circuit_opens_when_the_share_of_enough_attempts_failed(good: int, bad: int, state: State) -> None:
    breaker = Breaker()

    breaker.call(OK, good)
    breaker.call(FAILED, bad)

    assert breaker.circuit.state is state


def test_successes_in_between_do_not_keep_it_closed() -> None:
    """What counts failures in a row never opens here."""
    breaker = Breaker()

    for _ in range(5):
        breaker.call(OK)
        breaker.call(FAILED)

    assert breaker.circuit.state is State.OPEN


def test_what_is_older_than_the_window_is_forgotten() -> None:
    breaker = Breaker()
    breaker.call(FAILED, 9)

    breaker.now += 30
    breaker.call(FAILED, 9)

    assert breaker.circuit.state is State.CLOSED
    breaker.call(FAILED)
    assert breaker.circuit.state is State.OPEN


def test_a_window_rolls_on_in_tenths() -> None:
    window = Window(30)
    for second in range(60):
        window.add(second, failed=second % 2 == 0)

    attempts, failures = window.counts(59)

    assert (attempts, failures) == (30, 15)
    assert window.counts(60 + 26) == (3, 1)
    assert window.counts(60 + 30) == (0, 0)
    assert window.counts(10_000) == (0, 0)


def test_open_refuses_and_says_for_how_long() -> None:
    breaker = Breaker().opened()
    breaker.now += 3

    refusal = breaker.ask()

    assert refusal == Refusal(2.0, State.OPEN, FAILED)


def test_two_probes_are_let_through_and_close_it() -> None:
    breaker = Breaker().opened()
    breaker.now += 5

    first, second, third = breaker.ask(), breaker.ask(), breaker.ask()

    assert isinstance(first, Pass)
    assert isinstance(second, Pass)
    assert (first.probe, second.probe) == (True, True)
    assert third == Refusal(30.0, State.HALF_OPEN, FAILED)
    breaker.judge(first, OK)
    assert breaker.circuit.state is State.HALF_OPEN
    assert isinstance(breaker.ask(), Refusal)
    breaker.judge(second, OK)
    assert breaker.circuit.state is State.CLOSED
    assert breaker.passed().news is State.CLOSED
    assert breaker.passed().news is None


def test_a_probe_that_fails_opens_it_for_twice_as_long_up_to_the_most() -> None:
    breaker = Breaker().opened()
    waits = []

    for _ in range(5):
        refusal = breaker.ask()
        assert isinstance(refusal, Refusal)
        waits.append(refusal.retry_in_s)
        breaker.now += refusal.retry_in_s
        breaker.call(FAILED)

    assert waits == [5, 10, 20, 40, 40]


def test_after_a_recovery_it_opens_for_a_short_time_again() -> None:
    breaker = Breaker().opened()
    breaker.now += 5
    breaker.call(FAILED)
    breaker.now += 10
    breaker.call(OK, 2)
    breaker.now += 30

    breaker.call(FAILED, 10)

    assert breaker.ask() == Refusal(5.0, State.OPEN, FAILED)


def test_one_that_fails_again_at_once_had_not_recovered() -> None:
    breaker = Breaker().opened()
    breaker.now += 5
    breaker.call(OK, 2)
    breaker.now += 10

    breaker.call(FAILED, 10)

    assert breaker.ask() == Refusal(10.0, State.OPEN, FAILED)


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 2.5), (0.5, 3.75), (0.999, 4.9975)])
def test_it_opens_for_a_random_half_to_all_of_the_time(chance: float, expected: float) -> None:
    refusal = Breaker(chance=chance).opened().ask()

    assert isinstance(refusal, Refusal)
    assert refusal.retry_in_s == pytest.approx(expected)


@pytest.mark.parametrize(("asked", "expected"), [(2.0, 5.0), (20.0, 20.0), (3600.0, 40.0)])
def test_it_does_not_probe_before_the_api_asked_for_it(asked: float, expected: float) -> None:
    breaker = Breaker()
    breaker.call(replace(FAILED, retry_after_s=asked), 10)

    refusal = breaker.ask()

    assert isinstance(refusal, Refusal)
    assert refusal.retry_in_s == expected


@pytest.mark.parametrize("category", [c for c in Category if c not in HEALTH and c is not Category.OK])
def test_what_is_not_the_apis_fault_never_opens_it(category: Category) -> None:
    breaker = Breaker()

    breaker.call(Outcome(category=category, status=400), 1000)

    assert breaker.circuit.state is State.CLOSED


def test_what_is_not_the_apis_fault_does_not_hide_what_is() -> None:
    breaker = Breaker()

    breaker.call(REFUSED, 1000)
    breaker.opened()

    assert breaker.circuit.state is State.OPEN


def test_a_probe_that_is_refused_for_the_apps_fault_shows_that_the_api_answers() -> None:
    """Else a key that was revoked meanwhile would look like an outage for ever."""
    breaker = Breaker().opened()
    breaker.now += 5

    breaker.call(REFUSED, 2)

    assert breaker.circuit.state is State.CLOSED


def test_a_cancelled_probe_gives_its_place_to_another() -> None:
    breaker = Breaker().opened()
    breaker.now += 5
    probes = [breaker.passed(), breaker.passed()]

    for probe in probes:
        give_back(probe)

    breaker.call(OK, 2)
    assert breaker.circuit.state is State.CLOSED


def test_a_probe_that_never_comes_back_is_replaced() -> None:
    breaker = Breaker().opened()
    breaker.now += 5
    lost = [breaker.passed(), breaker.passed()]
    breaker.now += 29
    assert breaker.ask() == Refusal(1.0, State.HALF_OPEN, FAILED)

    breaker.now += 1
    breaker.call(OK, 2)

    assert breaker.circuit.state is State.CLOSED
    breaker.judge(lost[0], FAILED)  # after ten minutes, say
    assert breaker.circuit.state is State.CLOSED


def test_a_late_probe_still_counts_while_it_is_half_open() -> None:
    breaker = Breaker().opened()
    breaker.now += 5
    late = [breaker.passed(), breaker.passed()]
    breaker.now += 60

    for probe in late:
        breaker.judge(probe, OK)

    assert breaker.circuit.state is State.CLOSED


def test_attempts_sent_before_it_opened_say_nothing_of_the_probes() -> None:
    breaker = Breaker()
    under_way = [breaker.passed() for _ in range(20)]
    for given in under_way[:10]:
        breaker.judge(given, FAILED)
    breaker.now += 5
    probe = breaker.passed()

    for given in under_way[10:]:
        breaker.judge(given, FAILED)

    assert breaker.circuit.state is State.HALF_OPEN
    breaker.judge(probe, OK)
    breaker.call(OK)
    assert breaker.circuit.state is State.CLOSED


@pytest.mark.parametrize(
    ("outcome", "verdict"),
    [
        (OK, Verdict.GOOD),
        (FAILED, Verdict.BAD),
        (Outcome(category=Category.TIMEOUT), Verdict.BAD),
        (Outcome(category=Category.CONNECTION), Verdict.BAD),
        (REFUSED, Verdict.ANSWERED),
        (Outcome(category=Category.RATE_LIMIT, status=429), Verdict.ANSWERED),
        (Outcome(category=Category.AUTHENTICATION), Verdict.NOTHING),  # no credentials: nothing was sent
        (Outcome(category=Category.UNKNOWN), Verdict.NOTHING),
        (Outcome(category=Category.SERVER, error_code="circuit_open"), Verdict.NOTHING),
    ],
)
def test_an_outcome_is_judged_by_what_it_says_of_the_apis_health(outcome: Outcome, verdict: Verdict) -> None:
    assert verdict_of(outcome, counted=HEALTH) is verdict


# ── attempts on their way ─────────────────────────────────────────────────────────────────────────


def test_failures_that_come_back_before_the_answers_do_open_nothing() -> None:
    """A failure takes a moment and an answer seconds: of fifty sent at once the first ten to return have failed."""
    breaker = Breaker()
    sent = [breaker.passed() for _ in range(50)]
    breaker.now += 0.2
    for given in sent[:10]:
        breaker.judge(given, FAILED)
    breaker.now += 2
    for given in sent[10:]:
        breaker.judge(given, OK)

    assert breaker.circuit.state is State.CLOSED


def test_of_fifty_that_are_sent_at_once_half_must_fail() -> None:
    breaker = Breaker()
    sent = [breaker.passed() for _ in range(50)]
    breaker.now += 0.2
    opened = [breaker.judge(given, FAILED) for given in sent[:25]]

    assert opened.index(True) == 24


def test_attempts_that_hang_keep_no_circuit_closed_for_long() -> None:
    """In an outage of time-outs as many are on their way as come back in a minute."""
    breaker = Breaker()
    hanging = []
    for second in range(90):
        breaker.now += 1
        given = breaker.ask()
        if isinstance(given, Refusal):
            break
        hanging.append(given)
        if second >= 60:
            breaker.judge(hanging.pop(0), FAILED)

    assert breaker.circuit.state is State.OPEN
