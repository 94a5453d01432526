"""Error budget and burn rate of failed calls whose retries are exhausted.

≠ windows, keys.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """One pair of windows; both must burn.

    Attributes:
        burn: How many times faster than the period allows, > 0.
        long_s: The window that says it matters, seconds.
        short_s: The window that says it still goes on, seconds.
    """

    burn: float
    long_s: int
    short_s: int


def burn_rate(exhausted: int, calls: int, *, objective: float) -> float | None:
    """Return how fast failed calls spend the error budget; None without calls.

    At 1.0 the budget lasts exactly as long as its period; at 14.4 a budget for
    30 days is gone in two.

    Args:
        exhausted: Calls in the window that failed on their last attempt.
        calls: All calls in the window; 0 <= exhausted <= calls.
        objective: The share of calls that must succeed, in (0, 1).

    Source:
        Google, The Site Reliability Workbook, ch. 5, "Alerting on SLOs".
    """
    return exhausted / calls / (1 - objective) if calls > 0 else None
