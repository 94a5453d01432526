"""GET /api/v2/status, and what it shows of a configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from service.shown_config import WITHOUT_A_FILE, shown_config
from tests.support.running import Running

from . import schema

CONFIG = """\
external_url: https://claxon.example
keys: [{name: k, scope: admin, sha256: %s}]
heartbeat: {url: "https://hc.example/SECRET"}
global:
  resolve_timeout: 3m
  slack_api_url: https://hooks.slack.com/services/SECRET
  http_config: {proxy_url: "http://ada:SECRET@proxy.example:3128"}
route:
  receiver: page
  group_by: [app]
  routes: [{receiver: page, matchers: ['team=~"red|blue"'], mute_time_intervals: [nights]}]
receivers:
  - name: page
    webhook_configs:
      - &base
        url: http://hook.example/SECRET
        http_config: {basic_auth: {username: ada, password: SECRET}, follow_redirects: true}
      - {<<: *base, url: "http://ada:SECRET@hook.example", max_alerts: 10, rate_limit: {max: 1, per: 1s}}
    email_configs:
      - {to: a@b.example, headers: {subject: SECRET}, auth_password: SECRET, smarthost: "mail.example:25"}
    slack_configs: [{channel: "#ops", api_url: "{{ SECRET }}", fields: [{title: t, value: SECRET, short: true}]}]
    opsgenie_configs:
      - {api_key: 12345, http_config: null, details: {a: [SECRET, {b: SECRET}]}, responders: [{name: x, type: team}]}
    pagerduty_configs: [{routing_key_file: /run/key, unknown_setting: SECRET, links: [{href: "http://x/SECRET"}]}]
    console_configs: [{}]
    telegram_configs: SECRET
time_intervals:
  - name: nights
    time_intervals: [{times: [{start_time: 20:00, end_time: "24:00"}], days_of_month: [1:5, -1]}]
"""


def test_the_status_says_what_a_client_asks(tmp_path: Path) -> None:
    with Running(tmp_path) as claxon:
        found = claxon.get("/api/v2/status")

    schema.check(found, schema.STATUS)
    assert found["cluster"] == {"status": "disabled", "peers": []}
    assert found["versionInfo"]["version"].startswith("0.34.0+claxon.")
    assert found["config"]["original"] == WITHOUT_A_FILE


def test_the_status_shows_the_file_in_force_and_what_a_reload_put_in_its_place(tmp_path: Path) -> None:
    text = "route: {receiver: page}\nreceivers: [{name: page, webhook_configs: [{url: 'http://a.example/SECRET'}]}]\n"
    with Running(tmp_path, config=text) as claxon:
        before = claxon.get("/api/v2/status")["config"]["original"]
        (tmp_path / "claxon.yml").write_text(text.replace("a.example", "b.example"))
        assert claxon.request("POST", "/-/reload")[0] == 200
        after = claxon.get("/api/v2/status")["config"]["original"]

    assert "url: http://a.example/<secret>" in before
    assert "url: http://b.example/<secret>" in after


def test_no_secret_is_shown_and_nothing_that_is_not_alertmanagers() -> None:
    shown = shown_config(CONFIG % ("ab" * 32))

    assert "SECRET" not in shown
    assert yaml.safe_load(shown) == {
        "global": {
            "resolve_timeout": "3m",
            "slack_api_url": "https://hooks.slack.com/<secret>",
            "http_config": {"proxy_url": "http://proxy.example:3128"},
        },
        "route": {
            "receiver": "page",
            "group_by": ["app"],
            "routes": [{"receiver": "page", "matchers": ['team=~"red|blue"'], "mute_time_intervals": ["nights"]}],
        },
        "receivers": [
            {
                "name": "page",
                "webhook_configs": [
                    {
                        "url": "http://hook.example/<secret>",
                        "http_config": {
                            "basic_auth": {"username": "ada", "password": "<secret>"},
                            "follow_redirects": True,
                        },
                    },
                    {
                        "url": "http://hook.example",
                        "http_config": {
                            "basic_auth": {"username": "ada", "password": "<secret>"},
                            "follow_redirects": True,
                        },
                        "max_alerts": 10,
                    },
                ],
                "email_configs": [
                    {
                        "to": "a@b.example",
                        "headers": {"subject": "<secret>"},
                        "auth_password": "<secret>",
                        "smarthost": "mail.example:25",
                    }
                ],
                "slack_configs": [
                    {
                        "channel": "#ops",
                        "api_url": "<secret>",
                        "fields": [{"title": "t", "value": "<secret>", "short": True}],
                    }
                ],
                "opsgenie_configs": [
                    {
                        "api_key": "<secret>",
                        "http_config": None,
                        "details": {"a": ["<secret>", {"b": "<secret>"}]},
                        "responders": [{"name": "x", "type": "team"}],
                    }
                ],
                "pagerduty_configs": [{"routing_key_file": "/run/key", "links": [{"href": "<secret>"}]}],
            }
        ],
        "time_intervals": [
            {
                "name": "nights",
                "time_intervals": [
                    {"times": [{"start_time": "20:00", "end_time": "24:00"}], "days_of_month": ["1:5", -1]}
                ],
            }
        ],
    }


@pytest.mark.parametrize("text", [None, "", "# nothing\n", "keys: []\n"])
def test_without_receivers_the_default_ones_are_shown(text: str | None) -> None:
    assert yaml.safe_load(shown_config(text)) == yaml.safe_load(WITHOUT_A_FILE)
