"""One Alertmanager configuration of many timetables, each with matchers and receivers of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

import yaml

from .timetable import LABEL, Timetable

RESOLVE_TIMEOUT_S = 4.25

INTERVALS: tuple[Mapping[str, Any], ...] = (
    {"name": "always", "time_intervals": [{"times": [{"start_time": "00:00", "end_time": "24:00"}]}]},
    {"name": "never", "time_intervals": [{"years": ["1999"]}]},
)
"""The time intervals that timetables may name: they are true or false for longer than any of them lasts."""


def configuration(timetables: Iterable[Timetable], *, url: str) -> str:
    """Return the YAML text; a webhook's URL is `url`/<timetable>/<receiver>/<index>."""
    chosen = list(timetables)
    return yaml.safe_dump(
        {
            "global": {"resolve_timeout": f"{round(RESOLVE_TIMEOUT_S * 1000)}ms"},
            "route": {"receiver": "nobody", "routes": [_route(one) for one in chosen]},
            "receivers": [{"name": "nobody"}, *(receiver for one in chosen for receiver in _receivers(one, url))],
            "inhibit_rules": [rule for one in chosen for rule in _inhibit_rules(one)],
            "time_intervals": [dict(one) for one in INTERVALS],
        },
        sort_keys=False,
    )


def receiver_name(timetable: str, name: str) -> str:
    """Return how a timetable's receiver is called in the configuration."""
    return f"{timetable}-{name}"


def _matcher(timetable: Timetable) -> str:
    return f'{LABEL}="{timetable.name}"'


def _route(timetable: Timetable) -> dict[str, Any]:
    return {"matchers": [_matcher(timetable)], **_named(timetable.name, timetable.route)}


def _named(timetable: str, route: Mapping[str, Any]) -> dict[str, Any]:
    named = dict(route)
    if "receiver" in route:
        named["receiver"] = receiver_name(timetable, route["receiver"])
    if "routes" in route:
        named["routes"] = [_named(timetable, below) for below in route["routes"]]
    return named


def _receivers(timetable: Timetable, url: str) -> list[dict[str, Any]]:
    return [
        {
            "name": receiver_name(timetable.name, name),
            "webhook_configs": [
                {"url": f"{url}/{timetable.name}/{quote(name)}/{i}", **settings} for i, settings in enumerate(webhooks)
            ],
        }
        for name, webhooks in timetable.webhooks.items()
    ]


def _inhibit_rules(timetable: Timetable) -> list[dict[str, Any]]:
    sides = ("source_matchers", "target_matchers")
    return [
        {**rule, **{side: [*rule.get(side, ()), _matcher(timetable)] for side in sides}}
        for rule in timetable.inhibit_rules
    ]
