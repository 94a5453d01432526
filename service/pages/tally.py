"""Failures counted by what they have in common: by category, model, path, app; and over time.

≠ how they were found, HTML.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from claxon.event import Event

from .axis import Axis, bars
from .format import count, span

MOST = 10
"""Values of one field that are listed; the others are summed up."""

_CATEGORIES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One value.

    Attributes:
        value: As it was sent.
        n: Failures that have it.
        share: Of all that were counted.
    """

    value: str
    n: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """Failures by one field.

    Attributes:
        name: The field.
        lines: The most frequent values, most first.
        others: How many further values there are.
        others_n: Failures that have one of these.
    """

    name: str
    lines: tuple[Line, ...]
    others: int
    others_n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One category over time.

    Attributes:
        value: The category; "" is all that have no row of their own.
        n: Failures.
        bars: Path of one bar a step; all rows have one scale.
        words: The same for those who do not see it.
    """

    value: str
    n: int
    bars: str
    words: str


def by(events: Sequence[Event], name: str) -> Breakdown:
    """Return failures counted by a field that every event has."""
    counted = Counter(str(getattr(event, name)) for event in events)
    ranked = sorted(counted.items(), key=lambda one: (-one[1], one[0]))
    lines = tuple(Line(value=value, n=n, share=n / len(events)) for value, n in ranked[:MOST])
    return Breakdown(
        name=name, lines=lines, others=max(0, len(ranked) - MOST), others_n=sum(n for _, n in ranked[MOST:])
    )


def over_time(events: Sequence[Event], axis: Axis) -> list[Row]:
    """Return a row for each category, that with most failures first; some share the last one."""
    instants: dict[str, list[float]] = {}
    for event in events:
        instants.setdefault(event.category, []).append(event.at)
    ranked = sorted(instants, key=lambda category: (-len(instants[category]), category))
    if len(ranked) > _CATEGORIES:
        for category in ranked[_CATEGORIES - 1 :]:
            instants.setdefault("", []).extend(instants.pop(category))
        ranked = [*ranked[: _CATEGORIES - 1], ""]
    counted = {category: axis.counts(instants[category]) for category in ranked}
    most = max((max(values) for values in counted.values()), default=0)
    return [
        Row(value=name, n=len(instants[name]), bars=bars(values, most), words=_words(values, axis))
        for name, values in counted.items()
    ]


def _words(values: list[int], axis: Axis) -> str:
    most = max(values)
    ticks = axis.ticks()
    return f"{count(sum(values))} between {ticks[0]} and {ticks[2]} UTC, at most {count(most)} in {span(axis.step_s)}"
