"""Metric: its name, its words, and how its series are read from a sample.

≠ which metrics there are, formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from alerts.counters import Totals

from ..durations import Durations
from .sample import Labels, Sample

Row: TypeAlias = tuple[Labels, float | Durations]
"""The values of a metric's labels, and its number; of a histogram, its durations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric. What ends in `_total` is a counter; all else is a gauge, if it is no histogram.

    Attributes:
        name: As Prometheus shows it.
        unit: Of its number: what is counted, or a unit that ends the name, too.
        help: What it counts, one sentence.
        labels: Their names; labels.py has what bounds each.
        read: Takes its series from a sample.
        histogram: Whether its numbers are durations.
    """

    name: str
    unit: str
    help: str
    labels: tuple[str, ...] = ()
    read: Callable[[Sample], Iterable[Row]]
    histogram: bool = False

    @property
    def kind(self) -> str:
        """Counter, gauge or histogram."""
        if self.histogram:
            return "histogram"
        return "counter" if self.name.endswith("_total") else "gauge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """Metrics about one subject, and what holds for all of them."""

    title: str
    about: str
    metrics: tuple[Metric, ...]


def each(read: Callable[[Totals], Iterable[Row]]) -> Callable[[Sample], Iterator[Row]]:
    """Return a reader of every model, which puts the model in front of the labels that `read` gives."""

    def rows(sample: Sample) -> Iterator[Row]:
        for model, totals in sample.models.items():
            for labels, number in read(totals):
                yield (*model, *labels), number

    return rows


def total(read: Callable[[Totals], float]) -> Callable[[Sample], Iterator[Row]]:
    """Return a reader of one number of every model."""
    return each(lambda totals: [((), read(totals))])


def one(read: Callable[[Sample], float]) -> Callable[[Sample], list[Row]]:
    """Return a reader of a number that has no labels."""
    return lambda sample: [((), read(sample))]


def named(values: dict[str, int]) -> list[Row]:
    """Return the rows of numbers that one label tells apart."""
    return [((name,), number) for name, number in values.items()]
