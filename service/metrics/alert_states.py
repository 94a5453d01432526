"""Alerts by what became of them, as Prometheus's ALERTS series say it.

≠ names, formats.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from alerts.lifecycle import Alert, State
from alerts.notifier import Notifier

_NAMES = ("severity", "app", "environment", "model", "path")


def alert_states(notifier: Notifier, decided: Iterable[Alert], now: float) -> list[tuple[str, ...]]:
    """Return (alertname, alertstate, severity, app, environment, model, path) of alerts; the same ones only once.

    Args:
        notifier: Knows what holds alerts back, and who looks after them.
        decided: Alerts of rules that are pending or fire.
        now: Unix seconds.
    """
    decided = list(decided)
    known = {alert.fingerprint for alert in decided}
    posted = (alert for name, alert in notifier.state.firing.items() if name in notifier.state.received.keys() - known)
    found: dict[tuple[str, ...], None] = {}
    for alert in chain(decided, posted):
        labels = alert.labels
        state = state_of(notifier, alert, now)
        found[labels.get("alertname", ""), state, *(labels.get(name, "") for name in _NAMES)] = None
    return list(found)


def state_of(notifier: Notifier, alert: Alert, now: float) -> str:
    """Return pending, inhibited, silenced, acknowledged or firing: the first of these that it is."""
    if alert.state is State.PENDING:
        return "pending"
    desk, kind = notifier.desk, notifier.held_back(alert.fingerprint).partition(" ")[0]
    # What was told before a cause, or a silence, came is not held back, but is nobody's business any more.
    if kind == "inhibited" or desk.inhibition.source_of(alert) is not None:
        return "inhibited"
    if kind == "silenced" or desk.silencing.by(alert.labels, now):
        return "silenced"
    return "acknowledged" if desk.acked(alert.fingerprint, desk.episode_of(alert), now) else "firing"
