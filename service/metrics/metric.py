"""Metric: its name, its words, and how its series are read from a sample.

≠ which metrics there are, formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from alerts.counters import Totals

from .sample import Labels, Sample

Row: TypeAlias = tuple[Labels, float]
"""The values of a metric's labels, and its number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric. The name says the kind: what ends in `_total` is a counter, all else a gauge.

    Attributes:
        name: As Prometheus shows it.
        help: What it counts, one sentence.
        labels: Their names.
        read: Takes its series from a sample.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()
    read: Callable[[Sample], Iterable[Row]]

    @property
    def counts(self) -> bool:
        """Whether it only grows."""
        return self.name.endswith("_total")


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
