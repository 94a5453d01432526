"""The time around an alert's firing, as the geometry of its chart: failures a step, and what the rule measured.

The failures are those behind the alert, one by one. How many calls there were is known of its app as a whole and of
the last hour; what the rule itself measured is known of the moments at which it decided something.

≠ HTML, colours, how the failures are found.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from claxon.event import Event

from alerts.lifecycle import Alert
from alerts.rules import Rule

from ..views import AlertPage
from .axis import HEIGHT, Axis, bars, fit
from .chart import Minute
from .format import count, percent, span
from .measure import Measure, measure_of

STEPS = 72

_SHORTEST_S, _LONGEST_S = 300, 21_600
_EDGE = 3.0
_SHARES = (0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A moment: `fired` or `resolved`.

    Attributes:
        x: Where, in steps from the left.
        percent: The same in hundredths of the width, for its words.
        at: When, Unix seconds.
    """

    name: str
    x: float
    percent: float
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the rule measured, as a curve or dots, and its threshold.

    Attributes:
        title: What it is.
        curve: Path, broken where nothing is known; "" where all of it is unknown.
        curve_of: What the curve is of; "" without one.
        dots: Path of a dot for each decision.
        threshold: In words.
        threshold_y: Where its line is.
        top: The upper edge, in words.
        highest: The highest value, in words.
    """

    title: str
    curve: str
    curve_of: str
    dots: str
    threshold: str
    threshold_y: float
    top: str
    highest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """The chart.

    Attributes:
        axis: The time.
        bars: Path of the failures of each step.
        most: In the worst step.
        n: In all of them.
        from_app: Whether they are all failed calls of the app: those behind the alert are too many to count.
        cut: Whether only the newest are counted: they are too many, and of the app is not known more.
        marks: When it fired, and resolved.
        fired: From where to where it fired, in steps.
        enough: Height of the line at which one step alone is enough; None where no number is.
        measured: What the rule measured; None where there is nothing to draw.
        words: The same for those who do not see it.
    """

    axis: Axis
    bars: str
    most: int
    n: int
    from_app: bool
    cut: bool
    marks: tuple[Mark, ...]
    fired: tuple[float, float]
    enough: float | None
    measured: Measured | None
    words: str


def stretch(alert: Alert, rule: Rule, *, now: float) -> Axis:
    """Return the time that is drawn: two windows of the rule before the alert began, and until it ended or calmed."""
    window = window_of(rule)
    fired = alert.fired_at if alert.fired_at is not None else now
    began = min(fired, alert.active_at if alert.active_at is not None else fired)
    latest = fired + max(6.0 * window, 3600.0)
    if alert.resolved_at is not None and alert.resolved_at <= latest + 3600.0:
        latest = alert.resolved_at + window
    return fit(began - 2.0 * window, min(now, latest), most=STEPS)


def window_of(rule: Rule) -> int:
    """Return over how long the chart takes what a rule measures: its shortest window, within reason."""
    return min(max(measure_of(rule).window_s, _SHORTEST_S), _LONGEST_S)


def draw(page: AlertPage, rule: Rule, axis: Axis, *, events: Sequence[Event], whole: bool, now: float) -> Around | None:
    """Return the chart; None where there is nothing to draw.

    Args:
        page: The alert.
        rule: As it was when it fired.
        axis: From `stretch`.
        events: The newest failures behind it up to the axis' end.
        whole: Whether they are all of those on it.
        now: Unix seconds.
    """
    alert = page.current.alert
    minutes = _known(page.minutes, axis, now)
    from_app = not whole and bool(minutes)
    counted = _per_step(minutes, axis) if from_app else axis.counts(event.at for event in events)
    most, n = max(counted), sum(counted)
    measured = _measured(page, rule, axis, events=events if whole else (), minutes=minutes)
    if not n and measured is None:
        return None
    marks = tuple(_marks(alert, axis))
    measure = measure_of(rule)
    return Around(
        axis=axis,
        bars=bars(counted, most),
        most=most,
        n=n,
        from_app=from_app,
        cut=not whole and not from_app,
        marks=marks,
        fired=_fired(alert, axis, now),
        enough=_y(measure.each, top=most) if measure.each is not None and most else None,
        measured=measured,
        words=_words(n, most, axis, marks, from_app=from_app),
    )


def _marks(alert: Alert, axis: Axis) -> Iterable[Mark]:
    for name, at in (("fired", alert.fired_at), ("resolved", alert.resolved_at)):
        if at is not None and axis.holds(at):
            x = axis.place(at)
            yield Mark(name=name, x=x, percent=round(100 * x / axis.n, 2), at=at)


def _fired(alert: Alert, axis: Axis, now: float) -> tuple[float, float]:
    """Return from where it fired, and how wide that is."""
    if alert.fired_at is None:
        return 0.0, 0.0
    left = min(max(axis.place(alert.fired_at), 0.0), axis.n)
    right = min(axis.place(alert.resolved_at if alert.resolved_at is not None else now), axis.n)
    return left, round(max(right - left, 0.0), 2)


# ── what is known of all calls ────────────────────────────────────────────────


def _known(minutes: Sequence[Minute], axis: Axis, now: float) -> list[Minute]:
    """Return the minutes of the app that lie on the axis; none where they do not reach back to its beginning."""
    if axis.start < now // 60 * 60 - 3540:
        return []
    return [minute for minute in minutes if axis.holds(minute[0])]


def _per_step(minutes: Iterable[Minute], axis: Axis) -> list[int]:
    counted = [0] * axis.n
    for at, _, failed in minutes:
        i = int((at - axis.start) // axis.step_s)
        if 0 <= i < axis.n:
            counted[i] += failed
    return counted


# ── what the rule measured ────────────────────────────────────────────────────


def _measured(
    page: AlertPage, rule: Rule, axis: Axis, *, events: Sequence[Event], minutes: Sequence[Minute]
) -> Measured | None:
    measure = measure_of(rule)
    dots = [
        (axis.place(row.at), value)
        for row in page.ledger
        if axis.holds(row.at) and (value := measure.of_decision(row.value)) is not None
    ]
    threshold = measure.threshold_of(page.current.alert.value)
    if threshold is None or not measure.title:
        return None
    curve = _curve(measure, axis, events=events, minutes=minutes)
    values = [value for _, value in dots] + [value for _, value in curve if value is not None]
    if not values:
        return None
    top = _top(max(values), threshold, share=measure.share)
    said = percent if measure.share else count
    return Measured(
        title=measure.title,
        curve=_path(curve, top),
        curve_of=_curve_of(measure, page, rule) if any(value is not None for _, value in curve) else "",
        dots="".join(f"M{x:g} {_y(value, top=top):g}h0.01" for x, value in dots),
        threshold=said(threshold),
        threshold_y=_y(threshold, top=top),
        top=said(top),
        highest=said(max(values)),
    )


def _curve(
    measure: Measure, axis: Axis, *, events: Sequence[Event], minutes: Sequence[Minute]
) -> list[tuple[float, float | None]]:
    window = measure.window_s
    if not measure.share:
        if not measure.counts or not events:
            return []
        instants = sorted(event.at for event in events if measure.counts(event))
        return [(x, float(_within(instants, at - window, at))) for x, at in _ends(axis)]
    if not minutes or measure.share_of_attempts:
        return []
    points: list[tuple[float, float | None]] = []
    for i in range(int((axis.end - axis.start) // 60)):
        end = axis.start + (i + 1) * 60
        inside = [(calls, failed) for at, calls, failed in minutes if end - window <= at < end]
        calls = sum(one[0] for one in inside)
        bad = sum(one[1] for one in inside)
        points.append((axis.place(end), min(1.0, bad / calls) if calls and end <= minutes[-1][0] + 60 else None))
    return points


def _curve_of(measure: Measure, page: AlertPage, rule: Rule) -> str:
    if not measure.share:
        return f"failures behind it within {span(measure.window_s)}"
    app = page.current.alert.labels.get("app", "all apps")
    more = " on all models" if "model" in rule.by else ""
    return f"failed calls of all calls of {app}{more} within {span(measure.window_s)}"


def _ends(axis: Axis) -> Iterable[tuple[float, float]]:
    for i in range(axis.n):
        yield i + 1.0, axis.start + (i + 1) * axis.step_s


def _within(instants: Sequence[float], after: float, until: float) -> int:
    return bisect_right(instants, until) - bisect_right(instants, after)


def _path(points: Iterable[tuple[float, float | None]], top: float) -> str:
    parts: list[str] = []
    drawing = False
    for x, value in points:
        if value is None:
            drawing = False
            continue
        y = _y(value, top=top)
        parts.append(f"L{x:g} {y:g}" if drawing else f"M{x - 0.4:g} {y:g}L{x:g} {y:g}")
        drawing = True
    return "".join(parts)


def _top(highest: float, threshold: float, *, share: bool) -> float:
    least = max(highest, threshold * 1.25)
    return next((scale for scale in _SHARES if least <= scale), 1.0) if share else least


def _y(value: float, *, top: float) -> float:
    return round(_EDGE + (HEIGHT - 2 * _EDGE) * (1 - min(value / top, 1.0)), 2)


def _words(n: int, most: int, axis: Axis, marks: Iterable[Mark], *, from_app: bool) -> str:
    left, _, right = axis.ticks()
    one = n == 1
    what = f"failed call{'' if one else 's'} of the app" if from_app else f"failure{'' if one else 's'} behind it"
    said = f"{count(n)} {what} between {left} and {right} UTC, at most {count(most)} in {span(axis.step_s)}."
    for mark in marks:
        said += f" It {mark.name} {span(mark.at - axis.start)} after the left edge."
    return said
