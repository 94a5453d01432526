"""alerts/evaluator.py: cases that once went wrong, or easily do; random logs are in test_oracle_properties.py."""

from __future__ import annotations

from dataclasses import replace

import pytest
from claxon.event import Event

from alerts.budgets import Tier
from alerts.conditions import Any, Budget, Consecutive, ErrorRate
from alerts.default_rules import CONSECUTIVE_SERVER_ERRORS, DEFAULT_RULES, ERROR_RATE_TICKET
from alerts.evaluator import Engine
from alerts.matchers import parse_matcher
from alerts.rules import Rule
from tests.support.events import NOON, exhausted, make_event, provisional, success
from tests.support.oracle import CHANGES, Moment, differences, engine_changes, oracle

HOUR = 3600


def told(log: list[Moment], *rules: Rule) -> list[tuple[str, float, str]]:
    """What changed, by alert: (change, seconds after noon, reason); the oracle agrees."""
    rules = rules or DEFAULT_RULES
    changes = engine_changes(Engine(rules), log)
    assert differences(changes, oracle(rules, log)) == []
    return [(c.change, c.at - NOON, c.reason) for several in changes.values() for c in several]


def at(seconds: float, *events: Event) -> Moment:
    return Moment(NOON + seconds, list(events))


def failures(seconds: float, n: int, *, late: float = 0.0, **fields: object) -> Moment:
    return at(seconds, *(exhausted(NOON + seconds, time=NOON + seconds - late, **fields) for _ in range(n)))


def ok(seconds: float, n: int = 1, *, late: float = 0.0) -> Moment:
    return at(seconds, *(success(NOON + seconds, time=NOON + seconds - late) for _ in range(n)))


# ── silence ──────────────────────────────────────────────────────────────────


def test_a_burnt_budget_of_a_silent_app_is_closed_once_and_does_not_come_back() -> None:
    """Its long windows hold the failures for days, and nobody has failed since."""
    log = [failures(0.5, 5), at(100 * HOUR)]

    for name, changes in engine_changes(Engine(DEFAULT_RULES), log).items():
        assert [c.change for c in changes] == ["fired", "resolved"], name
        assert changes[-1].reason in ("stale", "recovered")


def test_an_alert_whose_keeping_ends_in_an_empty_window_is_closed_as_stale() -> None:
    """The end of `keep_firing_for` passes without evidence; the hour of silence still comes."""
    log = [failures(0.5, 3, late=2), ok(1.5, 20), ok(8, 200), at(3 * HOUR)]

    assert told(log, ERROR_RATE_TICKET)[-1][0] == "resolved"


def test_three_failures_in_two_buckets_of_a_silent_app_are_closed_as_stale() -> None:
    log = [at(0, *(exhausted(NOON, time=NOON - late) for late in (0.25, 0, 0))), at(3 * HOUR)]

    assert told(log, ERROR_RATE_TICKET) == [("fired", 1, ""), ("resolved", HOUR, "stale")]


def test_old_failures_that_arrive_late_begin_nothing() -> None:
    assert told([failures(0.5, 5, late=2 * HOUR), at(10)]) == []


def test_a_success_after_an_hour_of_silence_does_not_bring_a_closed_alert_back() -> None:
    log = [failures(0.5, 3), at(2 * HOUR), ok(2 * HOUR + 0.5), at(3 * HOUR)]

    assert [change for change, *_ in told(log, CONSECUTIVE_SERVER_ERRORS)] == ["fired", "resolved"]


def test_a_failure_after_an_hour_of_silence_waits_for_successes_before_it_like_any_other() -> None:
    log = [failures(0.5, 2), failures(2 * HOUR + 0.5, 1), ok(2 * HOUR + 1.5, late=1.25), at(2 * HOUR + 60)]

    assert [change for change, *_ in told(log, CONSECUTIVE_SERVER_ERRORS)] == ["fired", "resolved"]


# ── runs ─────────────────────────────────────────────────────────────────────


def test_a_run_that_is_over_when_it_is_met_is_kept_from_the_next_second_on() -> None:
    log = [at(0.5, *failures(0.5, 2, late=0.5).events, *ok(0.5).events), at(HOUR)]

    assert told(log, CONSECUTIVE_SERVER_ERRORS) == [("fired", 3, ""), ("resolved", 904, "recovered")]


def test_a_run_that_is_over_when_it_is_met_is_pending_for_one_second() -> None:
    held = Rule(alert="Held", condition=Consecutive(adaptive=False), hold_s=10)
    log = [at(0.5, *failures(0.5, 2, late=0.5).events, *ok(0.5).events), at(HOUR)]

    assert told(log, held) == [("pending", 3, ""), ("calmed", 4, "")]


def test_late_failures_before_the_newest_settled_success_are_passed_over() -> None:
    """The last success of a key that has been quiet since has settled too."""
    log = [ok(0.5), ok(10.5), failures(60.5, 2, late=55), at(120)]

    assert told(log, CONSECUTIVE_SERVER_ERRORS) == []


def test_a_run_that_was_too_short_for_a_busy_day_is_not_long_because_the_day_went_by() -> None:
    """The count falls while nothing fails; only a fresh failure can meet it."""
    busy = [at(10 * i, *failures(10 * i, 1, late=1).events, *ok(10 * i, 99).events) for i in range(150)]
    three = [failures(84_400.5 + 10 * i, 1) for i in range(3)]
    log = [*busy, *three, ok(87_900.5, late=3495), at(88_000)]

    assert told(log, CONSECUTIVE_SERVER_ERRORS) == []


def test_a_clump_of_a_thousand_failures_is_one_run() -> None:
    log = [failures(0.5, 1000), failures(1.5, 1000), ok(10.5), at(HOUR)]

    assert [change for change, *_ in told(log, CONSECUTIVE_SERVER_ERRORS)] == ["fired", "resolved"]


def test_attempts_of_one_call_are_one_failure() -> None:
    same = [exhausted(NOON + 0.5, call_id="one", attempt=n) for n in (1, 2, 3)]

    assert told([at(0.5, *same), at(HOUR)], CONSECUTIVE_SERVER_ERRORS) == []


# ── shares ───────────────────────────────────────────────────────────────────


def test_a_share_that_is_the_limit_is_not_over_it() -> None:
    """0.29 * 100 is 28.999999999999996."""
    rule = Rule(alert="Share", condition=ErrorRate(above=0.29))
    log = [at(0.5, *failures(0.5, 29).events, *ok(0.5, 71).events), at(10)]

    assert told(log, rule) == []


def test_no_keeping_resolves_at_the_first_second_that_does_not_hold() -> None:
    rule = Rule(alert="Share", condition=ErrorRate(window_s=60), keep_firing_for_s=0)
    log = [failures(0.5, 3), ok(10.5, 200), at(HOUR)]

    assert told(log, rule) == [("fired", 1, ""), ("resolved", 11, "recovered")]


def test_a_sure_share_waits_pending_only_while_it_is_sure() -> None:
    rule = Rule(alert="Sure", condition=ErrorRate(confidence=0.99), hold_s=60)
    log = [failures(0.5, 4), ok(30.5, 70), at(120)]

    assert told(log, rule) == [("pending", 1, ""), ("calmed", 31, "")]


def test_a_plain_count_fires_over_its_maximum_and_not_at_it() -> None:
    rule = Rule(alert="Count", condition=Budget(max_count=3, window_s=600))

    assert told([failures(0.5, 3), at(10)], rule) == []
    assert told([failures(0.5, 4), at(10)], rule) == [("fired", 1, "")]


SURE_BURN = Rule(
    alert="SureBurn",
    condition=Budget(objective=0.9, tiers=(Tier(burn=2, long_s=600, short_s=60),), confidence=0.99),
    keep_firing_for_s=0,
)


def test_a_sure_burn_begins_only_when_neither_window_is_chance() -> None:
    """Over 20 %: 3 of 12 may be chance, 8 of 12 in the short window are not."""
    literal = replace(SURE_BURN, condition=replace(SURE_BURN.condition, confidence=None))
    by_chance = [ok(0.5, 9), failures(0.6, 3), at(10)]

    assert told(by_chance, literal) == [("fired", 1, "")]
    assert told(by_chance, SURE_BURN) == []
    assert told([*by_chance, failures(70.5, 8), ok(70.6, 4), at(80)], SURE_BURN) == [("fired", 71, "")]


def test_a_sure_burn_does_not_begin_on_a_short_window_of_chance() -> None:
    """Half of the long window is sure; one of three in the short one is not."""
    literal = replace(SURE_BURN, condition=replace(SURE_BURN.condition, confidence=None))
    before = [*failures(100.5, 30, late=90).events, *ok(100.5, 30, late=90).events]
    log = [at(100.5, *before, *failures(100.5, 1).events, *ok(100.5, 2).events), at(110)]

    assert told(log, literal) == [("fired", 101, "")]
    assert told(log, SURE_BURN) == []


def test_a_sure_burn_goes_on_while_the_literal_rates_do() -> None:
    log = [failures(0.5, 8), ok(1.5, 31), ok(2.5, 20), at(10)]

    assert told(log, SURE_BURN) == [("fired", 1, ""), ("resolved", 3, "recovered")]


# ── taken back ───────────────────────────────────────────────────────────────


def retry(seconds: float, attempt: int, *, late: float = 0.0, **fields: object) -> Event:
    now = NOON + seconds
    return provisional(now, time=now - late, call_id="one", attempt=attempt, **fields)


def test_a_failure_that_a_later_attempt_takes_back_is_no_failed_call() -> None:
    fails = [retry(0.5, 1), *failures(0.5, 2).events]

    assert told([at(0.5, *fails), at(10)], ERROR_RATE_TICKET) == [("fired", 1, "")]
    assert told([at(0.5, *fails), at(0.75, retry(0.75, 2, status=200)), at(10)], ERROR_RATE_TICKET) == []


def test_the_same_attempt_posted_twice_is_taken_back_twice() -> None:
    log = [at(0.5, retry(0.5, 1), retry(0.5, 1), *failures(0.5, 2).events), at(0.75, retry(0.75, 2, status=200))]

    assert told([*log, at(10)], ERROR_RATE_TICKET) == []


def test_what_is_taken_back_after_it_has_left_the_window_hides_no_failure() -> None:
    log = [
        at(0.5, retry(0.5, 1), retry(0.5, 1), retry(0.5, 1), *ok(0.5, 100).events),
        failures(310.5, 1),
        at(320.5, retry(320.5, 2, status=200)),
        failures(330.5, 2),
        at(340),
    ]

    assert ("fired", 331, "") in told(log, ERROR_RATE_TICKET)


def test_a_tick_does_not_decide_how_long_a_call_is_remembered() -> None:
    """A call is forgotten 10 min after it was last heard of, at whole minutes."""
    minute = 60 - NOON % 60
    log = [
        at(minute + 80.5, *(retry(minute + 80.5, 1) for _ in range(3))),
        at(minute + 705, retry(minute + 705, 2, status=200)),
        at(minute + 900),
    ]
    week = Rule(alert="Week", condition=ErrorRate(above=0.5, window_s=604_800), keep_firing_for_s=0)

    assert told([log[0], at(minute + 665), *log[1:]], week) == told(log, week)


# ── any ──────────────────────────────────────────────────────────────────────


AUTH = Rule(alert="Auth", condition=Any(), match=(parse_matcher('category="authentication"'),))


def rejected(seconds: float, *, late: float = 0.0) -> Moment:
    now = NOON + seconds
    return at(seconds, make_event(now=now, status=401, time=now - late))


def test_a_rejected_key_fires_when_it_is_observed_and_not_on_the_grid() -> None:
    assert told([rejected(0.25), at(10)], AUTH) == [("fired", 0.25, "")]


def test_a_late_rejection_fires_unless_it_is_older_than_stale_after() -> None:
    assert told([rejected(0.5, late=HOUR - 1)], AUTH) == [("fired", 0.5, "")]
    assert told([rejected(0.5, late=HOUR), at(10)], AUTH) == []


def test_a_key_whose_every_call_is_rejected_keeps_firing() -> None:
    log = [rejected(60.5 * i) for i in range(100)]

    assert told(log, AUTH) == [("fired", 0, "")]


def test_the_first_call_that_gets_through_starts_the_keeping() -> None:
    log = [rejected(0.5), ok(100.5), at(HOUR)]

    assert told(log, AUTH) == [("fired", 0.5, ""), ("resolved", 1001, "recovered")]


def test_every_change_that_the_oracle_tells_is_a_change_of_the_engine() -> None:
    from alerts.lifecycle import Change

    assert set(CHANGES) <= {change.value for change in Change}


# ── bounds ───────────────────────────────────────────────────────────────────


def test_keys_over_the_limit_share_one_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alerts.keyring.MAX_KEYS", 2)
    engine = Engine([AUTH])

    step = engine.observe([make_event(now=NOON, status=401, app=f"app-{i}") for i in range(5)], NOON)

    fired = sorted(t.alert.labels["app"] for t in step.transitions)
    assert fired == ["(overflow)", "app-0", "app-1"]
    assert engine.state.overflowed == 3
