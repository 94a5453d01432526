"""The rules Claxon ships. What they never fire on: a single 429, a lone 500, an absorbed error."""

from __future__ import annotations

from .budgets import Tier
from .matchers import parse_matcher
from .rules import Any, Budget, Consecutive, ErrorRate, Rule

_HOUR = 3600
_DAY = 86_400
_PAGE = {"severity": "page"}
_TICKET = {"severity": "ticket"}

# 14.4x for an hour spends 2 % of a 30 d budget, 6x for six hours 5 %, the slow ones 10 %.
# Source: The Site Reliability Workbook, ch. 5.
FAST_BURN = (
    Tier(burn=14.4, long_s=_HOUR, short_s=300),
    Tier(burn=6, long_s=6 * _HOUR, short_s=1800),
)
SLOW_BURN = (
    Tier(burn=3, long_s=_DAY, short_s=2 * _HOUR),
    Tier(burn=1, long_s=3 * _DAY, short_s=6 * _HOUR),
)

AUTH_ERROR = Rule(
    alert="ClaudeAuthError",
    condition=Any(),
    match=(parse_matcher('category="authentication"'), parse_matcher('final="true"')),
    labels=_PAGE,
)
ACCOUNT_BLOCKED = Rule(
    alert="ClaudeAccountBlocked", condition=Any(), match=(parse_matcher('category="account"'),), labels=_PAGE
)
ERROR_RATE_TICKET = Rule(
    alert="ClaudeErrorRate",
    condition=ErrorRate(),
    by=("app", "environment", "model"),
    keep_firing_for_s=300,
    labels=_TICKET,
)
ERROR_RATE_PAGE = Rule(
    alert="ClaudeErrorRate",
    condition=ErrorRate(confidence=0.99),
    by=("app", "environment", "model"),
    keep_firing_for_s=900,
    labels=_PAGE,
)
CONSECUTIVE_SERVER_ERRORS = Rule(
    alert="ClaudeConsecutiveServerErrors",
    condition=Consecutive(),
    match=(parse_matcher('category=~"server|overloaded"'),),
    by=("app", "environment", "path"),
    labels=_PAGE,
)
RETRIES_EXHAUSTED_PAGE = Rule(alert="ClaudeRetriesExhausted", condition=Budget(tiers=FAST_BURN), labels=_PAGE)
RETRIES_EXHAUSTED_TICKET = Rule(alert="ClaudeRetriesExhausted", condition=Budget(tiers=SLOW_BURN), labels=_TICKET)

DEFAULT_RULES: tuple[Rule, ...] = (
    AUTH_ERROR,
    ACCOUNT_BLOCKED,
    ERROR_RATE_PAGE,
    ERROR_RATE_TICKET,
    CONSECUTIVE_SERVER_ERRORS,
    RETRIES_EXHAUSTED_PAGE,
    RETRIES_EXHAUSTED_TICKET,
)
