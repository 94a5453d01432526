"""The pieces that the Prometheus rules are made of: counts that a birth does not hide, shares, the Wilson bound.

≠ which rule has which threshold.
"""

from __future__ import annotations

from alerts.durations import format_duration
from alerts.error_rate import z_value

HEARD = "claxon_build_info"
"""There whenever Claxon was scraped."""


def counted(series: str, window_s: int) -> str:
    """Return how much each counter of `series` has grown in a window, also if it was born in it.

    `increase` of a counter that was not there before begins at the first value that was scraped: a first 401 is a
    counter born at 1, and no increase at all. Such a counter has grown by all of its value, if it was not there at the
    window's beginning and its Claxon was. A Claxon that has a new address is another one to Prometheus, and all of its
    counters look born: what they count is old.
    """
    window = format_duration(window_s)
    return (
        f"{series}\n    unless {series} offset {window}\n    and on (job, instance) {HEARD} offset {window}"
        f"\n  or increase({series}[{window}])"
    )


def count_by(labels: tuple[str, ...], series: str, window_s: int) -> str:
    """Return how much counters have grown in a window, summed by labels."""
    return f"sum by ({', '.join(labels)}) (\n  {counted(series, window_s)}\n)"


def wilson(failed: str, calls: str, *, confidence: float) -> str:
    """Return the one-sided Wilson lower bound of failed / calls, as alerts.error_rate.wilson_lower has it.

    Numerator and denominator are multiplied by the number of calls, which leaves fewer divisions.
    """
    z = z_value(confidence)
    return (
        f"({failed} + {z * z / 2:.6f} - {z:.6f} * sqrt({failed} * clamp_min({calls} - {failed}, 0) / {calls}"
        f" + {z * z / 4:.6f})) / ({calls} + {z * z:.6f})"
    )


def both(*conditions: str) -> str:
    """Return what holds when all conditions do; the first one's value is the alert's."""
    return "\nand ".join(conditions)


def fires(alert: str, severity: str) -> str:
    """Return the series that Prometheus keeps of an alert that fires."""
    return f'ALERTS{{alertname="{alert}", severity="{severity}", alertstate="firing"}}'
