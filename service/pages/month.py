"""The last 30 days of a budget as the geometry of a chart: what each six hours spent, and what was left after it.

≠ HTML, where the numbers are from.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..spending import STEPS, Spent
from ..storage.call_totals import STEP_S
from .axis import Axis, bars, label
from .format import count, percent

_FINE = 10_000  # bars are drawn in so many parts of the highest
_EDGE = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A chart on a plane of 120 steps by 100 units.

    Attributes:
        spent: The share of the budget of the whole period that was spent in the known part; None without calls.
        known_s: How long that is.
        calls, exhausted: In it.
        most: What the worst step spent, a share of the budget.
        bars: Path of what each step spent, the worst is full.
        left: Path of what was left.
        unknown: Steps from the left of which nothing is known.
        words: The same for those who do not see it.
    """

    axis: Axis
    spent: float | None
    known_s: float
    calls: int
    exhausted: int
    most: float
    bars: str
    left: str
    unknown: int
    words: str


def draw(found: Spent, *, objective: float, period_s: float, now: float) -> Month:
    """Return the chart; the budget is that of as many calls as come in the period at the pace of the known part.

    Args:
        found: What the app did.
        objective: The share of calls that must succeed, in (0, 1).
        period_s: What the budget is for.
        now: Unix seconds.
    """
    calls, exhausted = (sum(part) for part in zip(*found.steps, strict=True))
    known_s = max(1.0, now - found.since)
    allowed = (1 - objective) * calls * period_s / known_s
    spent = exhausted / allowed if allowed > 0 else None
    shares = [n / allowed if allowed > 0 else 0.0 for _, n in found.steps]
    most = max(shares)
    unknown = STEPS - found.known
    axis = Axis(start=found.since - unknown * STEP_S, step_s=STEP_S, n=STEPS)
    return Month(
        axis=axis,
        spent=spent,
        known_s=known_s,
        calls=calls,
        exhausted=exhausted,
        most=most,
        bars=bars([round(share / most * _FINE) for share in shares], _FINE) if most else "",
        left=_left(shares, unknown) if calls else "",
        unknown=unknown,
        words=_words(calls, exhausted, spent, axis, unknown),
    )


def _left(shares: list[float], unknown: int) -> str:
    """Return the path of what was left, a stair; below nothing there is nothing."""
    left, drawn = 1.0, [f"M{unknown} {_height(1.0):g}"]
    for i, share in enumerate(shares[unknown:], unknown):
        left -= share
        drawn.append(f"H{i + 1}V{_height(left):g}" if share else f"H{i + 1}")
    return "".join(drawn)


def _height(share: float) -> float:
    return round(_EDGE + (100.0 - 2 * _EDGE) * (1 - max(0.0, min(1.0, share))), 2)


def _words(calls: int, exhausted: int, spent: float | None, axis: Axis, unknown: int) -> str:
    if not calls:
        return "No calls are known of these 30 days."
    since = label(axis.start + unknown * axis.step_s, over_s=axis.end - axis.start)
    said = f"{count(exhausted)} of {count(calls)} calls since {since} UTC failed with retries exhausted"
    return f"{said}: {percent(spent)} of the budget"
