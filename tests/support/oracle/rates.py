"""`error_rate`, of calls and of attempts."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist

from alerts.conditions import ErrorRate as Rate
from alerts.conditions import Of

from .found import Holds
from .log import Value
from .windows import Counts, Window


def wilson_lower(failed: int, calls: int, confidence: float) -> float:
    """Return the one-sided lower bound of failed / calls, as the page writes it."""
    p, n, z = failed / calls, calls, NormalDist().inv_cdf(confidence)
    return (p + z**2 / (2 * n) - z * sqrt(p * (1 - p) / n + z**2 / (4 * n**2))) / (1 + z**2 / n)


class ErrorRate:
    """The share of what failed in a window."""

    def __init__(self, rate: Rate, window: Window, *, clear_below: float | None) -> None:
        self.rate = rate
        self.window = window
        self.clear_below = clear_below

    def __call__(self, g: int, state: str) -> Holds:
        counts = self.window(g)
        of_calls = self.rate.of is Of.CALLS
        n, k = (counts.calls, counts.failed) if of_calls else (counts.attempts, counts.matching)
        value: Value = {"failed": k, "calls" if of_calls else "attempts": n}
        if n == 0:
            return None, value
        if state == "firing" and self.clear_below is not None:
            return k >= 1 and k / n >= self.clear_below, value
        if not self._literal(counts, k, n):
            return False, value
        if self.rate.confidence is not None and state != "firing":
            return wilson_lower(k, n, self.rate.confidence) > self.rate.above, value
        return True, value

    def _literal(self, counts: Counts, k: int, n: int) -> bool:
        if k < self.rate.min_failed or k / n <= self.rate.above:
            return False
        least = self.rate.min_absorbed
        return not least or (k - counts.failed >= least and counts.calls > counts.failed)

    def instants(self) -> list[float]:
        return []
