"""Claxon / Error budget: what is left, how fast it burns in each window of the rules, when it is gone.

≠ errors, limits.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from alerts.budgets import Tier
from alerts.durations import format_duration

from .frame import framed
from .style import FROM_NOW, ORANGE, PER_SECOND, RED, SECONDS, SHARE, TIMES, Panel, graph, link, number, rows
from .thresholds import OBJECTIVE, TIERS
from .ways import BUDGETS, THIS_APP
from .words import APPS, ZERO, rate, share

OBJECTIVE_WORDS = f"{OBJECTIVE * 100:g} %"
REMAINING = f"claxon_error_budget_remaining_ratio{{{APPS}}}"
GONE_AT = f"claxon_error_budget_exhausted_timestamp_seconds{{{APPS}}}"
PAGE_BURN = min(tier.burn for tier, severity in TIERS if severity == "page")
TICKET_BURN = min(tier.burn for tier, severity in TIERS if severity != "page")


def error_budget() -> Dashboard:
    """Return the dashboard."""
    return framed(
        "Error budget",
        "claxon-budget",
        f"Of each app, how much of the {(1 - OBJECTIVE) * 100:g} % of calls that may fail is spent, and how fast.",
        {
            "": [*_now(), _table()],
            "Burn by window: both must be over the line": [_burn(tier, severity) for tier, severity in TIERS],
            "What is left, and what spends it": _spent(),
        },
    )


def _now() -> list[Panel]:
    return [
        number(
            "Least left",
            "Of the app whose budget is spent most. Below 0 it is overspent.",
            (f"min({REMAINING})", ""),
            unit=SHARE,
            good_from=[(0, ORANGE), (0.25, "green")],
            no_value="no calls",
            width=6,
            way=BUDGETS,
        ),
        number(
            "First one gone in",
            "At the burn rate of the shortest window of an hour or more.",
            (f"min({GONE_AT} - time())", ""),
            unit=SECONDS,
            no_value="nothing burns",
            width=6,
            way=BUDGETS,
        ),
        number(
            "Budgets overspent",
            "Apps and environments with nothing left.",
            (f"count({REMAINING} <= 0) or {ZERO}", ""),
            steps=[(1, RED)],
            width=6,
            way=BUDGETS,
        ),
        number(
            "Fastest burn, last hour",
            "1 is what the budget allows all the time. From the lower threshold on it may be a ticket, from the "
            "higher one on a page, if the other window agrees.",
            (f'max(claxon_error_budget_burn_rate{{window="1h", {APPS}}})', ""),
            unit=TIMES,
            steps=[(TICKET_BURN, ORANGE), (PAGE_BURN, RED)],
            no_value="no calls",
            width=6,
            way=BUDGETS,
        ),
    ]


def _table() -> Panel:
    columns = {
        "excludeByName": {"Time": True},
        "indexByName": {"app": 0, "environment": 1, "Value #A": 2, "Value #B": 3},
        "renameByName": {"Value #A": "left", "Value #B": "gone"},
    }
    return (
        rows(
            "Budgets by app",
            "A budget that nothing burns has no end.",
            f"min by (app, environment) ({REMAINING})",
            f"min by (app, environment) ({GONE_AT}) * 1000",
            no_value="no calls",
        )
        .with_transformation(DataTransformerConfig(id_val="merge", options={}))
        .with_transformation(DataTransformerConfig(id_val="organize", options=columns))
        .override_by_name("left", [DynamicConfigValue(id_val="unit", value=SHARE)])
        .override_by_name("gone", [DynamicConfigValue(id_val="unit", value=FROM_NOW)])
        .override_by_name("app", [link(BUDGETS)])
    )


def _burn(tier: Tier, severity: str) -> Panel:
    long, short = format_duration(tier.long_s), format_duration(tier.short_s)
    return graph(
        f"Burn over {long} and {short}: {severity} at {tier.burn:g}x",
        f"How many times faster than allowed. An app is over the line in both windows: a {severity}, if enough calls "
        "were exhausted and it is no chance. Without calls in a window there is no line.",
        (_burn_rate(long), f"{{{{app}}}} {{{{environment}}}} {long}"),
        (_burn_rate(short), f"{{{{app}}}} {{{{environment}}}} {short}"),
        unit=TIMES,
        line_at=tier.burn,
        way=THIS_APP,
    )


def _burn_rate(window: str) -> str:
    return f'max by (app, environment) (claxon_error_budget_burn_rate{{window="{window}", {APPS}}})'


def _spent() -> list[Panel]:
    exhausted = 'outcome="exhausted"'
    return [
        graph(
            "Left by app",
            "If calls come as often in all of the period as in the longest window of the rules.",
            (f"min by (app, environment) ({REMAINING})", "{{app}} {{environment}}"),
            unit=SHARE,
            line_below=0,
            negative=True,
            width=8,
            way=THIS_APP,
        ),
        graph(
            "Exhausted calls by app",
            "What spends the budget: calls that failed with no retry left.",
            (rate("claxon_calls_total", by="app", only=exhausted), "{{app}}"),
            unit=PER_SECOND,
            stacked=True,
            width=8,
            way=THIS_APP,
        ),
        graph(
            "Share of calls exhausted",
            f"The line is what an objective of {OBJECTIVE_WORDS} allows all the time.",
            (
                share(rate("claxon_calls_total", by="app", only=exhausted), rate("claxon_calls_total", by="app")),
                "{{app}}",
            ),
            unit=SHARE,
            line_at=round(1 - OBJECTIVE, 6),
            width=8,
            way=THIS_APP,
        ),
    ]
