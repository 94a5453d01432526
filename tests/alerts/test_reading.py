"""alerts/evaluator.py: what the page, the API and /metrics read of an engine."""

from __future__ import annotations

import pytest

from alerts.conditions import Consecutive, ErrorRate
from alerts.evaluator import Engine
from alerts.lifecycle import Alert
from alerts.meters import meter_of
from alerts.rules import Rule
from tests.support.events import NOON, exhausted, success

RATE = Rule(alert="Rate", condition=ErrorRate())
ROW = Rule(alert="Row", condition=Consecutive(adaptive=False))


def outage(*rules: Rule) -> Engine:
    engine = Engine(rules)
    engine.observe([exhausted(NOON) for _ in range(5)], NOON)
    engine.tick(NOON + 10)
    return engine


def only(engine: Engine) -> Alert:
    (alert,) = engine.alerts()
    return alert


def test_an_alert_is_found_by_its_fingerprint() -> None:
    engine = outage(RATE)

    assert engine.find(only(engine).fingerprint) is only(engine)
    assert engine.find("0" * 16) is None


def test_an_alert_that_is_looked_at_shows_what_is_measured_now() -> None:
    """And nothing of it is remembered: an engine that was looked at decides like one that was not."""
    engine, other = outage(RATE), outage(RATE)
    for each in (engine, other):
        each.observe([success(NOON + 10) for _ in range(15)], NOON + 10)

    seen = engine.seen(only(engine))

    assert (seen.value["calls"], seen.value["share"]) == (20, 0.25)
    for each in (engine, other):
        each.tick(NOON + 7200)
    assert engine.ledger_hash == other.ledger_hash


@pytest.mark.parametrize("rule", [RATE, ROW], ids=["over", "of a run"])
def test_an_alert_that_is_over_or_of_a_run_is_shown_as_it_was_told(rule: Rule) -> None:
    engine = outage(rule)
    if rule is RATE:
        engine.tick(NOON + 7200)

    assert engine.seen(only(engine)) is only(engine)


def test_an_alert_without_evidence_is_shown_as_it_was_told() -> None:
    """Nobody has called for the length of the window."""
    engine = outage(RATE)
    engine.tick(NOON + 310)

    assert engine.firing() == [engine.seen(only(engine))]


def test_an_alert_of_a_rule_that_is_gone_is_shown_as_it_was_told() -> None:
    engine = outage(RATE)
    alert = only(engine)
    engine.replace_rules([], NOON + 11)

    assert engine.seen(alert) is alert


def test_the_last_hour_is_there_by_the_minute() -> None:
    engine = outage(RATE)
    engine.observe([success(NOON + 120), success(NOON + 121)], NOON + 121)

    minute = NOON // 60 * 60
    assert engine.history() == {("default", ""): [(minute, 5, 5), (minute + 120, 2, 0)]}
    assert engine.history({("default", "")}) == engine.history()
    assert engine.history({("another", "")}) == {}


def test_a_window_is_known_since_its_first_call() -> None:
    engine = outage(RATE)

    assert {k: 10 <= n <= 15 for k, n in engine.known(RATE).items()} == dict.fromkeys(engine.counts(RATE), True)
    engine.observe([success(NOON + 290)], NOON + 290)
    assert set(engine.known(RATE).values()) == {290}
    # Nobody calls any more: all of the window is known to be empty.
    engine.tick(NOON + 900)
    assert set(engine.known(RATE).values()) == {300}


def test_what_is_not_measured_is_decided_all_the_same() -> None:
    """A backtest needs no token counts."""
    measured, unmeasured = Engine([RATE]), Engine([RATE], measure=False)
    for engine in (measured, unmeasured):
        engine.observe([exhausted(NOON, tokens=100) for _ in range(5)], NOON)
        engine.tick(NOON + 10)

    totals = [next(iter(engine.state.totals.values())).requested for engine in (measured, unmeasured)]

    assert totals == [500, 0]
    assert measured.ledger_hash == unmeasured.ledger_hash
    assert measured.decided == unmeasured.decided > 0


def test_who_reads_changes_nothing_of_what_is_decided() -> None:
    """In the middle of a second, too: what was observed in it still settles when it is over."""
    read, unread = Engine([RATE, ROW]), Engine([RATE, ROW])
    for second in range(30):
        now = NOON + second
        late = success(now + 0.6, time=now - 1.7)
        for events in ([success(now + 0.2)], [exhausted(now + 0.4) for _ in range(second % 3)], [late]):
            for engine in (read, unread):
                engine.observe(events, events[-1].at if events and events[-1] is not late else now + 0.6)
            read.recent()
            read.watching()
            read.measures(RATE, most=10)
            read.measures(ROW, most=10)
    for engine in (read, unread):
        engine.tick(NOON + 7200)

    assert (read.ledger_hash, read.decided) == (unread.ledger_hash, unread.decided)
    assert read.decided > 0


def test_each_rule_says_how_many_keys_it_watches_and_what_it_measures_of_those_with_trouble() -> None:
    engine = outage(RATE, ROW)
    engine.observe([success(NOON + 10, app="quiet")], NOON + 10)
    engine.tick(NOON + 20)

    assert engine.watching() == {
        "Rate/page": 2,
        "Row/page": 2,
        "ClaxonRuleFailed/page": 0,
        "ClaxonKeysOverflow/ticket": 0,
    }
    assert engine.measures(RATE, most=5) == {("default", ""): {"failed": 5, "calls": 5, "share": 1.0}}
    assert engine.measures(RATE, most=0) == {}


def test_a_run_is_measured_as_it_goes_on_and_ends() -> None:
    engine = Engine([ROW])
    engine.observe([exhausted(NOON, call_id="a"), exhausted(NOON, call_id="a"), exhausted(NOON, call_id="b")], NOON)

    before = engine.measures(ROW, most=5)
    engine.observe([success(NOON + 5)], NOON + 5)
    engine.tick(NOON + 20)

    assert before == {("default", ""): {"streak": 2.0, "count": 2.0}}
    assert engine.measures(ROW, most=5) == {("default", ""): {"streak": 0.0, "count": 2.0}}


def test_what_cannot_be_measured_is_left_out() -> None:
    engine = outage(RATE)
    engine.state.series[meter_of(RATE)]["default", ""].windows.clear()

    assert engine.measures(RATE, most=5) == {}
