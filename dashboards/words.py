"""What the queries have in common: selectors made of the dashboard's variables, and sums of counters.

The metrics' own words are in docs/reference/metrics.md.
"""

from __future__ import annotations

RATE = "$__rate_interval"

APPS = 'app=~"$app", environment=~"$environment"'
CALLS = f'{APPS}, model=~"$model"'
# An alert that no model is part of stays, whichever model is chosen.
ALERTS = f'{APPS}, model=~"$model|"'
# A zero that is there only while Claxon can be scraped: no data is not "nothing fires".
ZERO = "0 * max(claxon_build_info)"
# `cancelled` is no error.
FAILED = 'category!~"ok|cancelled"'


def rate(metric: str, *, by: str = "", only: str = "") -> str:
    """Return a counter's increase a second, of the apps chosen, summed by labels; `only` is one more selector."""
    selector = f"{CALLS}, {only}" if only else CALLS
    return f"{_sum(by)}(rate({metric}{{{selector}}}[{RATE}]))"


def share(part: str, whole: str) -> str:
    """Return a share; nothing where the whole is zero, for no calls are no evidence."""
    return f"{part} / ({whole} > 0)"


def failed_by(label: str) -> str:
    """Return the attempts that failed, a second, summed by what their category says: `blame` or `retryable`."""
    return (
        f"sum by ({label}) (rate(claxon_attempts_total{{{CALLS}, {FAILED}}}[{RATE}])"
        f" * on (category) group_left ({label}) max by (category, {label}) (claxon_category_info))"
    )


def quantile(q: float, histogram: str, *, by: str = "") -> str:
    """Return a quantile of a histogram, whether Prometheus has scraped its classic buckets or the native ones."""
    labels = f"le, {by}" if by else "le"
    classic = f"histogram_quantile({q}, {_sum(labels)}(rate({histogram}_bucket{{{CALLS}}}[{RATE}])))"
    return f"{classic} or histogram_quantile({q}, {_sum(by)}(rate({histogram}{{{CALLS}}}[{RATE}])))"


def _sum(by: str) -> str:
    return f"sum by ({by}) " if by else "sum"
