"""The panels about the apps: what fires, whose fault it is, how much they call.

≠ Claxon itself.
"""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from .style import GREEN, ORANGE, PER_SECOND, RED, SECONDS, SHARE, Panel, fixed, graph, number, rows
from .words import ALERTS, APPS, CALLS, RATE, ZERO

ERROR_RATE = 0.05  # as in the rules ClaudeErrorRate
RETRY_STORM = 0.3  # as in the rule ClaudeRetryStorm

# ── now ───────────────────────────────────────────────────────────────────────


def now() -> list[Panel]:
    """Return the numbers at the top."""
    failing = f"{_share_by('app')} > {ERROR_RATE}"
    return [
        number(
            "Pages firing",
            "Alerts of severity page that fire, inhibited ones too.",
            (f'count(claxon_alert_firing{{severity="page", {ALERTS}}}) or {ZERO}', ""),
            steps=[(1, RED)],
        ),
        number(
            "Tickets firing",
            "Alerts of all other severities that fire.",
            (f'count(claxon_alert_firing{{severity!="page", {ALERTS}}}) or {ZERO}', ""),
            steps=[(1, ORANGE)],
        ),
        number(
            "Calls failed, last 5 min",
            "Share of calls that failed, absorbed attempts left out: what the rules look at. All models.",
            (f"sum(claxon_recent_failed_calls{{{APPS}}}) / (sum(claxon_recent_calls{{{APPS}}}) > 0)", ""),
            unit=SHARE,
            steps=[(ERROR_RATE, RED)],
            no_value="no calls",
        ),
        number(
            "Apps over 5 %",
            "Of the apps that called in the last 5 minutes. One: look at that app. All: look at the provider, "
            "the account or the network.",
            (f"count({failing}) or {ZERO}", "over 5 %"),
            (f"count(sum by (app) (claxon_recent_calls{{{APPS}}}) > 0) or {ZERO}", "calling"),
        ),
        number(
            "Calls per second",
            "Calls that ended.",
            (f"sum(rate(claxon_calls_total{{{CALLS}}}[{RATE}]))", ""),
            unit=PER_SECOND,
            no_value="no calls",
        ),
        number(
            "Evaluation lag",
            "How far Claxon's rules are behind the clock. Over 5 s they are late; no data: Claxon is down, or "
            "Prometheus cannot reach it.",
            ("max(claxon_evaluation_lag_seconds)", ""),
            unit=SECONDS,
            steps=[(2, ORANGE), (5, RED)],
        ),
    ]


def firing() -> Panel:
    """Return the table of the alerts that fire."""
    names = ["severity", "alertname", "app", "environment", "model", "path"]
    since = f"max by ({', '.join(names)}) (claxon_alert_fired_timestamp_seconds{{{ALERTS}}}) * 1000"
    order = {name: place for place, name in enumerate([*names, "Value"])}
    columns = {"excludeByName": {"Time": True}, "indexByName": order, "renameByName": {"Value": "since"}}
    return (
        rows(
            "Firing alerts",
            "Claxon's page of each alert says why it fires and what to do.",
            since,
            no_value="nothing fires, or no data: see Evaluation lag",
        )
        .with_transformation(DataTransformerConfig(id_val="organize", options=columns))
        .override_by_name("since", [DynamicConfigValue(id_val="unit", value="dateTimeFromNow")])
    )


# ── errors ────────────────────────────────────────────────────────────────────


def _share_by(labels: str) -> str:
    failed = f"sum by ({labels}) (claxon_recent_failed_calls{{{APPS}}})"
    return f"{failed} / (sum by ({labels}) (claxon_recent_calls{{{APPS}}}) > 0)"


def _rate(metric: str, *, by: str, only: str = "") -> str:
    return f"sum by ({by}) (rate({metric}{{{CALLS}{only}}}[{RATE}]))"


def errors() -> list[Panel]:
    """Return the graphs that tell whose fault it is."""
    failed_by_model = _rate("claxon_calls_total", by="model", only=', outcome!="ok"')
    absorbed = _rate("claxon_absorbed_attempts_total", by="app")
    # `cancelled` is no error.
    failed = 'category!~"ok|cancelled"'
    blamed = (
        f"sum by (blame) (rate(claxon_attempts_total{{{CALLS}, {failed}}}[{RATE}])"
        " * on (category) group_left (blame) max by (category, blame) (claxon_category_info))"
    )
    return [
        graph(
            "Error rate of calls by app",
            "Share of calls that failed in the last 5 minutes, absorbed attempts left out: what the rules look at. "
            "One line up: that app. All lines up: the provider, the account or the network. All models.",
            (_share_by("app, environment"), "{{app}} {{environment}}"),
            unit=SHARE,
            line_at=ERROR_RATE,
        ),
        graph(
            "Error rate of calls by model",
            "One line up: that model, or whoever calls it. A failure that a later attempt may take back is in here "
            "only after 10 minutes.",
            (f"{failed_by_model} / ({_rate('claxon_calls_total', by='model')} > 0)", "{{model}}"),
            unit=SHARE,
            line_at=ERROR_RATE,
        ),
        graph(
            "Failed attempts by where to look first",
            "provider: status.claude.com. key, account: the Console. request: the app's last deployment. "
            "network: between the app and the API. Absorbed attempts are in here.",
            (blamed, "{{blame}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        graph(
            "Failed attempts by category",
            "Absorbed attempts are in here.",
            (_rate("claxon_attempts_total", by="category", only=f", {failed}"), "{{category}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        graph(
            "Failed and exhausted calls by app",
            "exhausted: it failed, and no retry was left. failed: a retry could not have helped, or none was made.",
            (_rate("claxon_calls_total", by="app, outcome", only=', outcome!="ok"'), "{{app}} {{outcome}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        graph(
            "Absorbed attempts by app",
            "Share of attempts that failed and were retried: users see nothing but the wait, and it costs. The line "
            "is where a retry storm begins.",
            (f"{absorbed} / ({_rate('claxon_attempts_total', by='app')} > 0)", "{{app}}"),
            unit=SHARE,
            line_at=RETRY_STORM,
        ),
    ]


# ── load ──────────────────────────────────────────────────────────────────────


def load() -> list[Panel]:
    """Return the graphs of what the apps do when all is well."""
    spent = _rate("claxon_attempt_seconds_total", by="model")
    return [
        graph(
            "Calls by app",
            "Calls that ended, per second.",
            (_rate("claxon_calls_total", by="app"), "{{app}}"),
            unit=PER_SECOND,
            stacked=True,
            width=8,
        ),
        graph(
            "Attempts by category",
            "All of them, successes too, per second.",
            (_rate("claxon_attempts_total", by="category"), "{{category}}"),
            unit=PER_SECOND,
            stacked=True,
            width=8,
        ).override_by_name("ok", [fixed(GREEN)]),
        graph(
            "Tokens by kind",
            "Per second. requested is max_tokens, which counts against some limits before anything is written.",
            (_rate("claxon_tokens_total", by="kind"), "{{kind}}"),
            unit=PER_SECOND,
            width=8,
        ),
        graph(
            "Mean duration of attempts by model",
            "Failed attempts are in here: a time-out is long, a refused connection short.",
            (f"{spent} / ({_rate('claxon_timed_attempts_total', by='model')} > 0)", "{{model}}"),
            unit=SECONDS,
        ),
        graph(
            "Refusals by app",
            "Successes in which the model refused, per second. No rule looks at them.",
            (_rate("claxon_refusals_total", by="app"), "{{app}}"),
            unit=PER_SECOND,
        ),
    ]
