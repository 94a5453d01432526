"""What a rule measures, as far as it can be drawn: a share or a count, over which window, against which threshold.

≠ geometry, how it is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from claxon.event import Event

from alerts.conditions import Any, Budget, Condition, Consecutive, ErrorRate, Of, Parked
from alerts.durations import format_duration
from alerts.rules import Rule

DEFAULT_WINDOW_S = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One rule's.

    Attributes:
        title: What is drawn; "" is nothing: the rule is about no number of failures.
        window_s: Over which it is taken.
        share: Whether it is a share of calls, and no count.
        share_of_attempts: Whether it is one of attempts: of these nobody remembers how many there were.
        name: Of the number in a decision's value.
        factor: By which that is multiplied.
        threshold: What it has to be over, or reach; None where the alert's value says it.
        threshold_name: Under which name, then.
        counts: Which failures the curve counts; None: there is no curve.
        each: How many failures at once are enough; None where no number is.
    """

    title: str = ""
    window_s: int = DEFAULT_WINDOW_S
    share: bool = False
    share_of_attempts: bool = False
    name: str = ""
    factor: float = 1.0
    threshold: float | None = None
    threshold_name: str = ""
    counts: Callable[[Event], bool] | None = None
    each: float | None = None

    def of_decision(self, value: Mapping[str, float]) -> float | None:
        """Return what was measured when something was decided; None if that says nothing of it."""
        found = value.get(self.name)
        return found * self.factor if found is not None else None

    def threshold_of(self, value: Mapping[str, float]) -> float | None:
        """Return the threshold, that of an alert where it depends on it; None if there is none."""
        return value.get(self.threshold_name, self.threshold)


def measure_of(rule: Rule) -> Measure:
    """Return what a rule measures."""
    return _of(rule.condition)


def _of(condition: Condition) -> Measure:
    match condition:
        case Any():
            return Measure(each=1.0)
        case ErrorRate(of=of, above=above, window_s=window):
            return Measure(
                title=f"Share of {of} that failed, over {format_duration(window)}",
                window_s=window,
                share=True,
                share_of_attempts=of is Of.ATTEMPTS,
                name="share",
                threshold=above,
            )
        case Consecutive(count=least):
            return Measure(
                title="Failures in a row",
                name="streak",
                threshold=float(least),
                threshold_name="count",
            )
        case Budget():
            return _budget(condition)
        case Parked(calls=calls):
            return Measure(title="Calls that sleep at once", name="parked", threshold=float(calls))
    return Measure()


def _budget(condition: Budget) -> Measure:
    if condition.max_count is not None:
        return Measure(
            title=f"Calls with retries exhausted, over {format_duration(condition.window_s)}",
            window_s=condition.window_s,
            name="exhausted",
            threshold=float(condition.max_count),
            counts=lambda event: bool(event.exhausted),
        )
    # Of several pairs of windows that which is over first: with the highest burn.
    tier = max(condition.tiers, key=lambda one: one.burn)
    return Measure(
        title="Speed at which the error budget is spent, 1 lasts for its period",
        window_s=tier.short_s,
        name="burn",
        threshold=tier.burn,
        threshold_name="tier",
    )
