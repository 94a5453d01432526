"""The share of failed calls, and whether it may be chance.

≠ windows, keys.
"""

from __future__ import annotations

from functools import cache
from math import sqrt
from statistics import NormalDist


def literal(failed: int, calls: int, *, above: float, min_failed: int) -> bool:
    """Whether more than a share of calls failed, and enough of them.

    The floor is on failures, never on traffic: a floor on traffic would hide the
    total outage of a quiet app.

    Args:
        failed: 0 <= failed <= calls.
        calls: Calls in the window, > 0.
        above: A share in (0, 1).
        min_failed: At least so many failures.
    """
    return failed >= min_failed and failed / calls > above


@cache
def z_value(confidence: float) -> float:
    """Return the standard normal quantile of a one-sided confidence in (0.5, 1): 0.99 -> 2.326."""
    return NormalDist().inv_cdf(confidence)


def wilson_lower(failed: int, calls: int, z: float) -> float:
    """Return the lower bound of the true failure share, in [0, 1].

    Derivation: if each of n calls fails by itself with probability p, the share p̂
    that is seen lies about p with a standard deviation of sqrt(p(1-p)/n). The bound
    is the smallest p of which p̂ is no more than z deviations away:

        (p̂ - p)² = z² p(1-p)/n      ⇔      (1 + z²/n) p² - (2p̂ + z²/n) p + p̂² = 0

    and its smaller root is (p̂ + z²/2n - z sqrt(p̂(1-p̂)/n + z²/4n²)) / (1 + z²/n). The
    deviation is taken at p and not at p̂, so unlike p̂ - z sqrt(p̂(1-p̂)/n) it holds for
    few calls and for shares near 0 or 1: 3 of 3 give 0.36 at 99 %, not 1.

    What it takes to be over 5 %, and what that costs in detection time: docs/noise.md.

    Args:
        failed: 0 <= failed <= calls.
        calls: > 0.
        z: Of `z_value`.

    Source:
        E. B. Wilson, "Probable inference, the law of succession, and statistical
        inference", JASA 22 (1927).
    """
    share = failed / calls
    z2 = z * z
    centre = share + z2 / (2 * calls)
    spread = z * sqrt(share * (1 - share) / calls + z2 / (4 * calls * calls))
    return max(0.0, (centre - spread) / (1 + z2 / calls))
