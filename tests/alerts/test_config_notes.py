"""alerts/config_notes.py: what loads, and was perhaps not meant."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.config import parse_config
from alerts.config_notes import config_notes

KINDS = ("console_configs", "slack_configs")
NAMES = ("all", "other")
GROUPED = {"group_by": ["app"]}


def notes(route: Any, **top: Any) -> list[str]:
    """Return what is noteworthy about a file with this first route."""
    data = {"route": {"receiver": "all"} | route, "receivers": [{"name": name} for name in NAMES]} | top
    config, problems = parse_config(data, KINDS)
    assert problems == []
    return [note.said for note in config_notes(config, data, kinds=KINDS)]


def of_routes(*routes: Any) -> list[str]:
    return notes({"receiver": "all", "routes": [{"receiver": "other"} | route for route in routes]})


def test_a_plain_file_has_nothing_noteworthy() -> None:
    assert of_routes({"matchers": ["a=1"]}, {"matchers": ["a=2"]}) == []
    assert config_notes(parse_config(None, KINDS)[0], None, kinds=KINDS) == []


# ── routes that nothing reaches ───────────────────────────────────────────────


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([], ["a=1"]),
        ([], []),
        (["a=1"], ["a=1"]),
        (["a=1"], ["a=1", "b=2"]),
        (['a=~"1|2"'], ["a=1", "b=2"]),
        (['a!="3"'], ["a=1"]),
        (['a=~"1|2"'], ['a=~"1|2"', "b=2"]),
    ],
)
def test_a_route_after_one_that_takes_all_of_it_is_named(first: list[str], second: list[str]) -> None:
    found = of_routes({"matchers": first}, {"matchers": second})

    assert len(found) == 1
    assert found[0].startswith("route.routes[1]: {")
    assert found[0].endswith(
        "no alert ever comes here: route.routes[0] before it takes them: give that continue: true, "
        "or put this one first"
    )
    assert of_routes({"matchers": first, "continue": True}, {"matchers": second}) == []


def test_a_route_that_is_taken_by_what_its_parents_say_is_named() -> None:
    inner = [{"matchers": ['app=~"chat|x"']}, {"matchers": ["team=b"]}]
    found = of_routes({"matchers": ["app=chat"], "routes": inner})

    assert [note.partition(":")[0] for note in found] == ["route.routes[0].routes[1]"]


@pytest.mark.parametrize("child", [["app=web"], ['app!="chat"'], ['app!~"ch.*"'], ['app=~"w.*"']])
def test_a_route_that_contradicts_its_parents_is_named(child: list[str]) -> None:
    found = of_routes({"matchers": ["app=chat"], "routes": [{"matchers": child, "routes": [{}]}]})

    assert len(found) == 1
    assert found[0].startswith("route.routes[0].routes[0]: {app")
    assert found[0].endswith("are never both true")


def test_a_route_that_contradicts_itself_is_named() -> None:
    assert "are never both true" in of_routes({"matchers": ["a=1", "a=2"]})[0]
    assert "are never both true" in of_routes({"matchers": ['a=~"1"'], "routes": [{"matchers": ["a=2"]}]})[0]


@pytest.mark.parametrize(
    ("first", "second"), [(["a=1"], ["a=2"]), (["a=1", "b=2"], ["a=1"]), (['a=~"1|2"'], ['a=~"2|1"'])]
)
def test_a_route_that_something_may_reach_is_not_named(first: list[str], second: list[str]) -> None:
    assert of_routes({"matchers": first}, {"matchers": second}) == []


# ── pages that wait ───────────────────────────────────────────────────────────


def waits(route: Any) -> list[str]:
    return [note for note in notes({"routes": [{"receiver": "other", "matchers": ["x=1"]}]} | route) if "waits" in note]


def test_a_group_that_lets_a_page_wait_is_named_once() -> None:
    children = [{"matchers": ["app=chat"], "receiver": "other"}]

    assert waits(GROUPED | {"routes": children}) == [
        'route: group_wait: 30s: an alert of severity="page" waits that long: write group_wait: 0s'
    ]
    slower = [{"matchers": ["app=chat"], "receiver": "other", "group_wait": "1m"}]
    assert [note.partition(":")[0] for note in waits(GROUPED | {"routes": slower})] == ["route", "route.routes[0]"]


@pytest.mark.parametrize(
    "route",
    [
        {},
        GROUPED | {"group_wait": "0s"},
        {"routes": [{"receiver": "other", "matchers": ["severity=ticket"], "group_by": ["app"]}]},
        # A child takes every page; the next one never sees any.
        GROUPED
        | {
            "routes": [
                {"receiver": "other", "matchers": ['severity=~"page|critical"'], "group_wait": "0s"},
                {"receiver": "other", "matchers": ["app=chat"], "group_wait": "1m", "routes": [{"matchers": ["b=1"]}]},
            ]
        },
    ],
)
def test_where_no_page_waits_nothing_is_named(route: Any) -> None:
    assert waits(route) == []


def test_a_page_that_is_told_and_goes_on_may_wait_at_the_next_route() -> None:
    first = {"receiver": "other", "matchers": ["severity=page"], "group_wait": "0s", "continue": True}
    second = {"receiver": "other", "matchers": ["app=chat"]}

    assert [note.partition(":")[0] for note in waits(GROUPED | {"routes": [first, second]})] == ["route.routes[1]"]


# ── the rest ──────────────────────────────────────────────────────────────────


def test_a_group_that_is_told_again_before_it_is_looked_at_again_is_named_once() -> None:
    route = {"group_by": [], "group_wait": "0s", "repeat_interval": "1m", "routes": [{"receiver": "other"}]}

    assert notes(route) == [
        "route: repeat_interval: 1m: a group is looked at every 5m only: write a longer one",
    ]


def test_a_receiver_that_nobody_names_is_named() -> None:
    unused = "receivers[1]: other: no route, escalation or fallback_receiver names it"

    assert notes({}) == [unused]
    assert notes({}, fallback_receiver="other") == []
    assert notes({}, escalations=[{"steps": [{"after": "1m", "receiver": "other"}]}]) == []


def test_a_time_interval_that_no_route_names_is_named() -> None:
    named = {"receiver": "other", "mute_time_intervals": ["a"], "active_time_intervals": ["b"]}

    assert notes({"routes": [named]}, time_intervals=[{"name": "a"}, {"name": "b"}, {"name": "c"}]) == [
        "time_intervals: c: no route names it"
    ]


def test_old_settings_are_named_with_the_new_ones() -> None:
    inner = {"receiver": "other", "match": {"a": "1"}, "routes": [{"match_re": {"b": "2"}}]}
    rule = {"source_match": {"a": "1"}, "target_match_re": {"a": "2"}}

    assert notes({"routes": [inner]}, inhibit_rules=[rule], mute_time_intervals=[]) == [
        "mute_time_intervals: an old name: write time_intervals",
        "route.routes[0].match: an old setting: write matchers",
        "route.routes[0].routes[0].match_re: an old setting: write matchers",
        "inhibit_rules[0].source_match: an old setting: write source_matchers",
        "inhibit_rules[0].target_match_re: an old setting: write target_matchers",
    ]


def test_a_setting_of_global_that_nothing_reads_is_named() -> None:
    found = notes(
        {"routes": [{"receiver": "other"}]},
        **{"global": {"slack_api_url": "x", "resolve_timeout": "5m", "victorops_api_key": "y"}},
    )

    assert found == ["global.victorops_api_key: nothing reads it: Claxon has no such receiver"]
