"""The labels of the metrics, and what bounds how many values each may have.

≠ metrics.
"""

from __future__ import annotations

from ..measures import MAX_HOPS, MAX_MODELS
from .sample import MAX_APPS, MAX_FIRING

APP = ("app", "environment")
MODEL = (*APP, "model")
ALERT = ("alertname", "alertstate", "severity", *MODEL, "path")

_MODELS = f"the first {MAX_MODELS:,} (app, environment, model); the others are `(overflow)`"
_ALERTS = f"{MAX_FIRING:,} alerts; claxon_unlisted_firing_alerts counts the others"
_CONFIGURED = "those of the configuration"
_CLOSED = "a closed set"

BOUNDS: dict[str, str] = {
    "app": f"{_MODELS}; by (app, environment) alone the first {MAX_APPS:,}",
    "environment": "as app",
    "model": _MODELS,
    "path": _ALERTS,
    "alertname": "the rules; of posted alerts as path",
    "alertstate": _CLOSED,
    "severity": "as alertname",
    "state": _CLOSED,
    "category": _CLOSED,
    "outcome": _CLOSED,
    "kind": f"{_CLOSED}; of receivers {_CONFIGURED}",
    "blame": _CLOSED,
    "retryable": _CLOSED,
    "reason": _CLOSED,
    "bucket": _CLOSED,
    "stopped_by": f"{_CLOSED}; what clients say beside it is `other`",
    "fallback_from": f"{MAX_HOPS:,} (app, environment, model, fallback_from); the others are `(overflow)`",
    "window": "the windows of the budget rules",
    "direction": _CLOSED,
    "timer": _CLOSED,
    "trouble": _CLOSED,
    "version": "1",
    "python": "1",
    "receiver": _CONFIGURED,
    "index": _CONFIGURED,
    "key": "the keys that have limits",
    "limit": _CLOSED,
    "le": "the classic buckets",
}
"""What bounds the values of each label."""

UNITS = {
    "1": "a state or a fact, 0 or 1",
    "seconds": "seconds; of a timestamp, since 1970",
    "bytes": "bytes",
    "ratio": "a share of 1, or a multiple",
    "dollars": "US dollars",
    "tokens": "tokens",
}
"""Units that are more than the name of what is counted."""
