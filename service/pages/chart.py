"""The last hour of one app as the geometry of two charts: calls per minute, and the error rate.

The markup is templates/chart.html; here are only numbers and paths, on a plane of
60 minutes by 100 units that the browser stretches.

≠ HTML, colours.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .format import UNKNOWN, count, percent

MINUTES = 60
HEIGHT = 100.0
WINDOW = 5
"""Minutes over which the error rate is taken: what the default rule reads."""

THRESHOLD = 0.05
"""Where the line is drawn unless a rule says otherwise: the default rule's."""

_GAP = 0.18  # of a minute, between two bars
_LEAST = 5.0  # a bar that is not nothing can be seen
_EDGE = 3.0
_SCALES = (0.1, 0.2, 0.5, 1.0)

Minute = tuple[int, int, int]
"""(start in Unix seconds, calls, failed)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From when to when an alert fired, in minutes from the left; `ended` is whether it has."""

    start: float
    width: float
    ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Two charts over the same 60 minutes.

    Attributes:
        start: The left edge, Unix seconds, a whole minute.
        calls: Path of one bar a minute.
        failed: Path of the failed calls, over those bars.
        rate: Path of the error rate; broken where there were no calls.
        most: Calls in the busiest minute; 0 is no calls at all.
        top: The share at the rate chart's upper edge.
        threshold: The share at the line.
        threshold_y: Where the line is.
        spans: When the alert fired.
        words: The same for those who do not see it.
    """

    start: int
    calls: str
    failed: str
    rate: str
    most: int
    peak: float | None
    top: float
    threshold: float
    threshold_y: float
    spans: tuple[Span, ...]
    words: str


def draw(
    minutes: Iterable[Minute],
    *,
    now: float,
    threshold: float = THRESHOLD,
    fired: Iterable[tuple[float, float | None]] = (),
) -> Chart:
    """Return the charts of the 60 minutes up to the present one.

    Args:
        minutes: Those with calls, in any order; others are ignored.
        now: Unix seconds.
        threshold: A share in (0, 1).
        fired: When an alert began to fire and when it ended, None while it fires.
    """
    start = int(now) // 60 * 60 - (MINUTES - 1) * 60
    calls, failed = _columns(minutes, start)
    rates = rolling(calls, failed)
    known = [rate for rate in rates if rate is not None]
    peak = max(known, default=None)
    top = next(scale for scale in _SCALES if max(peak or 0.0, threshold * 1.25) <= scale or scale == _SCALES[-1])
    most = max(calls)
    return Chart(
        start=start,
        calls=_bars(calls, most),
        failed=_bars(failed, most),
        rate=_line(rates, top),
        most=most,
        peak=peak,
        top=top,
        threshold=threshold,
        threshold_y=_height(threshold, top),
        spans=tuple(span for began, ended in fired if (span := _span(began, ended, start, now)) is not None),
        words=_words(calls, failed, rates, peak, threshold),
    )


def rolling(calls: Sequence[int], failed: Sequence[int]) -> list[float | None]:
    """Return each minute's error rate over the 5 minutes that end with it; None where there were no calls."""
    rates: list[float | None] = []
    for i in range(len(calls)):
        window = slice(max(0, i - WINDOW + 1), i + 1)
        total = sum(calls[window])
        rates.append(min(1.0, sum(failed[window]) / total) if total else None)
    return rates


def _columns(minutes: Iterable[Minute], start: int) -> tuple[list[int], list[int]]:
    calls, failed = [0] * MINUTES, [0] * MINUTES
    for at, n, bad in minutes:
        i = (at - start) // 60
        if 0 <= i < MINUTES:
            calls[i], failed[i] = max(0, n), max(0, min(bad, n))
    return calls, failed


def _bars(values: Sequence[int], most: int) -> str:
    bars: list[str] = []
    for i, value in enumerate(values):
        if value > 0:
            y = _round(HEIGHT - max(_LEAST, HEIGHT * value / most))
            bars.append(f"M{i + _GAP / 2:g} {HEIGHT:g}V{y:g}h{1 - _GAP:g}V{HEIGHT:g}z")
    return "".join(bars)


def _line(rates: Sequence[float | None], top: float) -> str:
    parts: list[str] = []
    drawing = False
    for i, rate in enumerate(rates):
        if rate is None:
            drawing = False
            continue
        y = _height(rate, top)
        # A point alone gets a short dash, for a line of no length is not drawn.
        parts.append(f"L{i + 0.5:g} {y:g}" if drawing else f"M{i + 0.1:g} {y:g}L{i + 0.5:g} {y:g}")
        drawing = True
    return "".join(parts)


def _height(share: float, top: float) -> float:
    # Not quite to the edges, where half of the line's width would be cut off.
    return _round(_EDGE + (HEIGHT - 2 * _EDGE) * (1 - min(share / top, 1.0)))


def _span(began: float, ended: float | None, start: int, now: float) -> Span | None:
    right = (min(ended, now) if ended is not None else now) - start
    if right <= 0:
        return None
    left = max(0.0, began - start)
    return Span(start=_round(left / 60), width=_round(max(right - left, 6.0) / 60), ended=ended is not None)


def _words(
    calls: Sequence[int],
    failed: Sequence[int],
    rates: Sequence[float | None],
    peak: float | None,
    threshold: float,
) -> str:
    if not any(calls):
        return "No calls in the last hour."
    latest = percent(rates[-1]) if rates[-1] is not None else f"{UNKNOWN} (no calls in the last 5 minutes)"
    total = f"{count(sum(calls))} calls, {count(sum(failed))} failed, at most {count(max(calls))} calls a minute"
    rate = f"now {latest}, at its highest {percent(peak)}; the threshold is {percent(threshold)}"
    return f"Last hour: {total}. Error rate over 5 minutes: {rate}."


def _round(value: float) -> float:
    return round(value, 2)
