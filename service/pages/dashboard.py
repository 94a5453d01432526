"""The way from an alert to its dashboard in Grafana: the same app and model, and the time in which it fired.

≠ what the dashboards show.
"""

from __future__ import annotations

from urllib.parse import urlencode

from alerts.lifecycle import Alert

OVERVIEW = "claxon-overview"
BUDGET = "claxon-budget"
LIMITS = "claxon-limits"

_BOARDS = {
    "ClaudeRetriesExhausted": BUDGET,
    "ClaudeRateLimitHeadroom": LIMITS,
}
_BEFORE_S = 1_800
_AFTER_S = 900


def dashboard_of(grafana_url: str, alert: Alert) -> str:
    """Return the address of the dashboard that shows an alert best; "" where nobody said where Grafana is.

    It shows half an hour before the alert began and, if it has ended, a quarter of an hour after that; else up to now.
    """
    if not grafana_url:
        return ""
    labels = alert.labels
    asked = [(f"var-{name}", labels[name]) for name in ("app", "environment", "model") if labels.get(name)]
    if alert.fired_at is not None:
        asked.append(("from", _milliseconds(alert.fired_at - _BEFORE_S)))
        asked.append(("to", "now" if alert.resolved_at is None else _milliseconds(alert.resolved_at + _AFTER_S)))
    board = _BOARDS.get(labels.get("alertname", ""), OVERVIEW)
    return f"{grafana_url}/d/{board}?{urlencode(asked)}"


def _milliseconds(at: float) -> str:
    return str(round(at * 1000))
