"""What labels and annotations say of one alert: where it is, what it means, what to do about it.

≠ vendors' formats.
"""

from __future__ import annotations

from alerts.notification import AlertMessage

from .text import brief

MAX_WHERE = 300
MAX_RUNBOOK = 2000
_SAID_ELSEWHERE = ("alertname", "severity")
_RUNBOOKS = ("runbook_url", "runbook")
_DESCRIPTIONS = ("description", "message")


def where(alert: AlertMessage) -> str:
    """Return the labels that are not said elsewhere: "app=checkout environment=prod"."""
    labels = alert.labels
    return brief(" ".join(f"{key}={labels[key]}" for key in labels if key not in _SAID_ELSEWHERE), MAX_WHERE)


def description(alert: AlertMessage) -> str:
    """Return what the rule's author wrote to whoever is paged; "" without it."""
    return next((text for key in _DESCRIPTIONS if (text := alert.annotations.get(key, ""))), "")


def runbook(alert: AlertMessage) -> str:
    """Return the address of what to do; "" where there is none, or none that can be opened."""
    url = next((text for key in _RUNBOOKS if (text := alert.annotations.get(key, ""))), "")
    fits = url.startswith(("https://", "http://")) and url == brief(url, MAX_RUNBOOK) and " " not in url
    return url if fits else ""
