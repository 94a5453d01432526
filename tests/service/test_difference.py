"""service/difference.py: what a reload says has changed."""

from __future__ import annotations

from typing import Any

import pytest

from alerts.config import Config, parse_config
from service.difference import compare

FILE: dict[str, Any] = {
    "route": {"receiver": "a", "group_by": ["app"]},
    "receivers": [{"name": "a", "slack_configs": [{}]}, {"name": "b", "console_configs": [{}]}],
    "global": {"slack_api_url": "https://one"},
    "time_intervals": [{"name": "x", "time_intervals": [{"months": ["may"]}]}],
}


def config(**top: Any) -> Config:
    found, problems = parse_config(FILE | top, ("slack_configs", "console_configs"))
    assert problems == []
    return found


@pytest.mark.parametrize(
    ("top", "name", "value"),
    [
        ({"route": {"receiver": "a", "group_by": ["app"], "group_wait": "0s"}}, "routes_changed", True),
        ({"time_intervals": [{"name": "x"}]}, "time_intervals_changed", True),
        ({"global": {"slack_api_url": "https://two"}}, "receivers_changed", ["a/slack/0"]),
        ({"global": {"slack_api_url": "https://one", "http_config": {}}}, "receivers_changed", ["a/slack/0"]),
        (
            {"global": {"slack_api_url": "https://one", "resolve_timeout": "1m"}},
            "settings_changed",
            ["resolve_timeout"],
        ),
        ({"fallback_receiver": "b"}, "settings_changed", ["fallback_receiver"]),
        ({"heartbeat": {"url_file": "x"}}, "settings_changed", ["heartbeat"]),
        ({"acknowledgement": {"expires_after": "1m"}}, "settings_changed", ["acknowledgement"]),
        ({"silences": {"max_duration": "1d"}}, "settings_changed", ["silences"]),
        ({"escalations": [{"steps": [{"after": "1m", "receiver": "b"}]}]}, "settings_changed", ["escalations"]),
    ],
)
def test_what_changed_is_said_and_nothing_else(top: dict[str, Any], name: str, value: object) -> None:
    found = compare(config(), config(**top), old_rules=(), new_rules=())

    assert getattr(found, name) == value
    assert {field for field in found.__struct_fields__ if getattr(found, field)} == {name}


def test_nothing_changed_is_said_too() -> None:
    assert compare(config(), config(), old_rules=(), new_rules=()).empty
