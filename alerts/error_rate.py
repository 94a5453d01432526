"""The share of failed calls, and whether it may be chance.

≠ windows, keys.
"""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist


def literal(failed: int, calls: int, *, above: float, min_failed: int) -> bool | None:
    """Whether more than a share of calls failed, and enough of them; None without calls.

    The floor is on failures, never on traffic: a floor on traffic would hide the
    total outage of a quiet app.

    Args:
        failed: 0 <= failed <= calls.
        calls: Calls in the window.
        above: A share in (0, 1).
        min_failed: At least so many failures.
    """
    if calls <= 0:
        return None
    return failed >= min_failed and failed / calls > above


def z_value(confidence: float) -> float:
    """Return the standard normal quantile of a one-sided confidence in (0.5, 1): 0.99 -> 2.326."""
    return NormalDist().inv_cdf(confidence)


def wilson_lower(failed: int, calls: int, z: float) -> float | None:
    """Return the lower bound of the true failure share, in [0, 1]; None without calls.

    The share p that would make `failed` of `calls` just z standard deviations too
    many: solve (p̂ - p)² = z² p(1-p)/n for the smaller p. Unlike p̂ ± z·s it holds
    for few calls and shares near 0.

    Source:
        E. B. Wilson, "Probable inference, the law of succession, and statistical
        inference", JASA 22 (1927).
    """
    if calls <= 0:
        return None
    share = failed / calls
    z2 = z * z
    centre = share + z2 / (2 * calls)
    spread = z * sqrt(share * (1 - share) / calls + z2 / (4 * calls * calls))
    return max(0.0, (centre - spread) / (1 + z2 / calls))
