"""alerts/default_rules.py: what pages, and what never does. Source: docs/reference/decisions.md, Defaults."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from claxon.event import Event
from claxon.taxonomy import Category

from alerts.default_rules import DEFAULT_RULES
from alerts.evaluator import Engine
from tests.support.events import NOON, absorbed, exhausted, make_event, success

MINUTE, HOUR = 60.0, 3600.0


def fired(events: Iterable[Event]) -> set[str]:
    """The rules that fire when each event is observed as it happens, within the hour after the last."""
    engine, found = Engine(DEFAULT_RULES), set()
    now = NOON
    for event in sorted(events, key=lambda event: event.at):
        now = event.at
        found |= {t.alert.rule for t in engine.observe([event], now).transitions if t.change.value == "fired"}
    found |= {t.alert.rule for t in engine.tick(now + HOUR).transitions if t.change.value == "fired"}
    return found


def traffic(*, every: float, until: float) -> list[Event]:
    """Calls that succeed."""
    return [success(NOON + 0.5 + i * every) for i in range(int(until / every))]


# ── never ────────────────────────────────────────────────────────────────────

NEVER = {
    "a single 429": lambda at: [absorbed(at, status=429)],
    "a single 429 that ended its call": lambda at: [exhausted(at, status=429)],
    "a lone 500": lambda at: [exhausted(at)],
    "a lone 529": lambda at: [exhausted(at, status=529)],
    "a lone timeout": lambda at: [make_event(now=at, error_type="APITimeoutError", final=True)],
    "a lone lost connection": lambda at: [make_event(now=at, error_type="APIConnectionError", final=True)],
    "a stream cut off": lambda at: [make_event(now=at, status=200, stream_end="truncated")],
    "a bad request": lambda at: [make_event(now=at, status=400)],
    "a 403": lambda at: [make_event(now=at, status=403)],
    "an unknown error": lambda at: [make_event(now=at, error_type="Unheard", status=418)],
    "a 500 that a retry heals": lambda at: [
        absorbed(at, call_id="one"),
        success(at + 1, call_id="one", attempt=2),
    ],
    "an absorbed 401": lambda at: [absorbed(at, status=401), success(at + 1, attempt=2)],
    "a 500 twice in one call": lambda at: [
        absorbed(at, call_id="one"),
        exhausted(at + 1, call_id="one", attempt=2),
    ],
    "two 500s on two paths": lambda at: [exhausted(at, path="/a"), exhausted(at + 1, path="/b")],
    "two 500s with a success between": lambda at: [exhausted(at), success(at + 1), exhausted(at + 2)],
    "two failures of two calls": lambda at: [exhausted(at, status=429), exhausted(at + 1, status=429)],
    "a hundred cancelled calls": lambda at: [
        make_event(now=at + i, error_type="cancelled", status=499) for i in range(100)
    ],
    "a refusal": lambda at: [success(at, stop_reason="refusal")],
}


@pytest.mark.parametrize("name", NEVER)
def test_this_tells_nobody(name: str) -> None:
    assert fired(NEVER[name](NOON + 100.5)) == set()


@pytest.mark.parametrize("name", NEVER)
def test_this_tells_nobody_among_other_calls_either(name: str) -> None:
    assert fired(traffic(every=7, until=600) + NEVER[name](NOON + 300.25)) == set()


def test_absorbed_errors_page_nobody_however_many_429s_there_are() -> None:
    """Across many organisations 429s are 5.6 % of the calls."""
    storm = [absorbed(NOON + 5 + i / 10, status=429, call_id=str(i % 50)) for i in range(500)]

    assert fired(traffic(every=1, until=120) + storm) == {"ClaudeRetryStorm/ticket"}


def test_one_percent_of_lone_500s_at_high_volume_pages_nobody() -> None:
    calls = traffic(every=0.2, until=600)
    failures = [exhausted(NOON + 10.1 + 20 * i) for i in range(29)]

    assert "page" not in {rule.partition("/")[2] for rule in fired(calls + failures) if "Exhausted" not in rule}


def test_nothing_at_all_is_told_of_a_healthy_app() -> None:
    assert fired(traffic(every=3, until=1800)) == set()


# ── always ───────────────────────────────────────────────────────────────────


def test_one_401_pages_at_once() -> None:
    assert fired([*traffic(every=1, until=60), make_event(now=NOON + 30.1, status=401)]) == {"ClaudeAuthError/page"}


@pytest.mark.parametrize(
    "fields",
    [
        {"status": 402},
        {"status": 429, "error_code": "enforced_spend_limit_reached"},
        {"status": 400, "error_code": "organization_on_hold"},
        {"status": 403, "error_code": "cmek_key_disabled", "final": False},
    ],
)
def test_a_blocked_account_pages_at_once(fields: dict[str, object]) -> None:
    assert fired([make_event(now=NOON + 1.5, **fields)]) == {"ClaudeAccountBlocked/page"}


@pytest.mark.parametrize("status", [500, 502, 503, 529])
def test_two_server_errors_in_a_row_of_two_calls_page(status: int) -> None:
    calls = [exhausted(NOON + s, status=status, call_id=f"{s}") for s in (100.5, 101.5)]

    assert fired([*traffic(every=10, until=90), *calls]) == {"ClaudeConsecutiveServerErrors/page"}


def test_an_overload_inside_a_stream_counts_as_a_server_error_too() -> None:
    broken = [
        make_event(now=NOON + s, status=200, stream_end="error_event", error_type="overloaded_error")
        for s in (1.5, 2.5)
    ]

    assert fired(broken) == {"ClaudeConsecutiveServerErrors/page"}


def test_the_total_outage_of_a_quiet_app_pages_after_three_calls() -> None:
    """A floor on traffic would hide it."""
    down = [make_event(now=NOON + 60.5 * i, error_type="APIConnectionError", final=True) for i in range(3)]

    assert "ClaudeErrorRate/page" in fired(down)


def test_over_5_percent_that_may_be_chance_is_a_ticket_and_no_page() -> None:
    calls = traffic(every=6, until=300)
    failures = [make_event(now=NOON + 20.1 + 60 * i, status=400) for i in range(4)]

    assert fired(calls + failures) == {"ClaudeErrorRate/ticket"}


def test_three_exhausted_calls_burn_the_budget_of_a_quiet_app() -> None:
    calls = [exhausted(NOON + 0.5 + i, status=429) for i in range(3)]

    assert {"ClaudeRetriesExhausted/page", "ClaudeRetriesExhausted/ticket"} <= fired(calls)


@pytest.mark.parametrize("category", sorted({*Category} - {Category.OK, Category.CANCELLED}))
def test_a_call_that_fails_counts_for_the_error_rate_whatever_its_category(category: str) -> None:
    calls = [make_event(now=NOON + 0.5 + i, error_type=category, final=True) for i in range(5)]

    assert {"ClaudeErrorRate/page", "ClaudeErrorRate/ticket"} <= fired(calls)


def test_every_rule_is_named_by_its_alert_and_severity() -> None:
    assert sorted(rule.id for rule in DEFAULT_RULES) == [
        "ClaudeAccountBlocked/page",
        "ClaudeAppSilent/ticket",
        "ClaudeAuthError/page",
        "ClaudeCallsParked/ticket",
        "ClaudeConsecutiveServerErrors/page",
        "ClaudeErrorRate/page",
        "ClaudeErrorRate/ticket",
        "ClaudeModelEndOfLife/ticket",
        "ClaudeRateLimitHeadroom/ticket",
        "ClaudeRetriesExhausted/page",
        "ClaudeRetriesExhausted/ticket",
        "ClaudeRetryStorm/ticket",
    ]
