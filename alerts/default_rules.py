"""The rules Claxon ships. What they never fire on: a single 429, a lone 500, an absorbed error."""

from __future__ import annotations

from .budgets import Tier
from .conditions import Any, Budget, Consecutive, EndOfLife, ErrorRate, Headroom, Of, Parked, Silent
from .matchers import parse_matcher
from .rules import Rule

_HOUR = 3600
_DAY = 86_400
_PAGE = {"severity": "page"}
_TICKET = {"severity": "ticket"}

# 14.4x for an hour spends 2 % of a 30 d budget, 6x for six hours 5 %, the slow ones 10 %.
# Source: The Site Reliability Workbook, ch. 5.
FAST_BURN = (
    Tier(burn=14.4, long_s=_HOUR, short_s=300),
    Tier(burn=6.0, long_s=6 * _HOUR, short_s=1800),
)
SLOW_BURN = (
    Tier(burn=3.0, long_s=_DAY, short_s=2 * _HOUR),
    Tier(burn=1.0, long_s=3 * _DAY, short_s=6 * _HOUR),
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
    clear_below=0.05,
    labels=_TICKET,
)
ERROR_RATE_PAGE = Rule(
    alert="ClaudeErrorRate",
    # With 99 % more than one page in 30 days is not true at 100 calls in 5 min: see docs/noise.md.
    condition=ErrorRate(confidence=0.995),
    by=("app", "environment", "model"),
    keep_firing_for_s=900,
    # Else an outage whose traffic thins to two calls in 5 min would be called recovered while both fail.
    clear_below=0.05,
    labels=_PAGE,
)
CONSECUTIVE_SERVER_ERRORS = Rule(
    alert="ClaudeConsecutiveServerErrors",
    # A path that never failed in a day is not one that never fails: see docs/noise.md.
    condition=Consecutive(floor=0.005),
    match=(parse_matcher('category=~"server|overloaded"'),),
    by=("app", "environment", "path"),
    labels=_PAGE,
)
# What the Claude API keeps: about one call in 200 fails on a usual day, so 99.9 % would burn all the time.
OBJECTIVE = 0.995
RETRIES_EXHAUSTED_PAGE = Rule(
    alert="ClaudeRetriesExhausted",
    condition=Budget(objective=OBJECTIVE, tiers=FAST_BURN, confidence=0.99),
    labels=_PAGE,
)
RETRIES_EXHAUSTED_TICKET = Rule(
    alert="ClaudeRetriesExhausted", condition=Budget(objective=OBJECTIVE, tiers=SLOW_BURN), labels=_TICKET
)
RETRY_STORM = Rule(
    alert="ClaudeRetryStorm",
    condition=ErrorRate(of=Of.ATTEMPTS, above=0.3, min_absorbed=20),
    labels=_TICKET,
)
CALLS_PARKED = Rule(alert="ClaudeCallsParked", condition=Parked(), keep_firing_for_s=300, labels=_TICKET)
RATE_LIMIT_HEADROOM = Rule(
    alert="ClaudeRateLimitHeadroom",
    condition=Headroom(),
    by=("app", "environment", "model"),
    keep_firing_for_s=300,
    labels=_TICKET,
)
MODEL_END_OF_LIFE = Rule(
    alert="ClaudeModelEndOfLife",
    condition=EndOfLife(),
    by=("app", "model"),
    keep_firing_for_s=0,
    stale_after_s=_DAY,
    labels=_TICKET,
)
APP_SILENT = Rule(alert="ClaudeAppSilent", condition=Silent(), keep_firing_for_s=0, stale_after_s=_DAY, labels=_TICKET)

DEFAULT_RULES: tuple[Rule, ...] = (
    AUTH_ERROR,
    ACCOUNT_BLOCKED,
    ERROR_RATE_PAGE,
    ERROR_RATE_TICKET,
    CONSECUTIVE_SERVER_ERRORS,
    RETRIES_EXHAUSTED_PAGE,
    RETRIES_EXHAUSTED_TICKET,
    RETRY_STORM,
    CALLS_PARKED,
    RATE_LIMIT_HEADROOM,
    MODEL_END_OF_LIFE,
    APP_SILENT,
)
