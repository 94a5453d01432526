"""What the catalog says of alerts and error budgets.

≠ who is told.
"""

from __future__ import annotations

from .labels import ALERT, APP
from .metric import Chapter, Metric, one
from .sample import FIRING_LABELS, MAX_APPS, MAX_FIRING

ALERTS = Chapter(
    title="Alerts",
    about=(
        f"Bounded: one series for each rule and state, and at most {MAX_FIRING:,} for single alerts, pages first, "
        "then the newest. Labels that a rule's `by` does not have are empty. Inhibited alerts fire too."
    ),
    metrics=(
        Metric(
            name="claxon_alerts",
            unit="alerts",
            help="Alerts that are pending or firing; every rule is there from 0.",
            labels=("alertname", "severity", "state"),
            read=lambda sample: sample.alerts.items(),
        ),
        Metric(
            name="claxon_alert_firing",
            unit="1",
            help="1 for each alert that fires; the series is gone when it does not.",
            labels=FIRING_LABELS,
            read=lambda sample: [(labels, 1) for labels in sample.firing],
        ),
        Metric(
            name="claxon_alert_fired_timestamp_seconds",
            unit="seconds",
            help="When each alert that fires began to, in Unix time.",
            labels=FIRING_LABELS,
            read=lambda sample: sample.firing.items(),
        ),
        Metric(
            name="claxon_unlisted_firing_alerts",
            unit="alerts",
            help="Alerts that fire and have no series of their own, for there are too many.",
            read=one(lambda sample: sample.unlisted),
        ),
        Metric(
            name="claxon_alert_state",
            unit="1",
            help="Always 1: each alert that is pending or fires, as Prometheus's own ALERTS, by what became of it: "
            "pending, firing, acknowledged, silenced or inhibited. A posted alert is there, too.",
            labels=ALERT,
            read=lambda sample: [(labels, 1) for labels in sample.states],
        ),
    ),
)

BUDGETS = Chapter(
    title="Error budgets",
    about=(
        "As the budget rules say it, of calls whose retries were exhausted; where several are about the same app, the "
        f"worst of them. Bounded: {MAX_APPS:,} (app, environment), those that are spent most first, and the windows "
        "of the rules, for the shipped ones 5m, 30m, 1h, 2h, 6h, 1d and 3d. Without calls in a window there is no "
        "burn rate, and no series."
    ),
    metrics=(
        Metric(
            name="claxon_error_budget_remaining_ratio",
            unit="ratio",
            help="The share of the error budget that is left, if calls come as often in all of its period as since "
            "the first one in the longest window; below 0 it is overspent.",
            labels=APP,
            read=lambda sample: sample.budgets.remaining.items(),
        ),
        Metric(
            name="claxon_error_budget_burn_rate",
            unit="ratio",
            help="How many times faster than allowed the error budget is spent, by window; at 1 it lasts just as long "
            "as its period.",
            labels=(*APP, "window"),
            read=lambda sample: sample.budgets.burn.items(),
        ),
        Metric(
            name="claxon_error_budget_exhausted_timestamp_seconds",
            unit="seconds",
            help="When the error budget is spent at the burn rate of the shortest window of an hour or more, in Unix "
            "time; not there while nothing is spent.",
            labels=APP,
            read=lambda sample: sample.budgets.exhausted_at.items(),
        ),
    ),
)
