"""Measuring: what a node measures of the events of its partitions; each node for itself, as Prometheus adds them up.

≠ what is measured, what the rules count.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import cast

from claxon.event import Event

from alerts.counters import Totals

from ..measures import Measures
from ..metrics.catalog import BY_WHO_EVALUATES
from ..metrics.exposition import Family, of_sample
from ..metrics.measured import MeasuredSample
from ..metrics.sample import Sample


class Measuring:
    """Who evaluates takes, and who is asked reads: in different threads."""

    def __init__(self) -> None:
        """Begin with nothing: it is counted since the process started."""
        self._measures = Measures()
        self._lock = threading.Lock()

    def take(self, events: list[Event], now: float) -> None:
        """Take events that an engine observed at `now`."""
        with self._lock:
            self._measures.take(events, now)

    def sample(self, now: float) -> MeasuredSample:
        """Return a copy of what is known."""
        with self._lock:
            measured, hops = self._measures.snapshot(), dict(self._measures.hops)
        return MeasuredSample(at=now, models=dict.fromkeys(measured, Totals()), measured=measured, hops=hops)


def families(sample: MeasuredSample) -> Iterator[Family]:
    """Return the metrics of what calls take, with their rows."""
    # They read nothing else of a sample.
    return of_sample(cast("Sample", sample), BY_WHO_EVALUATES)
