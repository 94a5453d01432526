"""alerts/config_*.py: what Alertmanager's settings mean, and which are not supported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.config import SETTINGS, Config, parse_config
from alerts.config_intervals import SPAN_SETTINGS
from alerts.config_notes import config_notes
from alerts.config_receivers import ALERTMANAGER_KINDS, GLOBAL_SETTINGS, takers, with_defaults
from alerts.config_routes import INHIBIT_SETTINGS, ROUTE_SETTINGS
from alerts.inhibition import InhibitRule
from alerts.matchers import matchers_text, parse_matchers
from alerts.routes import Route

KINDS = ("console_configs", "webhook_configs", "slack_configs", "email_configs")
RECEIVERS = [{"name": "all"}, {"name": "other"}]


def read(route: Mapping[str, Any], **top: Any) -> tuple[Config, list[str]]:
    """Return what a file with this first route means, and what is wrong with it."""
    data = {"route": {"receiver": "all"} | route, "receivers": RECEIVERS} | top
    config, problems = parse_config(data, KINDS)
    return config, [problem.said for problem in problems]


def child(**settings: Any) -> tuple[Route, list[str]]:
    config, problems = read({"routes": [settings]})
    return config.route.routes[0], problems


def timers(route: Route) -> tuple[tuple[str, ...] | None, float, float, float]:
    return route.group_by, route.group_wait_s, route.group_interval_s, route.repeat_interval_s


# ── routes ────────────────────────────────────────────────────────────────────


def test_without_group_by_each_alert_is_told_alone_and_at_once() -> None:
    config, problems = read({"repeat_interval": "2h", "routes": [{}, {"repeat_interval": "1h"}]})

    assert problems == []
    assert timers(config.route) == timers(config.route.routes[0]) == (None, 0.0, 0.0, 7200.0)
    assert timers(config.route.routes[1]) == (None, 0.0, 0.0, 3600.0)


def test_with_group_by_the_timers_are_alertmanagers_and_are_inherited() -> None:
    grandchild = {"group_wait": "1s500ms", "routes": [{"group_by": []}]}
    config, problems = read(
        {"routes": [{"group_by": ["app"], "group_interval": "1m", "routes": [grandchild, {"group_by": ["..."]}]}]}
    )

    first = config.route.routes[0]
    assert problems == []
    assert timers(config.route) == (None, 0.0, 0.0, 14400.0)
    assert timers(first) == (("app",), 30.0, 60.0, 14400.0)
    assert timers(first.routes[0]) == (("app",), 1.5, 60.0, 14400.0)
    # As in Alertmanager, an empty list below a route that groups says nothing.
    assert timers(first.routes[0].routes[0]) == (("app",), 1.5, 60.0, 14400.0)
    assert timers(first.routes[1]) == (("...",), 30.0, 60.0, 14400.0)


@pytest.mark.parametrize("wait", ["0s", "0", 0])
def test_a_group_need_not_wait(wait: object) -> None:
    assert child(group_by=["app"], group_wait=wait)[0].group_wait_s == 0.0


def test_a_receiver_is_inherited_and_an_empty_one_is_none() -> None:
    config, problems = read(
        {"routes": [{"receiver": "other", "routes": [{"receiver": ""}, {}]}, {"receiver": None, "routes": None}]}
    )

    assert problems == []
    assert [matched.route.receiver for matched in config.route.walk()] == ["all", "other", "other", "other", "all"]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"matchers": ['a="b"', 'c=~"d",e!="f"']}, '{a="b",c=~"d",e!="f"}'),
        ({"matchers": 'c=~"d",a="b"'}, '{a="b",c=~"d"}'),
        ({"matchers": ['{"my label"="b"}']}, '{"my label"="b"}'),
        ({"match": {"a": "b", "c": None}}, '{a="b",c=""}'),
        ({"match_re": {"a": "b|c"}}, '{a=~"^(?:b|c)$"}'),
        ({"match": {"b": "1"}, "match_re": {"c": "2"}, "matchers": ["a=0"]}, '{a="0",b="1",c=~"^(?:2)$"}'),
        ({"matchers": None, "match": {}, "match_re": None}, "{}"),
    ],
)
def test_matchers_are_read_in_all_the_ways_alertmanager_has(settings: Any, text: str) -> None:
    route, problems = child(**settings)

    assert problems == []
    assert matchers_text(route.matchers) == text


def test_a_route_names_its_time_intervals() -> None:
    config, problems = read(
        {"routes": [{"mute_time_intervals": ["night"], "active_time_intervals": ["day", "night"], "routes": [{}]}]},
        time_intervals=[{"name": "day"}],
        mute_time_intervals=[{"name": "night", "time_intervals": None}],
    )

    route = config.route.routes[0]
    assert problems == []
    assert (route.mute_time_intervals, route.active_time_intervals) == (("night",), ("day", "night"))
    # Not inherited, as in Alertmanager.
    assert (route.routes[0].mute_time_intervals, route.routes[0].active_time_intervals) == ((), ())
    assert list(config.time_intervals) == ["night", "day"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"receiver": "nobody"}, "receiver: 'nobody': no such receiver: one of all, other"),
        ({"receiver": 3}, "receiver: 3: expected a text"),
        ({"labels": {"a": "b"}}, "labels: not supported: notifications have the labels of their alerts alone"),
        ({"group_wait": "10s"}, "group_wait: '10s': needs group_by: write group_by: [] for one group of all"),
        ({"group_interval": "10s"}, "group_interval: '10s': needs group_by"),
        ({"group_by": "app"}, "group_by: 'app': expected a list of texts"),
        ({"group_by": ["a", "a"]}, "group_by[1]: 'a': named twice: keep one"),
        ({"group_by": [""]}, "group_by[0]: '': expected the name of a label"),
        ({"group_by": ["...", "a"]}, "group_by: ['...', 'a']: '...' is every label: leave the others out"),
        ({"group_by": [], "group_wait": "5"}, "group_wait: '5': not a duration: write a number and a unit"),
        ({"group_by": [], "group_wait": 5}, "group_wait: 5: not a duration"),
        ({"group_by": [], "group_wait": False}, "group_wait: False: not a duration"),
        ({"group_by": [], "group_wait": "-5s"}, "group_wait: '-5s': not a duration"),
        ({"group_by": [], "group_interval": "0s"}, "group_interval: '0s': must be more than 0"),
        ({"repeat_interval": "0"}, "repeat_interval: '0': must be more than 0"),
        ({"mute_time_intervals": ["x"]}, "mute_time_intervals[0]: 'x': not in time_intervals: there are none"),
        ({"match": {"a": 3}}, "match.a: 3: expected a text: write it in quotes"),
        ({"match": {"a b": "c"}}, "match.a b: not the name of a label"),
        ({"match": {"1a": "c"}}, "match.1a: not the name of a label"),
        ({"match": ["a"]}, "match: ['a']: expected a mapping of settings"),
        ({"match_re": {"a": None}}, "match_re.a: None: expected a text"),
        ({"match_re": {"a": "("}}, "match_re.a: a=~'(': not a regular expression: missing )"),
        ({"matchers": [""]}, "matchers[0]: '': no matcher: write name=\"value\", or leave it out"),
        ({"matchers": "a"}, "matchers: 'a': not a matcher"),
        ({"matchers": {"a": "b"}}, "matchers: {'a': 'b'}: expected a list of texts"),
    ],
)
def test_what_a_route_cannot_be_is_said(settings: Any, said: str) -> None:
    _, problems = child(**settings)

    assert len(problems) == 1
    assert problems[0].startswith(f"route.routes[0].{said}"), problems


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"match": {"a": "b"}}, "route.match: the first route takes every alert"),
        ({"match_re": {"a": "b"}}, "route.match_re: the first route takes every alert"),
        ({"mute_time_intervals": ["x"]}, "route.mute_time_intervals: the first route is never quiet"),
        ({"active_time_intervals": ["x"]}, "route.active_time_intervals: the first route is never quiet"),
        ({"continue": True}, "route.continue: the first route has no others beside it"),
    ],
)
def test_what_the_first_route_cannot_have_is_said(settings: Any, said: str) -> None:
    _, problems = read(settings, time_intervals=[{"name": "x"}])

    assert len(problems) == 1
    assert problems[0].startswith(said)


def test_a_time_interval_that_is_not_there_is_said_with_those_that_are() -> None:
    _, problems = read({"routes": [{"active_time_intervals": ["x"]}]}, time_intervals=[{"name": "y"}])

    assert problems == ["route.routes[0].active_time_intervals[0]: 'x': not in time_intervals: one of y"]


# ── inhibit rules ─────────────────────────────────────────────────────────────


def test_inhibit_rules_are_read_in_both_forms() -> None:
    old = {"source_match": {"a": "1"}, "target_match_re": {"b": "2|3"}, "equal": None}
    new = {"name": "n", "source_matchers": ['a="1",c="2"'], "target_matchers": 'b!="4"', "equal": ["app", "my label"]}
    config, problems = read({}, inhibit_rules=[old, new])

    assert problems == []
    assert config.inhibit_rules == (
        InhibitRule(source=parse_matchers("a=1"), target=parse_matchers('b=~"^(?:2|3)$"')),
        InhibitRule(source=parse_matchers("a=1,c=2"), target=parse_matchers('b!="4"'), equal=("app", "my label")),
    )


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"source_match": {"a": "1"}}, "inhibit_rules[0]: source_matchers and target_matchers are both needed"),
        ({"source_match": {"a": 1}}, "inhibit_rules[0].source_match.a: 1: expected a text"),
        ({"source": ["a=1"], "source_matchers": ["a=1"], "target_matchers": ["b=1"]}, "inhibit_rules[0].source: not"),
        (
            {"source_matchers": ["a=1"], "target_matchers": ["b=1"], "equal": ["a", "a"]},
            "inhibit_rules[0].equal[1]: 'a': named twice",
        ),
        (
            {"source_matchers": ["a=1"], "target_matchers": ["b=1"], "name": 3},
            "inhibit_rules[0].name: 3: expected a text",
        ),
    ],
)
def test_what_an_inhibit_rule_cannot_be_is_said(rule: Any, said: str) -> None:
    _, problems = read({}, inhibit_rules=[rule])

    assert len(problems) == 1
    assert problems[0].startswith(said)


# ── whatever a file holds ──────────────────────────────────────────────────────

_NAMES = sorted(
    {*SETTINGS, *ROUTE_SETTINGS, *INHIBIT_SETTINGS, *SPAN_SETTINGS, "name", "steps", "after", "http_config"}
)
_VALUES = st.sampled_from(
    [
        None,
        True,
        0,
        1,
        75,
        2026,
        -1,
        1.5,
        "",
        "x",
        "all",
        "0s",
        "5m",
        "1:3",
        "-1",
        "may",
        "...",
        "a=1",
        'a=~"("',
        "{",
        "09:00",
    ]
)
_DATA = st.recursive(
    _VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_NAMES), inner, max_size=4),
    max_leaves=30,
)


@given(st.dictionaries(st.sampled_from(SETTINGS), _DATA, max_size=5))
def test_whatever_a_file_holds_is_a_configuration_or_a_list_of_problems(data: dict[str, Any]) -> None:
    config, problems = parse_config({"receivers": [{"name": "all"}], "route": {"receiver": "all"}} | data, KINDS)

    assert all(problem.said for problem in problems)
    assert [matched.id for matched in config.route.walk()]
    assert all(note.said for note in config_notes(config, data, kinds=KINDS))


# ── receivers and global ──────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", sorted(set(ALERTMANAGER_KINDS) - set(KINDS)))
def test_an_integration_that_claxon_has_not_is_said_with_another(kind: str) -> None:
    receivers = [{"name": "all", kind: [{"secret": "x"}]}]

    for kinds, other in ((KINDS, "webhook_configs"), ((*KINDS, "apprise_configs"), "apprise_configs")):
        _, problems = parse_config({"route": {"receiver": "all"}, "receivers": receivers}, kinds)
        assert [p.said for p in problems] == [
            f"receivers[0].{kind}: not supported: no receiver of this kind: use {other}"
        ]


def test_labels_of_receivers_are_not_supported_and_an_empty_kind_is_none() -> None:
    _, problems = read({}, receivers=[{"name": "all", "slack_configs": None, "labels": {"team": "x"}}])

    assert problems == ["receivers[0].labels: not supported: nothing looks receivers up by labels: leave it out"]


@pytest.mark.parametrize("name", ["tracing", "event_recorder", "templates"])
def test_settings_of_alertmanager_itself_are_said_not_to_be_supported(name: str) -> None:
    _, problems = read({}, **{name: ["x.tmpl"] if name == "templates" else {}})

    assert len(problems) == 1
    assert problems[0].startswith(f"{name}: not supported: ")


@pytest.mark.parametrize("templates", [None, []])
def test_no_templates_are_no_templates(templates: object) -> None:
    assert read({}, templates=templates)[1] == []


def test_global_is_kept_as_written_and_its_timeout_is_read() -> None:
    written = {"resolve_timeout": "10m", "slack_api_url": "https://x", "smtp_require_tls": False, "http_config": {}}
    config, problems = read({}, **{"global": written})

    assert problems == []
    assert config.global_ == written
    assert config.resolve_timeout_s == 600.0
    assert read({}, **{"global": None})[0].resolve_timeout_s == 300.0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"slack_apiurl": "x"}, "global.slack_apiurl: not a setting: did you mean slack_api_url?"),
        ({"resolve_timeout": "x"}, "global.resolve_timeout: 'x': not a duration"),
        ({"slack_api_url": 3}, "global.slack_api_url: expected a text: write it in quotes"),
        ({"http_config": "x"}, "global.http_config: 'x': expected a mapping"),
        ({"smtp_require_tls": "no"}, "global.smtp_require_tls: 'no': true or false"),
        (
            {"opsgenie_api_key": "x", "opsgenie_api_key_file": "y"},
            "global.opsgenie_api_key: opsgenie_api_key_file is set too: keep one of them",
        ),
    ],
)
def test_what_global_cannot_have_is_said(settings: Any, said: str) -> None:
    _, problems = read({}, **{"global": settings})

    assert len(problems) == 1
    assert problems[0].startswith(said)


@pytest.mark.parametrize(
    ("kind", "settings", "global_", "meant"),
    [
        ("webhook_configs", {"url": "u"}, {}, {"url": "u"}),
        ("webhook_configs", {"url": "u"}, {"http_config": {"a": 1}}, {"url": "u", "http_config": {"a": 1}}),
        ("webhook_configs", {"http_config": {}}, {"http_config": {"a": 1}}, {"http_config": {}}),
        ("console_configs", {}, {"http_config": {"a": 1}}, {}),
        ("slack_configs", {"channel": "c"}, {"slack_api_url": "u"}, {"channel": "c", "api_url": "u"}),
        ("slack_configs", {"api_url": "v"}, {"slack_api_url": "u"}, {"api_url": "v"}),
        ("slack_configs", {"api_url_file": "v"}, {"slack_api_url": "u"}, {"api_url_file": "v"}),
        ("slack_configs", {"app_token": "t"}, {"slack_api_url_file": "u"}, {"app_token": "t"}),
        ("slack_configs", {"api_url": "v"}, {"slack_app_token": "t"}, {"api_url": "v"}),
        ("slack_configs", {}, {"slack_app_url": "w", "http_config": None}, {"app_url": "w"}),
        ("pagerduty_configs", {"routing_key": "k"}, {"pagerduty_url": "u"}, {"routing_key": "k", "url": "u"}),
        (
            "opsgenie_configs",
            {},
            {"opsgenie_api_url": "u", "opsgenie_api_key_file": "f"},
            {"api_url": "u", "api_key_file": "f"},
        ),
        ("opsgenie_configs", {"api_key": "k"}, {"opsgenie_api_key_file": "f"}, {"api_key": "k"}),
        (
            "email_configs",
            {"to": "t", "hello": "h"},
            {
                "smtp_smarthost": "s:25",
                "smtp_from": "f",
                "smtp_hello": "g",
                "smtp_auth_username": "u",
                "smtp_auth_password": "p",
                "smtp_auth_identity": "i",
                "smtp_auth_secret": "x",
                "smtp_require_tls": False,
                "http_config": {},
            },
            {
                "to": "t",
                "hello": "h",
                "smarthost": "s:25",
                "from": "f",
                "auth_username": "u",
                "auth_password": "p",
                "auth_identity": "i",
                "auth_secret": "x",
                "require_tls": False,
            },
        ),
        ("slack_configs", {}, {"slack_api_url": None}, {}),
        ("slack_configs", {}, {"slack_api_url": "u", "slack_api_url_file": "f"}, {"api_url": "u"}),
    ],
)
def test_an_integration_takes_of_global_what_it_does_not_say(
    kind: str, settings: Any, global_: Any, meant: Any
) -> None:
    assert with_defaults(kind, settings, global_) == meant


def test_every_setting_of_global_is_taken_by_some_integration_of_alertmanager() -> None:
    own = ("resolve_timeout", "http_config")

    assert [takers(name) for name in own] == [(), ()]
    assert [n for n in GLOBAL_SETTINGS if n not in own and not set(takers(n)) <= set(ALERTMANAGER_KINDS)] == []
    assert all(takers(name) for name in GLOBAL_SETTINGS if name not in own)
