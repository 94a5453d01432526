"""alerts/wording.py and measured.py: what a page says of each kind of rule."""

from __future__ import annotations

from typing import Any as Anything

import pytest

from alerts import default_rules as default
from alerts.budgets import Tier
from alerts.conditions import Any, Budget, Headroom, Own
from alerts.evidence import Evidence
from alerts.labels import fingerprint
from alerts.lifecycle import Alert, State, Value
from alerts.measured import about
from alerts.notification import facts
from alerts.rules import Rule
from alerts.wording import measured, message, resolve_reason, summary

NOON = 1_790_000_000.0
RULE_FAILED = Rule(alert="ClaxonRuleFailed", condition=Own(), by=(), labels={"severity": "page"})
OVERFLOW = Rule(alert="ClaxonKeysOverflow", condition=Own(), by=(), labels={"severity": "ticket"})
MAX = Rule(alert="ClaudeRetriesExhausted", condition=Budget(max_count=10))


def alert_of(rule: Rule, value: Value | None = None, **fields: Anything) -> Alert:
    labels = {"alertname": rule.alert, "app": "shop", "environment": "prod", "model": "claude-x", "path": "/sum"}
    kept = {"alertname", *rule.by}
    held = {name: text for name, text in labels.items() if name in kept} | rule.labels
    fields = {"state": State.FIRING, "labels": held, "fired_at": NOON, "episode": 1} | fields
    return Alert(rule=rule.id, key=(), fingerprint=fingerprint(held), value=value or {}, **fields)


BURN = {"exhausted": 9, "calls": 100, "burn": 90.0, "tier": 14.4, "long_s": 3600, "short_s": 300}

SAID: list[tuple[Rule, Value, str, str]] = [
    (
        default.AUTH_ERROR,
        {"count": 1, "age_s": 0.5},
        "shop (prod): the Claude API rejects the key",
        "1 attempt; one is enough",
    ),
    (
        default.ACCOUNT_BLOCKED,
        {"count": 1200, "age_s": 3600},
        "shop (prod): the Claude account is blocked",
        "1,200 attempts; one is enough, 1h before it reached Claxon",
    ),
    (Rule(alert="Odd", condition=Any()), {}, "shop (prod): Odd", "0 attempts; one is enough"),
    (
        default.ERROR_RATE_PAGE,
        {"failed": 9, "calls": 61, "share": 9 / 61, "bound": 0.0701},
        "shop (prod): 14.8 % of Claude calls fail on claude-x",
        "9 of 61 calls failed in 5m (14.8 %, surely over 7.01 %; threshold 5 %)",
    ),
    (
        default.RETRY_STORM,
        {"failed": 35, "attempts": 1100, "absorbed": 32, "share": 0.35},
        "shop (prod): 35 % of attempts fail, and retries hide it",
        "35 of 1,100 attempts failed in 5m, 32 absorbed by retries (35 %; threshold 30 %)",
    ),
    (
        default.CONSECUTIVE_SERVER_ERRORS,
        {"streak": 4, "count": 3},
        "shop (prod): 4 server errors in a row on /sum",
        "4 in a row from different calls (threshold 3)",
    ),
    (
        default.RETRIES_EXHAUSTED_PAGE,
        BURN,
        "shop (prod): calls fail with retries exhausted, the error budget burns at 90x",
        "9 of 100 calls exhausted their retries in 1h (burns the budget at 90x, threshold 14.4x)",
    ),
    (
        Rule(alert="B", condition=Budget(tiers=(Tier(burn=2, long_s=3600, short_s=300),), confidence=0.99)),
        BURN | {"bound": 0.04},
        "shop (prod): calls fail with retries exhausted, the error budget burns at 90x",
        "9 of 100 calls exhausted their retries in 1h, surely over 4 % (burns the budget at 90x, threshold 14.4x)",
    ),
    (
        MAX,
        {"exhausted": 12, "calls": 100, "long_s": 3600},
        "shop (prod): 12 calls failed with retries exhausted",
        "12 exhausted in 1h (threshold 10)",
    ),
    (
        default.CALLS_PARKED,
        {"parked": 5, "longest_s": 130, "calls": 3},
        "shop (prod): 5 Claude calls sleep because of a long retry-after",
        "5 calls asleep for over 1m (threshold 3); the last wakes in 2m10s",
    ),
    (
        default.RATE_LIMIT_HEADROOM,
        {"limit_kind": 2, "limit": 40_000, "remaining": 8000, "share": 0.2, "out_in_s": 20, "reset_in_s": 48},
        "shop (prod): the limit of input tokens on claude-x runs out in 20s",
        "8,000 of 40,000 input tokens left (20 %), out in 20s at the present pace, full again in 48s",
    ),
    (
        default.RATE_LIMIT_HEADROOM,
        {"limit_kind": 0, "limit": 50, "remaining": 0, "share": 0},
        "shop (prod): the limit of requests on claude-x is used up",
        "0 of 50 requests left (0 %)",
    ),
    (
        Rule(alert="H", condition=Headroom()),
        {},
        "shop (prod): the limit of a rate is used up",
        "0 of 0 of the limit left",
    ),
    (
        default.APP_SILENT,
        {"silent_s": 725, "attempts": 1},
        "shop (prod): has sent nothing for 12m5s",
        "nothing for 12m5s; 1 attempt in the 1h before",
    ),
    (
        default.MODEL_END_OF_LIFE,
        {"left_s": 1_140_125},
        "shop: claude-x is gone in 13d4h",
        "gone in 13d4h (threshold 14d)",
    ),
    (
        default.MODEL_END_OF_LIFE,
        {"left_s": -7300},
        "shop: claude-x is gone since 2h1m",
        "gone since 2h1m (threshold 14d)",
    ),
    (RULE_FAILED, {"count": 1}, "Claxon: rule X/page cannot be evaluated", "1 fault"),
    (OVERFLOW, {"count": 3}, "Claxon: rule X/page watches too many keys; further ones are watched as one", "3 faults"),
]


@pytest.mark.parametrize(("rule", "value", "line", "numbers"), SAID)
def test_a_page_says_what_is_wrong_and_by_how_much(rule: Rule, value: Value, line: str, numbers: str) -> None:
    alert = alert_of(rule, value)
    if isinstance(rule.condition, Own):
        alert.labels["rule"] = "X/page"

    told = message(alert, rule, external_url="http://127.0.0.1:5290/")

    assert (told.summary, told.measured) == (line, numbers)
    assert told.url == f"http://127.0.0.1:5290/alerts/{alert.fingerprint}"


@pytest.mark.parametrize(
    ("rule", "value", "said"),
    [
        (default.AUTH_ERROR, {"count": 7}, "in all 7 attempts"),
        (RULE_FAILED, {"count": 7}, "in all 7 faults"),
        (
            default.CALLS_PARKED,
            {"parked": 4},
            "at its worst 4 calls asleep for over 1m (threshold 3); the last wakes in 0s",
        ),
    ],
)
def test_the_end_says_how_bad_it_was(rule: Rule, value: Value, said: str) -> None:
    assert measured(value, rule, peak=True) == said


def test_the_summary_says_the_worst_of_the_episode() -> None:
    alert = alert_of(default.ERROR_RATE_PAGE, {"share": 0.1}, peak={"share": 0.5})

    assert "50 %" in summary(alert, default.ERROR_RATE_PAGE)


@pytest.mark.parametrize(
    ("reason", "keep", "said"),
    [
        ("recovered", 900, "recovered: the condition has been false for 15m"),
        ("recovered", 0, "recovered: the condition is no longer true"),
        ("stale", 900, "closed: nothing heard for 1h; this is not proof of recovery"),
        ("rule removed", 900, "closed: its rule was removed; this is not proof of recovery"),
        (
            "rule changed",
            900,
            "closed: its rule was changed, and the new one begins anew; this is not proof of recovery",
        ),
    ],
)
def test_the_end_says_why(reason: str, keep: int, said: str) -> None:
    rule = Rule(alert="A", condition=Any(), keep_firing_for_s=keep)

    assert resolve_reason(alert_of(rule, resolve_reason=reason), rule) == said


@pytest.mark.parametrize(("seconds", "said"), [(59, "59s"), (3599, "59m59s"), (3661, "1h1m"), (90_061, "1d1h")])
def test_a_long_duration_is_not_said_to_the_second(seconds: float, said: str) -> None:
    assert about(seconds) == said


# ── annotations ───────────────────────────────────────────────────────────────


def annotated(**annotations: str) -> Rule:
    return Rule(alert="A", condition=Headroom(), annotations=annotations, labels={"severity": "ticket", "team": "core"})


def test_annotations_are_filled_in_and_the_summary_is_the_pages() -> None:
    rule = annotated(
        summary="{{ labels.app }}/{{ labels.team }}: {{ value.limit_kind }} at {{ value.share | percent }}",
        runbook="https://wiki.example/{{ alert.name | lower }}?since={{ alert.starts_at }}&end={{ alert.ends_at }}",
    )

    told = message(alert_of(rule, {"limit_kind": 1, "share": 0.2}), rule, external_url="http://c")

    assert told.summary == "shop/core: tokens at 20 %"
    assert told.annotations["runbook"] == "https://wiki.example/a?since=2026-09-21T14:13:20Z&end="
    assert facts(told)["summary"] == told.summary


def test_a_resolved_alert_is_filled_in_with_the_worst_of_its_episode() -> None:
    rule = annotated(summary="{{ alert.status }} {{ value.share | percent }} {{ alert.ends_at }}")
    alert = alert_of(rule, {"share": 0.9}, peak={"share": 0.1}, state=State.INACTIVE, resolved_at=NOON + 60)

    assert message(alert, rule, external_url="").summary == "resolved 10 % 2026-09-21T14:14:20Z"


def test_a_label_that_is_empty_and_so_left_out_is_no_mistake() -> None:
    rule = annotated(summary="[{{ labels.environment }}] {{ labels.environment | default('nowhere') }}")
    alert = alert_of(rule)
    del alert.labels["environment"]

    assert message(alert, rule, external_url="").summary == "[] nowhere"


def test_a_summary_that_comes_out_empty_is_claxons_own() -> None:
    rule = annotated(summary="{% if value.share > 0.5 %}much{% endif %}")

    assert message(alert_of(rule), rule, external_url="").summary == "shop (prod): the limit of a rate is used up"


def test_an_annotation_that_was_never_checked_pages_with_a_mark() -> None:
    rule = annotated(summary="{{ labels.app.__class__ }}")

    assert message(alert_of(rule), rule, external_url="").summary.startswith("[not filled in: a part of a part")


def test_an_instant_that_no_calendar_has_is_left_out() -> None:
    rule = annotated(summary="since {{ alert.starts_at }}.")

    assert message(alert_of(rule, fired_at=1e300), rule, external_url="").summary == "since ."


def test_what_is_known_beside_the_evidence_is_told_as_it_was() -> None:
    told = message(
        alert_of(default.AUTH_ERROR, evidence=Evidence(failures=1, first_at=NOON - 5)),
        default.AUTH_ERROR,
        external_url="",
    )

    assert (told.since, told.annotations) == (NOON - 5, {})
