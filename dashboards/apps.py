"""The panels about the apps: what fires, whose fault it is, how much they call.

≠ retries, budgets, limits, Claxon itself.
"""

from __future__ import annotations

from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue

from .style import FROM_NOW, GREEN, ORANGE, PER_SECOND, RED, SECONDS, SHARE, Panel, fixed, graph, link, number, rows
from .thresholds import ERROR_RATE, EVALUATION_LAG_S, RETRY_STORM_SHARE
from .ways import ALERT_LABELS, FAILURES, NOW, THIS_ALERT, THIS_APP, THIS_CATEGORY, THIS_MODEL
from .words import ALERTS, APPS, FAILED, ZERO, failed_by, rate, share

# ── now ───────────────────────────────────────────────────────────────────────


def now() -> list[Panel]:
    """Return the numbers at the top."""
    failing = f"{_share_by('app')} > {ERROR_RATE}"
    over = f"{ERROR_RATE:.0%}".replace("%", " %")
    return [
        number(
            "Pages firing",
            "Alerts of severity page that fire, inhibited ones too.",
            (f'count(claxon_alert_firing{{severity="page", {ALERTS}}}) or {ZERO}', ""),
            steps=[(1, RED)],
            way=NOW,
        ),
        number(
            "Tickets firing",
            "Alerts of all other severities that fire.",
            (f'count(claxon_alert_firing{{severity!="page", {ALERTS}}}) or {ZERO}', ""),
            steps=[(1, ORANGE)],
            way=NOW,
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
            f"Apps over {over}",
            "Of the apps that called in the last 5 minutes. One: look at that app. All: look at the provider, "
            "the account or the network.",
            (f"count({failing}) or {ZERO}", f"over {over}"),
            (f"count(sum by (app) (claxon_recent_calls{{{APPS}}}) > 0) or {ZERO}", "calling"),
        ),
        number(
            "Calls per second",
            "Calls that ended.",
            (rate("claxon_calls_total"), ""),
            unit=PER_SECOND,
            no_value="no calls",
        ),
        number(
            "Evaluation lag",
            "How far Claxon's rules are behind the clock. Over 5 s they are late; no data: Claxon is down, or "
            "Prometheus cannot reach it.",
            ("max(claxon_evaluation_lag_seconds)", ""),
            unit=SECONDS,
            steps=[(2, ORANGE), (EVALUATION_LAG_S, RED)],
        ),
    ]


def verdict() -> list[Panel]:
    """Return the share of attempts that fail by whose fault it is: them, the network, us, one app."""
    return [
        _blamed("Is it them?", "provider", "The API's own faults: 5xx and 529. Look at status.claude.com."),
        _blamed("Is it the network?", "network", "Time-outs, connections, cut streams: between the apps and the API."),
        _blamed("Is it our key or account?", "key|account", "Rejected keys, spend limits, rate limits: the Console."),
        _blamed("Is it our requests?", "request", "What the API refuses to read: the last deployment of the app."),
    ]


def _blamed(title: str, blame: str, what: str) -> Panel:
    known = f'max by (category, blame) (claxon_category_info{{blame=~"{blame}"}})'
    failed = f"sum({rate('claxon_attempts_total', by='category', only=FAILED)} * on (category) group_left () {known})"
    return number(
        title,
        f"Share of attempts that failed so, absorbed ones too. {what}",
        (share(f"({failed} or {ZERO})", rate("claxon_attempts_total")), ""),
        unit=SHARE,
        steps=[(ERROR_RATE, RED)],
        no_value="no calls",
        width=6,
    )


def firing() -> Panel:
    """Return the table of the alerts that fire."""
    names = list(ALERT_LABELS)
    since = f"max by ({', '.join(names)}) (claxon_alert_fired_timestamp_seconds{{{ALERTS}}}) * 1000"
    # What became of it; a posted alert has its state there, too.
    states = f'max by ({", ".join([*names, "alertstate"])}) (claxon_alert_state{{alertstate!="pending", {ALERTS}}})'
    asked = f"({since}) * on ({', '.join(names)}) group_right () ({states})"
    order = {name: place for place, name in enumerate([*names, "alertstate", "Value"])}
    columns = {
        "excludeByName": {"Time": True},
        "indexByName": order,
        "renameByName": {"Value": "since", "alertstate": "state"},
    }
    return (
        rows(
            "Firing alerts",
            "A click leads to Claxon's page of the alert: why it fires and what to do.",
            asked,
            no_value="nothing fires, or no data: see Evaluation lag",
        )
        .with_transformation(DataTransformerConfig(id_val="organize", options=columns))
        .override_by_name("since", [DynamicConfigValue(id_val="unit", value=FROM_NOW)])
        .override_by_name("alertname", [link(THIS_ALERT)])
    )


# ── errors ────────────────────────────────────────────────────────────────────


def _share_by(labels: str) -> str:
    failed = f"sum by ({labels}) (claxon_recent_failed_calls{{{APPS}}})"
    return share(failed, f"sum by ({labels}) (claxon_recent_calls{{{APPS}}})")


def errors() -> list[Panel]:
    """Return the graphs that tell whose fault it is."""
    failed_by_model = rate("claxon_calls_total", by="model", only='outcome!="ok"')
    absorbed = rate("claxon_absorbed_attempts_total", by="app")
    return [
        graph(
            "Error rate of calls by app",
            "Share of calls that failed in the last 5 minutes, absorbed attempts left out: what the rules look at. "
            "One line up: that app. All lines up: the provider, the account or the network. All models.",
            (_share_by("app, environment"), "{{app}} {{environment}}"),
            unit=SHARE,
            line_at=ERROR_RATE,
            way=THIS_APP,
        ),
        graph(
            "Error rate of calls by model",
            "One line up: that model, or whoever calls it. A failure that a later attempt may take back is in here "
            "only after 10 minutes.",
            (share(failed_by_model, rate("claxon_calls_total", by="model")), "{{model}}"),
            unit=SHARE,
            line_at=ERROR_RATE,
            way=THIS_MODEL,
        ),
        graph(
            "Failed attempts by where to look first",
            "provider: status.claude.com. key, account: the Console. request: the app's last deployment. "
            "network: between the app and the API. Absorbed attempts are in here.",
            (failed_by("blame"), "{{blame}}"),
            unit=PER_SECOND,
            stacked=True,
        ),
        graph(
            "Failed attempts by category",
            "Absorbed attempts are in here.",
            (rate("claxon_attempts_total", by="category", only=FAILED), "{{category}}"),
            unit=PER_SECOND,
            stacked=True,
            way=THIS_CATEGORY,
        ),
        graph(
            "Failed and exhausted calls by app",
            "exhausted: it failed, and no retry was left. failed: a retry could not have helped, or none was made.",
            (rate("claxon_calls_total", by="app, outcome", only='outcome!="ok"'), "{{app}} {{outcome}}"),
            unit=PER_SECOND,
            stacked=True,
            way=FAILURES,
        ),
        graph(
            "Absorbed attempts by app",
            "Share of attempts that failed and were retried: users see nothing but the wait, and it costs. The line "
            "is where a retry storm begins.",
            (share(absorbed, rate("claxon_attempts_total", by="app")), "{{app}}"),
            unit=SHARE,
            line_at=RETRY_STORM_SHARE,
            way=THIS_APP,
        ),
    ]


# ── load ──────────────────────────────────────────────────────────────────────


def load() -> list[Panel]:
    """Return the graphs of what the apps do when all is well."""
    return [
        graph(
            "Calls by app",
            "Calls that ended, per second.",
            (rate("claxon_calls_total", by="app"), "{{app}}"),
            unit=PER_SECOND,
            stacked=True,
            way=THIS_APP,
        ),
        graph(
            "Attempts by category",
            "All of them, successes too, per second.",
            (rate("claxon_attempts_total", by="category"), "{{category}}"),
            unit=PER_SECOND,
            stacked=True,
        ).override_by_name("ok", [fixed(GREEN)]),
    ]
