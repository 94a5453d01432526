"""/metrics: what Claxon counts, for Prometheus.

`sample.py` copies the numbers in the core's thread (its parts: `people.py`, `budgets.py`, `alert_states.py`;
`costs.py` is worked out beside it), `metric.py` says what a metric is, `labels.py` what bounds each label.
`catalog.py` names all of them, a chapter each: `calls.py`, `measured.py`, `standing.py`, `door.py`, `engine_room.py`,
`telling.py`. `exposition.py` chooses the format, `text.py` and `protobuf.py` write it; `push.py` pushes by OTLP, in the
form of `otlp_form.py`. `reference.py` writes docs/reference/metrics.md.

≠ HTTP, who counts.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from ..core import Core
from ..delivery import Deliverer
from ..intake import Intake
from ..keys.in_force import Keys
from ..reloading import Configuration, Reloads
from ..scheduler import Scheduler
from ..watch.tally import WatchTally
from .election import ElectionSample
from .exposition import render
from .inbox import InboxSample
from .leases import LeaseSample
from .measured import MeasuredSample
from .partitions import PartitionSample
from .sample import Sample, take, with_the_rest

__all__ = ["Metrics"]


class Metrics:
    """All claxon_* metrics of one service."""

    def __init__(
        self,
        core: Core,
        deliverer: Deliverer,
        intake: Intake,
        scheduler: Scheduler,
        configuration: Configuration | None = None,
        watch: WatchTally | None = None,
        keys: Keys | None = None,
    ) -> None:
        self._parts = (core, deliverer, intake, scheduler)
        self._configuration = configuration
        self._watch = watch or WatchTally()
        self._keys = keys or Keys()
        # Where several nodes share the database: the how manieth election made this one the elected one.
        self.elections: int | None = None
        # What waits in the inbox.
        self.inbox: Callable[[], InboxSample] | None = None
        # And who delivers.
        self.leases: Callable[[], LeaseSample] | None = None
        # And what this one owns of a log in partitions.
        self.partitions: Callable[[], PartitionSample] | None = None
        # And what it measured of their events, in place of the core.
        self.measured: Callable[[], MeasuredSample] | None = None
        self._took_s: float | None = None
        self.pushed = {"sent": 0, "failed": 0}

    def sample(self) -> Sample:
        """Copy the numbers; runs in the core's thread, and is quick."""
        reloads = self._configuration.reloads if self._configuration is not None else Reloads()
        return take(*self._parts, reloads, self._watch, self._keys)

    def render(self, sample: Sample, accept: str = "") -> tuple[bytes, str]:
        """Return a sample in the format that an Accept header asks for, and its content type.

        It takes a few us a series, so it is not done in the core's thread.
        """
        return render(self.whole(sample), accept)

    def whole(self, sample: Sample) -> Sample:
        """Return a sample with all that need not be worked out in the core's thread; takes as long as a scrape."""
        inbox = self.inbox() if self.inbox is not None else None
        whole = with_the_rest(sample)
        if self.measured is not None:
            found = self.measured()
            whole = dataclasses.replace(whole, measured=found.measured, hops=found.hops)
        return dataclasses.replace(
            whole,
            scrape_s=self._took_s,
            pushed=dict(self.pushed),
            election=_elected(self.elections),
            inbox=inbox,
            leases=self.leases() if self.leases is not None else None,
            partitions=self.partitions() if self.partitions is not None else None,
        )

    def took(self, seconds: float) -> None:
        """Take how long a scrape took from its request to its answer; the next one tells."""
        self._took_s = seconds


def _elected(elections: int | None) -> ElectionSample | None:
    return None if elections is None else ElectionSample(elected=True, elections=elections)
