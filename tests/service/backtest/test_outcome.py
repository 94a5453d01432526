"""What the rules would have told people, worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from alerts.conditions import Any as AnyCondition
from alerts.conditions import ErrorRate
from alerts.config import Config
from alerts.default_rules import DEFAULT_RULES
from alerts.matchers import parse_matcher
from alerts.routes import Route
from alerts.rules import Rule
from service.backtest import blocks
from service.backtest.as_json import as_json
from service.backtest.as_text import as_text
from service.backtest.running import Result, RuleSet, backtest
from service.backtest.sources import Source
from tests.support.events import NOON
from tests.support.logs import Wire, rejected, traffic, wire, write

AUTH = Rule(
    alert="Auth",
    condition=AnyCondition(),
    match=(parse_matcher('category="authentication"'),),
    keep_firing_for_s=60,
    labels={"severity": "page"},
)
RATE = Rule(
    alert="Rate",
    condition=ErrorRate(above=0.5, min_failed=3, window_s=60),
    keep_firing_for_s=30,
    labels={"severity": "ticket"},
)
CONFIG = Config()


def ruleset(*rules: Rule, config: Config = CONFIG, name: str = "new") -> RuleSet:
    return RuleSet(name=name, config=config, rules=rules)


def run(folder: Path, events: list[Wire], *rules: Rule, **options: Any) -> Result:
    return backtest([Source(write(folder / "log", events))], ruleset(*rules), **options)


def decoded(result: Result) -> Any:
    return json.loads(as_json(result))


# One rejected call at 100 s; calls get through again from 101 s, so it is kept from 102 s on, and over at 162 s.
OUTAGE = [*traffic(0, 100), rejected(100, request_id="req_1"), *traffic(101, 300)]


def test_an_alert_is_told_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    found = decoded(run(tmp_path, OUTAGE, AUTH))

    assert found["alerts"] == [
        {
            "labels": {"alertname": "Auth", "app": "shop", "severity": "page"},
            "startsAt": "2026-09-21T14:15:00.000Z",
            "endsAt": "2026-09-21T14:16:02.000Z",
            "resolve_reason": "recovered",
            "value": {"count": 1, "age_s": 0.0},
            "peak": {"count": 1, "age_s": 0.0},
            "fingerprint": found["alerts"][0]["fingerprint"],
            "episode": 1,
            "rule": "Auth/page",
            "rule_hash": AUTH.hash,
            "evidence": ["req_1"],
            "notifiedAt": "2026-09-21T14:15:00.000Z",
            "receivers": ["console"],
        }
    ]
    key = f"claxon/Auth/{found['alerts'][0]['fingerprint']}/1"
    about = {"receiver": "console", "labels": found["alerts"][0]["labels"], "dedup_key": key}
    assert found["notifications"] == [
        {"at": "2026-09-21T14:15:00.000Z", "status": "firing", "reason": "first notification"} | about,
        {"at": "2026-09-21T14:16:02.000Z", "status": "resolved", "reason": "all alerts resolved"} | about,
    ]


def test_the_head_says_what_was_read(tmp_path: Path) -> None:
    found = decoded(run(tmp_path, [*OUTAGE, wire(300, status=7)], AUTH))

    assert (found["events"], found["rejected"], found["duplicates"]) == (300, 1, 0)
    assert (found["from"], found["to"]) == ("2026-09-21T14:13:20.000Z", "2026-09-21T14:18:19.000Z")
    assert found["rules"] == [AUTH.hash]
    assert (found["pages"], found["firing"], found["pending"]) == (1, 0, 0)
    (of_rule,) = found["by_rule"]
    assert (of_rule["alerts"], of_rule["told"], of_rule["notifications"]) == (1, 1, 2)
    # One page in 299 s.
    assert of_rule["told_per_week"] == pytest.approx(7 * 86_400 / 299, abs=0.001)


def test_a_log_without_events_has_a_result(tmp_path: Path) -> None:
    result = run(tmp_path, [], AUTH)
    found = decoded(result)

    assert (found["events"], found["from"], found["until"], found["alerts"]) == (0, None, None, [])
    assert as_text(result).startswith("0 events\n")


def test_what_still_fires_at_the_end_has_no_end(tmp_path: Path) -> None:
    result = run(tmp_path, [*traffic(0, 100), rejected(100)], AUTH)
    found = decoded(result)

    assert [alert["endsAt"] for alert in found["alerts"]] == [None]
    assert found["firing"] == 1
    assert found["until"] == "2026-09-21T14:15:01.000Z"
    assert "still fires" in as_text(result)


def test_the_tail_lets_time_go_on(tmp_path: Path) -> None:
    """Nothing is sent any more: the key is silent for its hour, and its alert is closed, not resolved."""
    events = [*traffic(0, 100), rejected(100)]

    (before,) = decoded(run(tmp_path, events, AUTH, tail_s=3599))["alerts"]
    (after,) = decoded(run(tmp_path, events, AUTH, tail_s=3600))["alerts"]

    assert before["endsAt"] is None
    assert (after["endsAt"], after["resolve_reason"]) == ("2026-09-21T15:15:00.000Z", "stale")


def test_the_last_events_are_decided_without_a_tail_too(tmp_path: Path) -> None:
    """Two server errors in a row settle for 2 s, and would page 3 s after the last event."""
    events = [wire(0, status=500, call_id="a", final=True), wire(1.5, status=500, call_id="b", final=True)]

    found = decoded(run(tmp_path, events, *DEFAULT_RULES))

    assert [a["labels"]["alertname"] for a in found["alerts"]] == ["ClaudeConsecutiveServerErrors"]


def test_what_waits_for_its_for_is_counted(tmp_path: Path) -> None:
    waits = replace(RATE, hold_s=60)

    result = run(tmp_path, [*traffic(0, 5), *traffic(5, 50, status=400)], waits)

    assert (result.outcome.alerts, result.outcome.pending) == ([], 1)
    assert "1 more wait for their `for` at the end." in as_text(result)


def test_an_event_that_was_posted_twice_changes_nothing(tmp_path: Path) -> None:
    failures = [wire(100 + i, status=400, event_id=f"e{i}") for i in range(2)]
    once = run(tmp_path, [*failures, wire(103)], RATE)
    twice = run(tmp_path, [*failures, *failures, *failures, wire(103)], RATE)

    assert (once.outcome.alerts, twice.outcome.alerts) == ([], [])
    assert (once.duplicates, twice.duplicates) == (0, 4)


def test_the_order_of_the_file_is_the_order_of_arrival(tmp_path: Path) -> None:
    """A rejected call of ten minutes ago is heard of at the latest time so far, and fires then."""
    result = run(tmp_path, [*traffic(0, 700), rejected(100), *traffic(700, 720)], AUTH)

    assert [alert.starts_at - NOON for alert in result.outcome.alerts] == [699]
    assert result.outcome.alerts[0].value["age_s"] == 599


def test_a_log_out_of_order_is_remarked(tmp_path: Path) -> None:
    far_off = wire(50_000)

    assert "older than one before them" in run(tmp_path, [*traffic(0, 9), far_off, *traffic(9, 20)], AUTH).remarks[0]
    assert run(tmp_path, traffic(0, 20), AUTH).remarks == []


def test_routes_and_inhibit_rules_say_who_is_told(tmp_path: Path) -> None:
    config = Config(
        route=Route(receiver="tickets", routes=(Route(receiver="night", matchers=(parse_matcher("severity=page"),)),))
    )
    events = [*traffic(0, 5), *(wire(5 + i, status=400) for i in range(10))]
    page = replace(RATE, labels={"severity": "page"})

    result = backtest([Source(write(tmp_path / "log", events))], ruleset(page, RATE, config=config))

    assert [(a.severity, a.receivers) for a in result.outcome.alerts] == [("page", ["night"]), ("ticket", [])]
    assert "nobody" in as_text(result)


def test_pages_stand_first_in_the_text(tmp_path: Path) -> None:
    events = [*(wire(i, status=400, request_id=f"r{i}") for i in range(10)), *traffic(10, 60), rejected(60)]

    text = as_text(run(tmp_path, events, RATE, AUTH)).splitlines()

    assert [line.split()[0] for line in text[3:6]] == ["severity", "page", "ticket"]
    assert "3 of 3 failed" in text[5]
    assert "1 pages; 3 notifications, ends included." in text


def test_a_secret_in_a_label_is_blotted_out(tmp_path: Path) -> None:
    result = run(tmp_path, [rejected(0, environment="sk-ant-api03-hush\u202e\x1b[2J")], AUTH)

    for text in (as_text(result), as_json(result)):
        assert "sk-ant-***" in text
        assert "hush" not in text
    assert "\x1b" not in as_text(result)


@pytest.mark.parametrize("block", [1, 1000, 100_000])
def test_however_a_log_is_cut_the_decisions_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    """In one file or in three, in blocks of one event or of all: one chain of decisions."""
    events = [
        *traffic(0, 60),
        *traffic(60, 90, status=500),
        rejected(90),
        *traffic(91, 400),
        *traffic(400, 500, status=429),
    ]
    rules = ruleset(*DEFAULT_RULES)
    whole = backtest([Source(write(tmp_path / "whole", events))], rules).outcome
    parts = [write(tmp_path / f"{i}.zst", events[i::3]) for i in range(3)]
    monkeypatch.setattr(blocks, "BLOCK", block)

    cut = backtest([Source(path) for path in parts], rules).outcome

    assert whole.decided > 10
    assert (cut.ledger_hash, cut.decided) == (whole.ledger_hash, whole.decided)
    assert (cut.alerts, cut.notifications) == (whole.alerts, whole.notifications)
