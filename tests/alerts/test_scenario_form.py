"""alerts/scenarios: what a file may say; every problem with its path, its value and a remedy."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from alerts.default_rules import AUTH_ERROR, DEFAULT_RULES
from alerts.errors import ConfigError
from alerts.inhibition import DEFAULT_INHIBIT_RULES
from alerts.routes import Route
from alerts.rules import Rule
from alerts.scenarios import Files, Scenario, Setup, parse_scenarios
from alerts.scenarios.form import START

GOOD = """
name: a promise
events: [{at: 0s, status: 500}]
expect: [{at: 1m, firing: []}]
"""


def read(text: str, files: Files | None = None) -> list[Scenario]:
    scenarios, problems = parse_scenarios(yaml.safe_load(text), files)
    assert problems == []
    return scenarios


def problems(text: str, files: Files | None = None) -> list[str]:
    return [f"{p.where}: {p.text}" for p in parse_scenarios(yaml.safe_load(text), files)[1]]


def with_event(event: str) -> str:
    return f"name: x\nevents: [{event}]\nexpect: [never: {{}}]"


def with_expectation(expectation: str) -> str:
    return f"name: x\nevents: [{{at: 0s}}]\nexpect: [{expectation}]"


# ── whole files ──────────────────────────────────────────────────────────────


def test_what_is_left_out_is_the_default() -> None:
    (scenario,) = read(GOOD)

    assert scenario.setup == Setup(rules=DEFAULT_RULES, inhibit_rules=DEFAULT_INHIBIT_RULES)
    assert scenario.start == START
    assert scenario.steps[0].usual.event.model == "claude-sonnet-5"  # type: ignore[union-attr]
    assert scenario.end == 120.0


def test_scenarios_of_a_file_share_what_stands_beside_them_and_may_say_otherwise() -> None:
    first, second = read("""
        rules: [ClaudeAuthError]
        start: 2026-03-01T00:00:00Z
        defaults: {app: shop, model: m}
        scenarios:
          - {name: a, events: [{at: 0s}], expect: [never: {}]}
          - {name: b, rules: [ClaudeErrorRate/page], defaults: {app: chat}, events: [{at: 0s}], expect: [never: {}]}
    """)

    assert [rule.id for rule in first.setup.rules] == ["ClaudeAuthError/page"]
    assert first.start == second.start == 1772323200.0
    assert [rule.id for rule in second.setup.rules] == ["ClaudeErrorRate/page"]


def test_a_rule_is_named_by_its_alert_or_by_alert_and_severity() -> None:
    (both,) = read(GOOD + "rules: [ClaudeErrorRate]")
    (one,) = read(GOOD + "rules: [ClaudeErrorRate/ticket]")

    assert [rule.id for rule in both.setup.rules] == ["ClaudeErrorRate/page", "ClaudeErrorRate/ticket"]
    assert [rule.id for rule in one.setup.rules] == ["ClaudeErrorRate/ticket"]


def test_other_files_are_read_by_who_can() -> None:
    def config(name: str) -> Setup:
        return Setup(route=Route(receiver=name))

    def rules(name: str) -> tuple[Rule, ...]:
        return (AUTH_ERROR,)

    (scenario,) = read(GOOD + "config: c.yml\nrule_files: [r.yml]", Files(config=config, rules=rules))

    assert scenario.setup.route.receiver == "c.yml"
    assert scenario.setup.rules == (AUTH_ERROR,)


def test_two_rule_files_may_not_define_the_same_rule() -> None:
    found = problems(GOOD + "rule_files: [a.yml, b.yml]", Files(rules=lambda _: (AUTH_ERROR,)))

    assert found == ["rule_files[1]: ClaudeAuthError/page: an earlier file has a rule of this name: rename one of them"]


def test_the_end_is_a_minute_after_the_last_event_or_expectation() -> None:
    assert [
        read(text)[0].end
        for text in (
            with_event("{at: 5m, late: 2m}"),
            with_event("{at: 5m, every: 1m, times: 3}"),
            with_event("{at: 5m, every: 1m, until: 8m}"),
            with_event("{at: 5m, observed_at: 9m}"),
            with_event("{at: 5m, pause: 1h}"),
            with_expectation("{between: [1m, 8m], fires: {}}"),
            with_expectation("{notifications: [{at: 4m, status: firing}]}"),
            with_expectation("{counts: {pages: 0}}"),
            with_expectation("{ledger: {what: late}, at: 3m, exactly: 0}"),
            with_expectation("{at: 10m, firing: []}") + "\nend: 20m",
        )
    ] == [480.0, 480.0, 480.0, 600.0, 3960.0, 540.0, 300.0, 60.0, 240.0, 1200.0]


FILE_PROBLEMS = {
    "{}": [": empty: expected a scenario: name, events, expect"],
    "- 1": [": [1]: expected a scenario: name, events, expect"],
    "scenarios: 1": ["scenarios: 1: expected a list of scenarios"],
    "scenarios: [1]": ["scenarios[0]: 1: expected a scenario: name, events, expect"],
    "name: x": [
        ": events: missing: write what happens, such as events: [{at: 0s, status: 500}]",
        ": expect: missing: write what must be so, such as expect: [{at: 1m, firing: []}]",
    ],
    "name: 5\nevents: []\nexpect: []": [
        "events: none: write at least one, such as {at: 0s, status: 500}",
        "expect: none: write at least one, such as {at: 1m, firing: []}",
        "name: 5: expected a text: put it in quotes",
    ],
    GOOD + "evnts: []": [
        (
            "evnts: not known here: one of name, description, events, end, expect, config, rule_files, rules, "
            "start, defaults"
        )
    ],
    GOOD + "rules: [ClaudeErorRate]": [
        "rules[0]: 'ClaudeErorRate': no such rule: one of ClaudeAuthError, ClaudeAccountBlocked, "
    ],
    GOOD + "rules: all": ["rules: all: expected a list of rules, or their names"],
    GOOD + "rule_files: [r.yml]": ["rule_files[0]: 'r.yml': no file can be read here: name rules instead"],
    GOOD + "rule_files: r.yml": ["rule_files: r.yml: expected a list of rule files"],
    GOOD + "config: c.yml": ["config: 'c.yml': no file can be read here: name rules instead"],
    GOOD + "config: 1": ["config: 1: expected a text: put it in quotes"],
    GOOD + "start: 2026-01-01": [
        "start: 2026-01-01: write a whole second with a time zone, such as 2026-01-01T00:00:00Z"
    ],
    GOOD + "start: 2026-01-01T00:00:00": ["start: 2026-01-01 00:00:00: write a whole second with a time zone"],
    GOOD + "start: soon": ["start: soon: write a whole second with a time zone"],
    GOOD + "start: '2026-01-01T00:00:00.5Z'": ["start: 2026-01-01T00:00:00.5Z: write a whole second with a time zone"],
    GOOD + "end: 3": ["end: 3: not a duration: write a number and a unit, such as 0.5s, 30s, 5m"],
    GOOD + "end: 30s": ["end: 1m is the last event or expectation: end no earlier"],
    GOOD + "defaults: {staus: 5}": ["defaults.staus: no field of an event: one of app, environment, path, model"],
    "scenarios: [&a {name: a, events: [{at: 0s}], expect: [never: {}]}, *a]": [
        "scenarios[1].name: 'a': used twice: give each scenario a name of its own"
    ],
    "scenarios: []\nname: x": ["name: not known here: one of config, rule_files, rules, start, defaults, scenarios"],
}


@pytest.mark.parametrize("text", FILE_PROBLEMS)
def test_a_problem_of_a_file_has_path_value_and_remedy(text: str) -> None:
    found = problems(text)

    assert len(found) == len(FILE_PROBLEMS[text]), found
    assert [said.startswith(start) for said, start in zip(found, FILE_PROBLEMS[text], strict=True)] == [True] * len(
        found
    ), found


# ── events ───────────────────────────────────────────────────────────────────

EVENT_PROBLEMS = {
    "{}": "events[0]: empty: expected a mapping, such as {at: 0s, status: 500}",
    "5": "events[0]: 5: expected a mapping, such as {at: 0s, status: 500}",
    "{status: 500}": "events[0]: at: missing: write when the attempt ended, such as at: 30s",
    "{at: 5}": "events[0].at: 5: not a duration: write a number and a unit, such as 0.5s, 30s, 5m",
    "{at: 5 m}": "events[0].at: '5 m': not a duration: write numbers and units, such as 0.5s, 30s, 5m, 1h30m",
    "{at: 0s, stats: 500}": "events[0].stats: no field of an event: one of app, environment, path, model",
    "{at: 0s, time: 5}": "events[0].time: no field of an event: one of app,",
    "{at: 0s, status: 9000}": "events[0].status: 9000: expected an integer from 100 to 599",
    "{at: 0s, app: 5}": "events[0].app: 5: expected a string of 1 to 64 characters",
    "{at: 0s, ratelimit: {requests_limit: x}}": "events[0].ratelimit: {'requests_limit': 'x'}: expected an object of",
    "{at: 0s, ratelimit: {requests_reset: soon}}": "events[0].ratelimit.requests_reset: 'soon': not a duration",
    "{at: 0s, attempt: 3, max_attempts: 2}": "events[0].max_attempts: max_attempts: 2: at least attempt, which is 3",
    "{at: 0s, until: 5m}": "events[0].until: without every: write how far apart the events are, such as every: 3s",
    "{at: 0s, every: 3s}": "events[0]: write exactly one of until, times",
    "{at: 0s, every: 3s, until: 5m, times: 3}": "events[0]: until and times: write exactly one of until, times",
    "{at: 0s, every: 3, times: 3}": "events[0].every: 3: not a duration",
    "{at: 0s, every: 0s, times: 3}": "events[0].every: more than 0s; for several events at once write burst",
    "{at: 0s, every: 3s, until: 5 m}": "events[0].until: '5 m': not a duration",
    "{at: 5m, every: 3s, until: 5m}": "events[0].until: not after at, so there is no event: write a later instant",
    "{at: 0s, every: 3s, times: 0}": "events[0].times: 0: expected a whole number from 1",
    "{at: 0s, burst: true}": "events[0].burst: True: expected a whole number from 1",
    "{at: 0s, every: 1s, times: 1000001}": "events[0]: 1000001 events: at most 1000000: write fewer, or further apart",
    "{at: 0s, late: 1m, ahead: 1m}": "events[0]: late and ahead: write one of them",
    "{at: 0s, failing: {status: 500}}": "events[0].failing: share: missing: write which part",
    "{at: 0s, failing: {share: 5, status: 500}}": "events[0].failing.share: 5: write a share over 0 and up to 1",
    "{at: 0s, failing: {share: x}}": "events[0].failing.share: x: write a share over 0 and up to 1",
    "{at: 0s, failing: {share: .inf}}": "events[0].failing.share: inf: write a share over 0 and up to 1",
    "{at: 0s, failing: {share: 5%, state: 5}}": "events[0].failing.state: no field of an event",
    "{at: 0s, restart: yes please}": "events[0].restart: yes please: expected true",
    "{at: 0s, restart: true, status: 500}": "events[0].status: not known here: one of at, restart, pause",
}


@pytest.mark.parametrize("event", EVENT_PROBLEMS)
def test_a_problem_of_an_event_has_path_value_and_remedy(event: str) -> None:
    found = problems(with_event(event))

    assert len(found) == 1, found
    assert found[0].startswith(EVENT_PROBLEMS[event]), found


def test_two_events_that_contradict_the_defaults_are_told_at_the_event() -> None:
    text = "name: x\ndefaults: {max_attempts: 2}\nevents: [{at: 0s, attempt: 3}]\nexpect: [never: {}]"

    assert problems(text) == ["events[0]: max_attempts: 2: at least attempt, which is 3"]


def test_a_null_takes_a_default_away() -> None:
    (scenario,) = read(
        "name: x\ndefaults: {max_attempts: 2}\nevents: [{at: 0s, max_attempts: null}]\nexpect: [never: {}]"
    )

    assert scenario.steps[0].usual.event.max_attempts is None  # type: ignore[union-attr]


# ── expectations ─────────────────────────────────────────────────────────────

EXPECTATION_PROBLEMS = {
    "{}": "expect[0]: empty: expected a mapping, such as {at: 1m, firing: []}",
    "{counts: {}}": "expect[0].counts: empty: expected a mapping, such as {pages: 1, resolves: 1}",
    "5": "expect[0]: 5: expected a mapping, such as {at: 1m, firing: []}",
    "{at: 1m}": "expect[0]: write exactly one of firing, pending, fires, resolves, never, notifications, counts",
    "{at: 1m, firing: [], pending: []}": "expect[0]: firing and pending: write exactly one of firing,",
    "{firing: []}": "expect[0]: at: missing: write when exactly these are firing, such as at: 5m",
    "{at: 1m, firing: {}}": "expect[0].firing: {}: expected a list of alerts; [] is none",
    "{at: 1m, firing: [5]}": "expect[0].firing[0]: 5: expected a mapping of labels, such as",
    "{at: 1m, firing: [], exactly: 1}": "expect[0].exactly: not known here: one of firing, at",
    "{at: 1m, fires: {}, between: [1m, 2m]}": "expect[0]: at and between: write one of them",
    "{fires: {}, between: [3m, 2m]}": "expect[0].between: ['3m', '2m']: write two instants, the earlier first",
    "{fires: {}, between: [3m]}": "expect[0].between: ['3m']: write two instants, the earlier first",
    "{fires: {}, between: 3m}": "expect[0].between: 3m: expected two instants, such as [2m, 3m]",
    "{fires: {}, exactly: 1, at_least: 1}": "expect[0].exactly: with at_least or at_most: write one of them",
    "{fires: {}, at_least: -1}": "expect[0].at_least: -1: expected a whole number from 0",
    "{fires: {app: 5}}": "expect[0].fires.app: 5: expected a text: put it in quotes",
    "{fires: {value: {failed: x}}}": "expect[0].fires.value.failed: x: expected a number",
    "{fires: {alertname: ClaudErrorRate}}": (
        "expect[0].fires: alertname: ClaudErrorRate: no rule of this scenario is called so"
    ),
    "{never: {alertname: ClaudeAuthError, model: m}}": (
        "expect[0].never: no rule of this scenario makes an alert with all these labels: they make "
        "severity=page, app=…, environment=…"
    ),
    "{never: {severity: pager}}": "expect[0].never: no rule of this scenario makes an alert with all these labels",
    "{notifications: 5}": "expect[0].notifications: 5: expected a list of notifications; [] is none",
    "{notifications: [5]}": "expect[0].notifications[0]: 5: expected a mapping, such as",
    "{notifications: [{status: open}]}": "expect[0].notifications[0].status: open: one of firing, resolved",
    "{notifications: [{annotations: {blame: 5}}]}": "expect[0].notifications[0].annotations.blame: 5: expected a text",
    "{notifications: [], of: {app: 5}}": "expect[0].of.app: 5: expected a text",
    "{counts: {page: 1}}": "expect[0].counts.page: not known here: one of pages, tickets, resolves",
    "{counts: 5}": "expect[0].counts: 5: expected a mapping, such as {pages: 1, resolves: 1}",
    "{ledger: {what: lone}}": "expect[0].ledger.what: what: lone: one of pending, calmed, fired,",
    "{ledger: {app: shop}}": "expect[0].ledger: what: : one of pending, calmed, fired,",
    "{refused: ''}": "expect[0].refused: : expected a text: put it in quotes",
}


@pytest.mark.parametrize("expectation", EXPECTATION_PROBLEMS)
def test_a_problem_of_an_expectation_has_path_value_and_remedy(expectation: str) -> None:
    found = problems(with_expectation(expectation))

    assert len(found) == 1, found
    assert found[0].startswith(EXPECTATION_PROBLEMS[expectation]), found


def test_an_alert_about_claxon_itself_may_be_expected() -> None:
    read(with_expectation("{never: {alertname: ClaxonRuleFailed}}"))


def test_a_label_that_a_rule_does_not_split_by_is_no_alerts() -> None:
    """`never` with a label that no alert can have would hold for ever."""
    assert len(problems(with_expectation("{never: {alertname: ClaudeErrorRate, path: /v1/messages}}"))) == 1


def test_every_problem_of_a_file_is_told_at_once() -> None:
    found: list[Any] = problems(
        "name: 5\nevents: [{at: x}, {status: y}]\nexpect: [{}, {at: z, firing: []}]\nrules: [Nope]"
    )

    assert len(found) == 7, found


def test_an_error_of_a_file_that_is_named_is_a_problem_of_the_line_that_names_it() -> None:
    def broken(name: str) -> Setup:
        raise ConfigError(f"{name}:3: broken")

    assert problems(GOOD + "config: c.yml", Files(config=broken)) == ["config: c.yml:3: broken"]


def test_rules_may_be_written_in_the_scenario_itself_beside_names() -> None:
    (scenario,) = read(
        GOOD
        + "rules: [{alert: Mine, any: {}, labels: {severity: ticket}}, ClaudeErrorRate/page, {alert: Other, any: {}}]"
    )

    assert [rule.id for rule in scenario.setup.rules] == ["ClaudeErrorRate/page", "Mine/ticket", "Other/page"]


def test_a_problem_of_a_rule_in_a_scenario_has_its_place() -> None:
    assert problems(GOOD + "rules: [ClaudeErrorRate, {alert: Mine, any: {}}, {alert: X, error_rate: {above: x}}]") == [
        "rules[2].error_rate.above: 'x': not a share: write a share such as 5% or 0.05"
    ]


def test_a_rule_is_either_named_or_written() -> None:
    assert problems(GOOD + "rules: [ClaudeAuthError, {alert: ClaudeAuthError, any: {}, labels: {severity: page}}]") == [
        "rules[1]: ClaudeAuthError/page: named in this list too: leave one of them out"
    ]


def test_a_date_need_not_be_in_quotes() -> None:
    (scenario,) = read("name: x\ndefaults: {model_end_of_life: 2026-02-01}\nevents: [{at: 0s}]\nexpect: [never: {}]")

    assert scenario.steps[0].usual.event.model_end_of_life == "2026-02-01"  # type: ignore[union-attr]


def test_a_rule_that_is_not_known_is_told_once() -> None:
    assert len(problems("name: x\nrules: [Nope]\nevents: [{at: 0s}]\nexpect: [never: {alertname: Nope}]")) == 1
