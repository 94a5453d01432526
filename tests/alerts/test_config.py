"""alerts/config.py: what a mapping means, and all that is wrong with it, each with its path."""

from __future__ import annotations

import pytest

from alerts.config import Config, KeyConfig, parse_config
from alerts.inhibition import InhibitRule
from alerts.matchers import parse_matcher
from alerts.routes import Route

KINDS = ("console_configs", "webhook_configs")
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
WHO = {"route": {"receiver": "all"}, "receivers": [{"name": "all", "console_configs": [{}]}]}


def said(data: object) -> list[tuple[str, str]]:
    """(path, text) of each problem."""
    return [(".".join(map(str, problem.path)), problem.text) for problem in parse_config(data, KINDS)[1]]


def test_nothing_means_the_defaults() -> None:
    assert parse_config(None, KINDS) == parse_config({}, KINDS) == (Config(), [])


def test_all_that_a_file_may_say_is_read() -> None:
    tickets = {"matchers": ['severity="ticket"'], "continue": True, "routes": [{"receiver": "hook"}]}
    config, problems = parse_config(
        {
            "external_url": "https://claxon.example/",
            "rule_files": ["rules/*.yml"],
            "route": {"receiver": "all", "routes": [tickets]},
            "receivers": [*WHO["receivers"], {"name": "hook", "webhook_configs": [{"url": "http://127.0.0.1"}]}],
            "inhibit_rules": [{"source_matchers": ["a=1"], "target_matchers": ["b=1"], "equal": ["app"]}],
            "keys": [
                {"name": "ci", "scope": "ingest", "sha256": SHA256, "app": "shop"},
                {"name": "me", "scope": "admin", "sha256": SHA256[::-1]},
            ],
        },
        KINDS,
    )

    assert problems == []
    assert (config.external_url, config.rule_files) == ("https://claxon.example", ("rules/*.yml",))
    ticket = parse_matcher('severity="ticket"')
    child = Route(receiver="all", matchers=(ticket,), proceed=True, routes=(Route(receiver="hook"),))
    assert config.route == Route(receiver="all", routes=(child,))
    assert [receiver.name for receiver in config.receivers] == ["all", "hook"]
    assert config.receivers[1].integrations == (
        ("webhook_configs", {"url": "http://127.0.0.1"}, ("receivers", 1, "webhook_configs", 0)),
    )
    assert config.inhibit_rules == (
        InhibitRule(source=(parse_matcher("a=1"),), target=(parse_matcher("b=1"),), equal=("app",)),
    )
    assert [key.app for key in config.keys] == ["shop", ""]
    assert config.keys[0] == KeyConfig(name="ci", scope="ingest", sha256=SHA256, app="shop")


@pytest.mark.parametrize(
    ("data", "path", "text"),
    [
        ([1], "", "[1]: expected a mapping of settings"),
        ({"rout": {}}, "rout", "not a setting: one of external_url"),
        ({"templates": ["x.tmpl"]}, "templates", "not supported: Claxon words its messages itself"),
        ({"external_url": "claxon.example"}, "external_url", "'claxon.example': write a URL that begins with http"),
        ({"external_url": 3}, "external_url", "3: expected a text that is not empty"),
        ({"rule_files": []}, "rule_files", "[]: nobody would ever be paged"),
        ({"rule_files": "x.yml"}, "rule_files", "'x.yml': expected a list of texts"),
        ({"rule_files": [" "]}, "rule_files.0", "' ': expected a file name or a pattern"),
        ({"receivers": WHO["receivers"]}, "", "route: missing: name the receiver"),
        (WHO | {"route": {}}, "route", "receiver: missing: write receiver: followed by a text"),
        (WHO | {"route": {"receiver": "x"}}, "route.receiver", "'x': no such receiver: one of all"),
        ({"route": {"receiver": "x"}, "receivers": []}, "route.receiver", "'x': no such receiver: there are none"),
        (WHO | {"route": {"receiver": "all", "matchers": ["a=1"]}}, "route.matchers", "the first route takes every"),
        (WHO | {"route": {"receiver": "all", "continue": "yes"}}, "route.continue", "'yes': true or false"),
        (WHO | {"route": {"receiver": "all", "routes": {}}}, "route.routes", "{}: expected a list"),
        (
            WHO | {"route": {"receiver": "all", "routes": [{"matchers": ["a"]}]}},
            "route.routes.0.matchers.0",
            "'a': not a matcher",
        ),
        (WHO | {"receivers": [*WHO["receivers"], *WHO["receivers"]]}, "receivers.1.name", "'all': used twice"),
        (
            WHO | {"receivers": [{"name": "all", "pager_configs": [{}]}]},
            "receivers.0.pager_configs",
            "not a kind of receiver: one of console_configs, webhook_configs",
        ),
        ({"inhibit_rules": [{"target_matchers": ["b=1"]}]}, "inhibit_rules.0", "source_matchers and target_matchers"),
        ({"keys": [{"name": "ci", "scope": "write", "sha256": SHA256}]}, "keys.0.scope", "'write': one of ingest"),
        ({"keys": [{"name": "ci", "scope": "read", "sha256": "abc"}]}, "keys.0.sha256", "not the SHA-256 of a key"),
        ({"keys": [{"name": "ci", "scope": "read"}]}, "keys.0", "sha256: missing"),
        ({"keys": [{"scope": "read", "sha256": SHA256}]}, "keys.0", "name: missing"),
    ],
)
def test_each_problem_has_its_path_and_a_remedy(data: object, path: str, text: str) -> None:
    problems = said(data)

    assert [where for where, _ in problems] == [path]
    assert problems[0][1].startswith(text)


def test_all_problems_are_told_at_once() -> None:
    data = WHO | {"rout": {}, "external_url": "x", "keys": [{"name": "ci", "scope": "x", "sha256": "y"}]}

    assert sorted(path for path, _ in said(data)) == ["external_url", "keys.0.scope", "keys.0.sha256", "rout"]
