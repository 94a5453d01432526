"""alerts/scenarios: a scenario that must fail does, and says what was expected, what was, and the numbers."""

from __future__ import annotations

import pytest
import yaml

from alerts.decisions import Decision, What
from alerts.inhibition import DEFAULT_INHIBIT_RULES
from alerts.matchers import parse_matcher
from alerts.routes import Route
from alerts.scenarios import Files, Setup, parse_scenarios, run, shown
from alerts.scenarios.check import differences
from alerts.scenarios.play import PAUSE_S, play
from service import clock

REJECTED = "{at: 1m, status: 401, app: shop}"
HEALED = "{at: 2m, status: 200, app: shop}"


def told(*, events: str, expect: str, more: str = "", files: Files | None = None) -> list[str]:
    """Return the differences of a scenario, each in one text."""
    text = f"name: x\nevents:\n  [{events}]\nexpect: [{expect}]\n{more}"
    (scenario,), problems = parse_scenarios(yaml.safe_load(text), files)
    assert problems == []
    return [
        " | ".join([f"{d.path[1]} {d.claim}", f"expected {d.expected}", f"was {d.was}", *d.numbers])
        for d in run(scenario)
    ]


# ── alerts at an instant ─────────────────────────────────────────────────────


def test_an_alert_that_should_not_fire_is_told_with_its_numbers() -> None:
    events = "{at: 0s, burst: 17, status: 200, app: shop}, {at: 0s, burst: 3, status: 400, app: shop}"

    assert told(events=events, expect="{at: 30s, firing: []}") == [
        (
            "0 at 30s: firing | expected nothing | was "
            'ClaudeErrorRate{app="shop", model="claude-sonnet-5", severity="ticket"} since 1s: '
            "3 of 20 calls failed in 5m (15 %; threshold 5 %)"
        )
    ]


def test_an_alert_that_should_fire_is_told_with_what_the_ledger_has_of_it() -> None:
    assert told(events=f"{REJECTED}, {HEALED}", expect="{at: 20m, firing: [{alertname: ClaudeAuthError}]}") == [
        (
            "0 at 20m: firing | expected ClaudeAuthError | was nothing"
            ' | kept at 2m1s: ClaudeAuthError{app="shop", severity="page"}: 1 attempt; one is enough'
            ' | resolved at 17m1s: ClaudeAuthError{app="shop", severity="page"}: recovered: 1 attempt; one is enough'
            ' | notified at 17m1s: ClaudeAuthError{app="shop", severity="page"}: '
            "all alerts resolved: on-call: 1 attempt; one is enough"
        )
    ]


def test_an_alert_with_other_numbers_is_not_the_one_that_was_expected() -> None:
    expect = "{at: 90s, firing: [{alertname: ClaudeAuthError, value: {count: 2}}]}"

    assert told(events=REJECTED, expect=expect)[0].startswith(
        "0 at 1m30s: firing | expected ClaudeAuthError with count=2 | "
        'was ClaudeAuthError{app="shop", severity="page"} since 1m: 1 attempt; one is enough'
    )


@pytest.mark.parametrize("value", ["{share: 0.1501}", "{share: 0.15, failed: 3}", "{share: 0.1495}"])
def test_shares_are_met_to_half_a_percent_and_counts_exactly(value: str) -> None:
    events = "{at: 0s, burst: 17, status: 200}, {at: 0s, burst: 3, status: 400}"

    assert told(events=events, expect=f"{{at: 30s, firing: [{{value: {value}}}]}}") == []


@pytest.mark.parametrize("value", ["{share: 0.151}", "{failed: 4}", "{nothing: 1}"])
def test_other_numbers_are_a_difference(value: str) -> None:
    events = "{at: 0s, burst: 17, status: 200}, {at: 0s, burst: 3, status: 400}"

    assert len(told(events=events, expect=f"{{at: 30s, firing: [{{value: {value}}}]}}")) == 1


def test_each_expected_alert_needs_one_of_its_own() -> None:
    """The first fits both, the second only one: the first must give way."""
    two = f"{REJECTED}, {{at: 1m, status: 401, app: chat}}"

    assert told(events=two, expect="{at: 2m, firing: [{alertname: ClaudeAuthError}, {app: shop}]}") == []
    assert told(events=two, expect="{at: 2m, firing: [{app: shop}, {alertname: ClaudeAuthError}]}") == []
    assert len(told(events=two, expect="{at: 2m, firing: [{app: shop}, {app: shop}]}")) == 1
    assert len(told(events=two, expect="{at: 2m, firing: [{app: shop}]}")) == 1
    assert len(told(events=REJECTED, expect="{at: 2m, firing: [{}, {}]}")) == 1


def test_nothing_is_pending_without_a_rule_that_waits() -> None:
    assert told(events=REJECTED, expect="{at: 2m, pending: [{app: shop}]}")[0].startswith(
        '0 at 2m: pending | expected {app="shop"} | was nothing'
    )


# ── what happens in a span ───────────────────────────────────────────────────


def test_an_alert_that_fires_at_another_time_is_told_with_its_own() -> None:
    expect = "{between: [2m, 3m], fires: {alertname: ClaudeAuthError, severity: page}}"

    assert told(events=REJECTED, expect=expect) == [
        (
            '0 between 2m and 3m: fires ClaudeAuthError{severity="page"} | expected at least 1 | '
            'was at 1m ClaudeAuthError{app="shop", severity="page"}: 1 attempt; one is enough'
            ' | fired at 1m: ClaudeAuthError{app="shop", severity="page"}: 1 attempt; one is enough'
            ' | notified at 1m: ClaudeAuthError{app="shop", severity="page"}: '
            "first notification: on-call: 1 attempt; one is enough"
        )
    ]


def test_an_alert_that_never_should_fire_is_told_with_its_time() -> None:
    assert told(events=REJECTED, expect="never: {alertname: ClaudeAuthError}") == [
        (
            "0 fires ClaudeAuthError | expected never | "
            'was at 1m ClaudeAuthError{app="shop", severity="page"}: 1 attempt; one is enough'
        )
    ]


def test_a_reason_that_is_another_one_is_a_difference() -> None:
    expect = "{at: 17m1s, resolves: {alertname: ClaudeAuthError, reason: stale}}"

    assert told(events=f"{REJECTED}, {HEALED}", expect=expect)[0].startswith(
        "0 at 17m1s: resolves ClaudeAuthError with reason=stale | expected at least 1 | "
        'was at 17m1s ClaudeAuthError{app="shop", severity="page"} (recovered): 1 attempt; one is enough | '
    )


@pytest.mark.parametrize(
    ("count", "said"),
    [
        ("exactly: 1", "exactly 1"),
        ("at_least: 3", "at least 3"),
        ("at_most: 1", "at most 1"),
        ("at_least: 3, at_most: 4", "3 to 4"),
        ("exactly: 0", "never"),
    ],
)
def test_a_count_that_is_not_met_says_how_many_there_must_be(count: str, said: str) -> None:
    two = f"{REJECTED}, {{at: 1m, status: 401, app: chat}}"

    (difference,) = told(events=two, expect=f"{{fires: {{}}, {count}}}")

    assert f"| expected {said} | was at 1m " in difference


# ── notifications ────────────────────────────────────────────────────────────


def test_notifications_that_differ_are_told_side_by_side() -> None:
    expect = """{notifications: [
        {at: 1m, status: firing, alertname: ClaudeAuthError, receiver: on-call},
        {between: [16m, 17m], status: resolved, annotations: {blame: account}}, {}]}"""

    assert told(events=f"{REJECTED}, {HEALED}", expect=expect) == [
        (
            "0 notifications | expected at 1m firing ClaudeAuthError to on-call; "
            "between 16m and 17m resolved any alert blame='account'; firing or resolved any alert | "
            'was at 1m firing ClaudeAuthError{app="shop", severity="page"} to on-call blame=\'key\'; '
            'at 17m1s resolved ClaudeAuthError{app="shop", severity="page"} to on-call blame=\'key\''
        )
    ]


@pytest.mark.parametrize(
    "wrong",
    ["{at: 2m}", "{status: resolved}", "{receiver: nobody}", "{app: chat}", "{annotations: {blame: nobody}}"],
)
def test_a_notification_that_differs_in_one_thing_is_a_difference(wrong: str) -> None:
    (difference,) = told(events=REJECTED, expect=f"{{notifications: [{wrong}], of: {{app: shop}}}}")

    assert difference.startswith('0 notifications of {app="shop"} | expected ')


def test_an_episode_counts_once_however_many_receivers_are_told() -> None:
    route = Route(
        receiver="a",
        routes=(
            Route(receiver="b", matchers=(parse_matcher('severity="page"'),), proceed=True),
            Route(receiver="c", matchers=(parse_matcher('severity="page"'),)),
        ),
    )
    files = Files(config=lambda _: Setup(route=route, inhibit_rules=DEFAULT_INHIBIT_RULES))
    expect = "{counts: {pages: 1, tickets: 0, resolves: 0}}, {notifications: [{receiver: b}, {receiver: c}]}"

    assert told(events=REJECTED, expect=expect, more="config: c.yml", files=files) == []


def test_counts_that_differ_are_told_with_the_notifications() -> None:
    assert told(events=REJECTED, expect="{counts: {pages: 2, tickets: 0}, of: {alertname: ClaudeAuthError}}") == [
        (
            "0 counts of ClaudeAuthError | expected pages 2, tickets 0 | "
            'was pages 1, tickets 0 (at 1m firing ClaudeAuthError{app="shop", severity="page"} to on-call)'
        )
    ]
    assert told(events=HEALED, expect="{counts: {pages: 1}}") == ["0 counts | expected pages 1 | was pages 0 (nothing)"]


# ── the ledger, and what is refused ──────────────────────────────────────────


def test_a_row_that_is_missing_is_told_with_those_of_its_kind() -> None:
    events = "{at: 0s, every: 10m, times: 5, status: 429, final: true, app: shop}"
    row = '{app="shop", environment="", model="claude-sonnet-5", path="/v1/messages"}: rate_limit: n=1'

    assert told(events=events, expect="{ledger: {what: lone_429, app: chat, note: rate}, at: 10m}") == [
        (
            '0 at 10m: ledger {app="chat", note="rate", what="lone_429"} | expected at least 1 | '
            f"was 0 (lone_429 at 0s: {row}; lone_429 at 10m: {row}; lone_429 at 20m: {row}; 2 more)"
        )
    ]


def test_an_event_that_is_refused_without_notice_is_a_difference() -> None:
    """A typo would make a scenario in which nothing happens, and nothing is what most of them expect."""
    assert told(events="{at: 20m, ahead: 10m, status: 401}", expect="never: {}") == [
        (
            "0 at 10m: the event | expected taken | "
            "was refused: time: 1767226800.0: at most 5 minutes ahead of the receiver's clock"
        )
    ]


def test_only_the_first_refusal_of_a_series_is_told() -> None:
    assert len(told(events="{at: 20m, every: 1s, times: 9, ahead: 10m, status: 401}", expect="never: {}")) == 1


def test_a_refusal_that_does_not_come_is_a_difference() -> None:
    assert told(events=HEALED, expect="{refused: ahead, exactly: 1}") == [
        "0 refused 'ahead' | expected exactly 1 | was nothing"
    ]
    assert told(events="{at: 20m, ahead: 10m}", expect="{refused: ahead, at: 5m}") == [
        (
            "0 at 5m: refused 'ahead' | expected at least 1 | "
            "was at 10m time: 1767226800.0: at most 5 minutes ahead of the receiver's clock"
        )
    ]


# ── what happens ─────────────────────────────────────────────────────────────


def test_the_failing_are_spread_evenly_and_always_the_same() -> None:
    events = "{at: 0s, every: 1s, times: 100, status: 200, failing: {share: 7%, status: 500, final: false}}"
    (scenario,), _ = parse_scenarios(yaml.safe_load(f"name: x\nevents: [{events}]\nexpect: [never: {{}}]"))

    absorbed = [d.at - scenario.start for d in play(scenario).decisions if d.what is What.ABSORBED]

    assert absorbed == [14, 28, 42, 57, 71, 85, 99]


def test_a_number_makes_calls_different_and_the_same_call_is_one() -> None:
    events = "{{at: 1s, every: 1s, times: 2, status: 500, call_id: {}}}"
    fires = "{fires: {alertname: ClaudeConsecutiveServerErrors}, exactly: 1}"

    assert told(events=events.format('"c{n}"'), expect=fires) == []
    assert len(told(events=events.format("c"), expect=fires)) == 1


def test_a_reset_that_is_a_duration_is_counted_from_each_event() -> None:
    limits = "{requests_limit: 10, requests_remaining: 1, requests_reset: 30s, tokens_reset: 5.5}"
    text = f"name: x\nevents: [{{at: 5s, every: 1s, times: 2, ratelimit: {limits}}}]\nexpect: [never: {{}}]"
    (scenario,), problems = parse_scenarios(yaml.safe_load(text))
    series = scenario.steps[0]

    made = [series.usual.make(n, 100.0 + n).ratelimit for n in (1, 2)]  # type: ignore[union-attr]

    assert problems == []
    assert [(m.requests_reset, m.tokens_reset) for m in made if m is not None] == [(131.0, 5.5), (132.0, 5.5)]


def test_what_is_asked_about_an_instant_at_which_claxon_is_down_is_how_it_ended() -> None:
    events = f"{REJECTED}, {{at: 90s, pause: 10m}}, {{at: 5m, status: 200, app: shop}}"

    assert told(events=events, expect="{at: 5m, firing: [{app: shop, value: {count: 1}}]}") == []
    assert told(events=events, expect="{at: 26m31s, resolves: {reason: recovered}}") == []


def test_an_event_that_is_known_by_its_id_counts_once_for_its_app() -> None:
    events = (
        "{{at: 1s, burst: 2, status: 401, app: shop, event_id: {0}}}, {{at: 1s, status: 401, app: chat, event_id: e1}}"
    )
    two = "{counts: {pages: 2}}, {at: 1s, fires: {app: shop, value: {count: 1}}}"

    assert (
        told(
            events=events.format("e1"),
            expect=f"{two}, {{at: 2s, firing: [{{app: shop, value: {{count: 1}}}}, {{app: chat}}]}}",
        )
        == []
    )
    assert (
        told(events=events.format('"e{n}"'), expect="{at: 2s, firing: [{app: shop, value: {count: 2}}, {app: chat}]}")
        == []
    )


def test_events_and_restarts_of_one_instant_happen_in_the_order_of_the_file() -> None:
    events = "{at: 1m, status: 401}, {at: 1m, restart: true}, {at: 1m, pause: 5m}, {at: 1m, status: 401}"

    assert told(events=events, expect="{at: 6m, firing: [{value: {count: 2, age_s: 0}}]}, {counts: {pages: 1}}") == []


def test_an_event_before_the_file_s_order_arrives_in_its_own() -> None:
    assert told(events=f"{HEALED}, {REJECTED}", expect="{at: 17m1s, resolves: {}}") == []


def test_a_pause_is_as_long_as_the_service_s_own() -> None:
    assert PAUSE_S == clock.PAUSE_S


def test_a_scenario_can_be_judged_from_its_record() -> None:
    text = f"name: x\nevents: [{REJECTED}]\nexpect: [never: {{}}]"
    (scenario,), _ = parse_scenarios(yaml.safe_load(text))

    assert differences(scenario, play(scenario)) == run(scenario) != []


def test_what_is_as_expected_is_no_difference() -> None:
    events = "{at: 1m, status: 429, final: true, app: shop}, {at: 20m, ahead: 10m, status: 401}"
    ledger = "{ledger: {what: lone_429, app: shop, note: rate}, at: 1m, exactly: 1}"
    refused = "{refused: ahead, between: [10m, 11m], exactly: 1}"

    assert told(events=events, expect=f"{ledger}, {refused}, {{counts: {{pages: 0}}}}, {{at: 2m, pending: []}}") == []


def test_a_row_of_the_ledger_is_told_with_whatever_it_has() -> None:
    bare = Decision(at=90.0, what=What.LATE)

    assert shown.row(bare, 30.0, None) == "late at 1m"
    assert shown.row(Decision(at=90.0, what=What.LATE, value={"age_s": 3600.0}), 30.0, None) == "late at 1m: age_s=3600"
