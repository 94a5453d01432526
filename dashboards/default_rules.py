"""Claxon's default rules as Prometheus rules, as far as counters can say them; made of the rules themselves.

docs/howto/prometheus-rules.md says what they cannot see. ≠ rules about Claxon itself, YAML.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from claxon.taxonomy import KINDS, Category

from alerts import default_rules as defaults
from alerts.budgets import Tier
from alerts.conditions import Budget, Consecutive, ErrorRate, Headroom, Parked, Silent
from alerts.durations import format_duration
from alerts.measured import percent
from alerts.rules import Rule

from .promql import both, count_by, fires, wilson
from .thresholds import condition_of

Entry: TypeAlias = dict[str, Any]
"""A group, or one rule, as Prometheus's files have it."""

MODEL = ("app", "environment", "model")
APP = ("app", "environment")

WINDOW_S = condition_of(defaults.ERROR_RATE_PAGE, ErrorRate).window_s
CALLS = "claxon:calls:increase5m"
FAILED = "claxon:failed_calls:increase5m"

MINUTES_S = 120
"""In which an app that calls steadily is heard of, when Prometheus scrapes once a minute."""
HEARD_OF = "claxon:attempts:increase2m"

WHERE = "{{ $labels.app }}{{ with $labels.environment }} ({{ . }}){{ end }}"
ON = "{{ with $labels.model }} on {{ . }}{{ end }}"
MOSTLY = (
    "{{ with printf `topk(1, sum by (category) (increase(claxon_attempts_total{app=%q, environment=%q, "
    'category!~"ok|cancelled"}[5m])) > 0)` $labels.app $labels.environment | query }}'
    'Most are {{ . | first | label "category" }}.{{ end }}'
)


def groups() -> list[Entry]:
    """Return the groups."""
    return [
        {"name": "claxon-calls", "interval": "30s", "rules": [*_counts(), *_causes(), *_rates(), *_limits()]},
        {"name": "claxon-budget", "interval": "1m", "rules": list(_budgets())},
        {"name": "claxon-silent", "interval": "1m", "rules": list(_silent())},
    ]


def _alert(rule: Rule, expr: str, *, summary: str, description: str) -> Entry:
    kept = {"keep_firing_for": format_duration(rule.keep_firing_for_s)} if rule.keep_firing_for_s else {}
    return {
        "alert": rule.alert,
        "expr": expr,
        **({"for": format_duration(rule.hold_s)} if rule.hold_s else {}),
        **kept,
        "labels": dict(rule.labels),
        "annotations": {"summary": f"{WHERE}: {summary}", "description": description},
    }


def _record(name: str, expr: str) -> Entry:
    return {"record": name, "expr": expr}


# ── what most rules count ─────────────────────────────────────────────────────


def _counts() -> Iterator[Entry]:
    yield _record(CALLS, count_by(MODEL, "claxon_calls_total", WINDOW_S))
    yield _record(FAILED, count_by(MODEL, 'claxon_calls_total{outcome!="ok"}', WINDOW_S))


# ── one is enough ─────────────────────────────────────────────────────────────


def _causes() -> Iterator[Entry]:
    for rule, category, summary in (
        (defaults.AUTH_ERROR, Category.AUTHENTICATION, "the Claude API rejects the key"),
        (defaults.ACCOUNT_BLOCKED, Category.ACCOUNT, "the Claude account is blocked"),
    ):
        attempts = count_by(APP, f'claxon_attempts_total{{category="{category.value}"}}', WINDOW_S)
        yield _alert(
            rule,
            f"{attempts} > 0",
            summary=summary,
            description="{{ $value | humanize }} in 5m; one is enough. " + KINDS[category].advice,
        )


# ── shares and streaks ────────────────────────────────────────────────────────


def _rates() -> Iterator[Entry]:
    for rule in (defaults.ERROR_RATE_PAGE, defaults.ERROR_RATE_TICKET):
        yield _error_rate(rule, condition_of(rule, ErrorRate))
    yield _in_a_row(defaults.CONSECUTIVE_SERVER_ERRORS)
    yield _retry_storm(defaults.RETRY_STORM, condition_of(defaults.RETRY_STORM, ErrorRate))


def _error_rate(rule: Rule, rate: ErrorRate) -> Entry:
    share = f"{FAILED} / {CALLS}"
    begins = [f"{share} > {rate.above}", f"{FAILED} >= {rate.min_failed}"]
    sure = ""
    if rate.confidence is not None:
        begins.append(f"{wilson(FAILED, CALLS, confidence=rate.confidence)} > {rate.above}")
        sure = f", with {percent(rate.confidence)} confidence"
    goes_on = both(
        f"{share} >= {rule.clear_below}",
        f"{FAILED} >= 1",
        f"on ({', '.join(MODEL)}) {fires(rule.alert, rule.severity)}",
    )
    return _alert(
        rule,
        f"{both(*begins)}\nor\n{goes_on}",
        summary="{{ $value | humanizePercentage }} of Claude calls fail" + ON,
        description=f"Over {percent(rate.above)} in {format_duration(rate.window_s)}, and at least {rate.min_failed}"
        f"{sure}. {MOSTLY}",
    )


def _in_a_row(rule: Rule) -> Entry:
    count = condition_of(rule, Consecutive).count
    (match,) = rule.match
    server = count_by(MODEL, f"claxon_attempts_total{{{match}}}", WINDOW_S)
    # Calls, for the attempts of one call are one failure; half a call, for what is extrapolated is not whole.
    expr = both(f"{server} >= {count}", f"{FAILED} >= {count}", f"{CALLS} - {FAILED} < 0.5")
    return _alert(
        rule,
        expr,
        summary="server errors and no success" + ON,
        description=f"At least {count} failed calls in {format_duration(WINDOW_S)}, and none that succeeded. "
        + KINDS[Category.SERVER].advice,
    )


def _retry_storm(rule: Rule, rate: ErrorRate) -> Entry:
    attempts = count_by(APP, 'claxon_attempts_total{category!="cancelled"}', rate.window_s)
    failed = count_by(APP, 'claxon_attempts_total{category!~"ok|cancelled"}', rate.window_s)
    absorbed = count_by(APP, "claxon_absorbed_attempts_total", rate.window_s)
    expr = both(
        f"{failed}\n/ {attempts} > {rate.above}",
        f"{absorbed} >= {rate.min_absorbed}",
        f"sum by ({', '.join(APP)}) ({CALLS} - {FAILED}) >= 1",
    )
    return _alert(
        rule,
        expr,
        summary="{{ $value | humanizePercentage }} of attempts fail, and retries hide it",
        description=f"Over {percent(rate.above)} of attempts in {format_duration(rate.window_s)}, at least "
        f"{rate.min_absorbed} of them absorbed by a retry. {MOSTLY}",
    )


# ── sleeping calls, limits ────────────────────────────────────────────────────


def _limits() -> Iterator[Entry]:
    rule = defaults.CALLS_PARKED
    parked = condition_of(rule, Parked)
    yield _alert(
        rule,
        f"claxon_parked_calls >= {parked.calls}",
        summary="{{ $value }} Claude calls sleep because of a long retry-after",
        description=f"At least {parked.calls} calls asleep for over {format_duration(int(parked.over_s))}. "
        + KINDS[Category.RATE_LIMIT].advice,
    )
    rule = defaults.RATE_LIMIT_HEADROOM
    yield _headroom(rule, condition_of(rule, Headroom))


def _headroom(rule: Rule, headroom: Headroom) -> Entry:
    left, share = "claxon_ratelimit_remaining", "claxon_ratelimit_remaining_ratio"
    # Twice the rule's window, for two points where Prometheus scrapes once a minute.
    pace = f"deriv({left}[{format_duration(2 * headroom.window_s)}])"
    # The limits are token buckets that are full again within a minute: what is used is back by then.
    out_first = f"{left} + {pace} * 60 * (1 - {share}) < 0"
    expr = both(f"{share} < {headroom.below}", out_first)
    used_up = f"{share} == 0"
    return _alert(
        rule,
        f"min by ({', '.join((*MODEL, 'bucket'))}) (\n({expr})\nor {used_up}\n)",
        summary="the limit of {{ $labels.bucket }}" + ON + " runs out",
        description="{{ $value | humanizePercentage }} left, and at the present pace it runs out before it is full "
        "again. " + KINDS[Category.RATE_LIMIT].advice,
    )


# ── budgets ───────────────────────────────────────────────────────────────────


def _budgets() -> Iterator[Entry]:
    recorded: set[int] = set()
    for rule in (defaults.RETRIES_EXHAUSTED_PAGE, defaults.RETRIES_EXHAUSTED_TICKET):
        budget = condition_of(rule, Budget)
        for window in sorted({s for tier in budget.tiers for s in (tier.short_s, tier.long_s)} - recorded):
            recorded.add(window)
            calls, exhausted = _names(window)
            yield _record(calls, count_by(APP, "claxon_calls_total", window))
            yield _record(exhausted, count_by(APP, 'claxon_calls_total{outcome="exhausted"}', window))
        yield _burns(rule, budget)


def _names(window_s: int) -> tuple[str, str]:
    window = format_duration(window_s)
    return f"claxon:app_calls:increase{window}", f"claxon:exhausted_calls:increase{window}"


def _burns(rule: Rule, budget: Budget) -> Entry:
    tiers = "\nor\n".join(_tier(tier, budget) for tier in budget.tiers)
    said = ", or ".join(
        f"{tier.burn:g}x over {format_duration(tier.long_s)} and {format_duration(tier.short_s)}"
        for tier in budget.tiers
    )
    return _alert(
        rule,
        tiers,
        summary="calls fail with retries exhausted, the error budget burns at {{ $value | humanize }}x",
        description=f"Over {said}, of an objective of {percent(budget.objective)}. {MOSTLY}",
    )


def _tier(tier: Tier, budget: Budget) -> str:
    allowed = 1 - budget.objective
    limit = round(tier.burn * allowed, 9)
    conditions = []
    for window in (tier.long_s, tier.short_s):
        calls, exhausted = _names(window)
        over = f"{exhausted} / {calls}"
        # The long window's burn is the alert's value.
        conditions.append(f"{over} / {allowed:g} > {tier.burn:g}" if window == tier.long_s else f"{over} > {limit:g}")
        if budget.confidence is not None:
            conditions.append(f"{wilson(exhausted, calls, confidence=budget.confidence)} > {limit:g}")
    return both(*conditions, f"{_names(tier.long_s)[1]} >= {budget.min_exhausted}")


# ── silence ───────────────────────────────────────────────────────────────────


def _silent() -> Iterator[Entry]:
    rule = defaults.APP_SILENT
    silent = condition_of(rule, Silent)
    after, steady = format_duration(silent.after_s), format_duration(silent.steady_s)
    # A point of these looks back so far itself.
    lately = format_duration(silent.after_s - MINUTES_S)
    # A minute more: what was sent last is scraped a moment later.
    before = f"{HEARD_OF}[{steady}] offset {format_duration(silent.after_s + 60)}"
    minutes = silent.steady_s // 60
    yield _record(HEARD_OF, count_by(APP, "claxon_attempts_total", MINUTES_S))
    quiet = f"max_over_time({HEARD_OF}[{lately}]) < 0.5"
    # So many points of the last minutes: neither Claxon nor Prometheus was away.
    heard = f"count_over_time({HEARD_OF}[{lately}]) >= {(silent.after_s - MINUTES_S) // 60 - 1}"
    steadily = both(
        f"min_over_time({before}) >= {silent.per_minute * MINUTES_S / 60:g}",
        f"count_over_time({before}) >= {minutes - 2}",
    )
    on = f"on ({', '.join(APP)})"
    steady_or_told = f"({steadily})\nor {on} {fires(rule.alert, rule.severity)}"
    expr = f"{quiet}\nand {heard}\nand {on} (\n{steady_or_told}\n)"
    yield _alert(
        rule,
        expr,
        summary=f"has sent nothing for {after}",
        description=f"Before, it made at least {silent.per_minute:g} a minute for {steady}. Has it stopped, or "
        "can it not reach Claxon?",
    )
