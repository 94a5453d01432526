"""Claxon / Overview: is it us, is it them, is it one app.

≠ what the panels are.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import Dashboard

from .apps import errors, firing, load, now, verdict
from .frame import framed


def overview() -> Dashboard:
    """Return the dashboard."""
    return framed(
        "Overview",
        "claxon-overview",
        "Errors of the Claude API as the apps see them, whose fault they are, and the alerts.",
        {
            "": [*now(), *verdict(), firing()],
            "Is it us, is it them, is it one app?": errors(),
            "Load": load(),
        },
    )
