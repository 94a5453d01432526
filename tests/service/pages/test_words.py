"""Rules and numbers in words."""

from __future__ import annotations

import pytest

from alerts import default_rules as default
from alerts.budgets import Tier
from alerts.conditions import Any, Budget, ErrorRate, Own
from alerts.decisions import Decision, What
from alerts.rules import Rule
from service.pages.words import numbers, rule_words

STORM = (
    "over 30 % of attempts in 5m failed, and at least 3, at least 20 of them absorbed by a retry while a call succeeded"
)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (default.AUTH_ERROR, "one matching attempt is enough"),
        (default.ERROR_RATE_TICKET, "over 5 % of calls in 5m failed, and at least 3"),
        (
            default.ERROR_RATE_PAGE,
            (
                "over 5 % of calls in 5m failed, and at least 3, and not by chance: "
                "it is 99.5 % sure that the share is over 5 %"
            ),
        ),
        (default.RETRY_STORM, STORM),
        (default.CALLS_PARKED, "at least 3 calls sleep at once for over 1m, as a retry-after told them"),
        (
            default.RATE_LIMIT_HEADROOM,
            (
                "at the pace of the last 1m a rate limit runs out before it is full again, "
                "and under 50 % of it is left; "
                "or nothing is left"
            ),
        ),
        (default.APP_SILENT, "who made at least 1 attempts a minute for 1h has sent nothing for 10m"),
        (default.MODEL_END_OF_LIFE, "a model that is called is gone in 14d or less"),
        (Rule(alert="ClaxonRuleFailed", condition=Own()), "something is wrong with Claxon itself"),
        (Rule(alert="B", condition=Budget(max_count=3)), "over 3 calls in 1h failed with retries exhausted"),
        (
            Rule(alert="B", condition=Budget(tiers=(Tier(burn=2, long_s=3600, short_s=300),), confidence=0.99)),
            (
                "in 1h and in 5m, calls with retries exhausted spend the error budget at over 2x "
                "(0.1 % of the calls in 30d may fail; 99 % sure that this is not by chance)"
            ),
        ),
    ],
)
def test_a_rule_is_said_in_words(rule: Rule, words: str) -> None:
    assert dict(rule_words(rule))["Fires when"] == words


def test_what_a_rule_does_not_have_is_not_said() -> None:
    said = dict(rule_words(Rule(alert="A", condition=Any(), keep_firing_for_s=0)))

    assert not {"Keeps firing for", "Clears below", "First waits for"} & set(said)


def test_what_a_rule_has_is_said() -> None:
    said = dict(rule_words(Rule(alert="A", condition=ErrorRate(), hold_s=60, clear_below=0.02)))

    assert (said["Clears below"], said["First waits for"]) == ("2 %", "1m")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"failed": 9, "share": 0.148, "bound": 0.07}, "failed 9, share 14.8 %, surely over 7 %"),
        ({"burn": 90.0, "tier": 14.4, "long_s": 3600}, "burn 90x, threshold 14.4x, window 1 h"),
        ({"limit_kind": 2, "out_in_s": 20, "reset_in_s": 48}, "limit on input tokens, out in 20 s, full in 48 s"),
        ({"limit_kind": 9}, "limit on –"),
        ({"left_s": 90_000}, "left 1 d 1 h"),
        ({"left_s": -3600}, "left gone since 1 h"),
        ({"silent_s": 600, "attempts": 61}, "silent for 10 min, attempts 61"),
        ({"parked": 4, "longest_s": 130, "calls": 3}, "parked 4, last wakes in 2 min 10 s, calls 3"),
        ({"calls_24h": 1e4, "failures_24h": 3}, "calls in 24 h 10,000, failures in 24 h 3"),
    ],
)
def test_the_numbers_of_a_decision_are_said_in_words(value: dict[str, float], words: str) -> None:
    assert numbers(Decision(at=0, what=What.FIRED, value=value)) == words
