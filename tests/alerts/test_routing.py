"""alerts/routing.py: where an alert goes, and why."""

from __future__ import annotations

from typing import Any

from alerts.config import Config, EscalationStep, parse_config
from alerts.routing import Asked, Escalation, Inhibitor, Routing, Told, explain_routing

KINDS = ("console_configs", "webhook_configs")
NEVER = {"name": "never", "time_intervals": [{"years": ["1970"], "months": ["december"]}]}
ALWAYS = {"name": "always", "time_intervals": [{}]}
FILE: dict[str, Any] = {
    "route": {
        "receiver": "all",
        "routes": [
            {
                "matchers": ["severity=page"],
                "receiver": "pager",
                "group_by": ["app", "model"],
                "continue": True,
                "routes": [{"matchers": ["app=web"]}],
            },
            {"matchers": ["app=chat"], "receiver": "log", "mute_time_intervals": ["always"]},
            {"matchers": ["app=chat"], "receiver": "pager", "active_time_intervals": ["never"]},
        ],
    },
    "receivers": [
        {"name": "all", "console_configs": [{}]},
        {"name": "log"},
        {"name": "pager", "webhook_configs": [{}, {}], "console_configs": [{}]},
    ],
    "time_intervals": [ALWAYS, NEVER],
    "inhibit_rules": [
        {
            "source_matchers": ['alertname="Key"'],
            "target_matchers": ['severity=~"page|ticket"'],
            "equal": ["app", "env"],
        },
        {"source_matchers": ["severity=page"], "target_matchers": ['app!=""']},
        {"source_matchers": ["severity=page"], "target_matchers": ["severity=ticket"]},
    ],
    "escalations": [
        {"matchers": ["severity=ticket"], "steps": [{"after": "1h", "receiver": "all"}]},
        {"matchers": ["severity=page"], "steps": [{"after": "10m", "receiver": "all"}]},
    ],
}


def explain(_top: dict[str, Any] | None = None, /, **labels: str) -> Routing:
    config, problems = parse_config(FILE | (_top or {}), KINDS)
    assert problems == []
    return explain_routing(config, labels, now=0.0)


def lines(asked: Asked) -> list[tuple[str, bool, bool, str]]:
    """(place, matched, tells, taken by) of a route and of those below it."""
    here = (asked.where.removeprefix("route."), asked.matched, asked.tells, asked.taken_by.removeprefix("route."))
    return [here, *(line for child in asked.routes for line in lines(child))]


def test_every_route_that_was_asked_says_its_answer_in_order() -> None:
    routing = explain(severity="page", app="chat")

    assert lines(routing.tree) == [
        ("route", True, False, ""),
        ("routes[0]", True, True, ""),
        ("routes[0].routes[0]", False, False, ""),
        ("routes[1]", True, True, ""),
        ("routes[2]", False, False, "routes[1]"),
    ]
    failed = routing.tree.routes[0].routes[0].conditions[0]
    assert (failed.matcher, failed.label, failed.value, failed.matched) == ('app="web"', "app", "chat", False)
    assert lines(explain(severity="x").tree) == [
        ("route", True, True, ""),
        ("routes[0]", False, False, ""),
        ("routes[1]", False, False, ""),
        ("routes[2]", False, False, ""),
    ]


def test_who_is_told_is_said_with_integrations_group_and_timers() -> None:
    first, second = explain(severity="page", app="chat").told

    assert first == Told(
        where="route.routes[0]",
        id='{}/{severity="page"}/0',
        key='{}/{severity="page"}',
        receiver="pager",
        integrations=("pager/webhook/0", "pager/webhook/1", "pager/console/2"),
        group={"app": "chat"},
        group_wait_s=30.0,
        group_interval_s=300.0,
        repeat_interval_s=14400.0,
        muted_by=(),
        outside_active=False,
        fallback="all",
    )
    assert (second.receiver, second.integrations, second.group) == ("log", (), None)
    assert (second.muted_by, second.outside_active) == (("always",), False)


def test_a_group_by_every_label_has_all_of_them() -> None:
    route = {"receiver": "all", "group_by": ["..."]}

    assert explain({"route": route}, b="2", a="1", c="").told[0].group == {"a": "1", "b": "2"}
    assert explain({"route": route | {"group_by": []}}, b="2").told[0].group == {}


def test_a_route_outside_of_its_active_time_says_so() -> None:
    routes = FILE["route"]["routes"][2:]
    told = explain({"route": {"receiver": "all", "routes": routes}}, app="chat").told[0]

    assert (told.muted_by, told.outside_active) == (("never",), True)


def test_what_could_mute_an_alert_is_said_with_what_would_have_to_be_alike() -> None:
    assert explain(severity="page", app="chat").inhibitors == (
        Inhibitor(
            where="inhibit_rules[0]",
            source='{alertname="Key"}',
            equal={"app": "chat", "env": ""},
            not_of_its_kind=False,
        ),
        Inhibitor(where="inhibit_rules[1]", source='{severity="page"}', equal={}, not_of_its_kind=True),
    )
    assert explain(severity="x").inhibitors == ()


def test_the_default_inhibit_rules_are_called_that() -> None:
    routing = explain_routing(Config(), {"severity": "ticket"}, now=0.0)

    assert [inhibitor.where for inhibitor in routing.inhibitors] == [
        "the default inhibit_rules[0]",
        "the default inhibit_rules[1]",
    ]


def test_the_escalations_that_would_apply_are_said() -> None:
    step = EscalationStep(after_s=600.0, receiver="all")

    assert explain(severity="page").escalations == (Escalation(where="escalations[1]", steps=(step,)),)


def test_the_fallback_is_the_one_that_is_named_or_the_first_other_that_tells_anybody() -> None:
    assert explain({"fallback_receiver": "log"}).told[0].fallback == "log"
    assert explain().told[0].fallback == "pager"
    assert explain({"fallback_receiver": "all"}).told[0].fallback == "pager"
    assert explain_routing(Config(), {}, now=0.0).told[0].fallback == ""
