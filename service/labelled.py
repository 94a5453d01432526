"""Finds an alert by its labels, for those who know no fingerprint: a dashboard has the labels of a metric.

≠ HTTP, what is said of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from alerts.lifecycle import State

from .core import Core

LABELS = ("alertname", "severity", "app", "environment", "model", "path")
"""What claxon_alert_fired_timestamp_seconds says of an alert."""


def find_by_labels(core: Core, wanted: Mapping[str, str]) -> str | None:
    """Return the fingerprint of an alert that fires or is pending, with just these of `LABELS`; None if there is none.

    Where other labels tell several apart, it is one that fires, if one does. Runs in the core's thread.
    """
    asked = tuple(wanted.get(name, "") for name in LABELS)
    live = (alert for alert in core.engine.alerts() if alert.state is not State.INACTIVE)
    same = [
        alert
        for alert in chain(live, core.notifier.state.firing.values())
        if tuple(alert.labels.get(name, "") for name in LABELS) == asked
    ]
    return min(same, key=lambda alert: alert.state is not State.FIRING).fingerprint if same else None
