"""/metrics: what Claxon counts, for Prometheus.

`sample.py` copies the numbers in the core's thread, `metric.py` says what a
metric is, `catalog.py` names and describes each once, `exposition.py` writes them through the
OpenTelemetry SDK, `reference.py` writes docs/reference/metrics.md.

≠ HTTP, who counts.
"""

from __future__ import annotations

from ..core import Core
from ..delivery import Deliverer
from ..intake import Intake
from ..keys.in_force import Keys
from ..reloading import Configuration, Reloads
from ..scheduler import Scheduler
from ..watch.tally import WatchTally
from .exposition import CONTENT_TYPE, Exposition
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
        self._exposition = Exposition()

    def sample(self) -> Sample:
        """Copy the numbers; runs in the core's thread, and is quick."""
        reloads = self._configuration.reloads if self._configuration is not None else Reloads()
        return take(*self._parts, reloads, self._watch, self._keys)

    def render(self, sample: Sample) -> tuple[bytes, str]:
        """Return a sample as text, and its content type; takes some 40 us a series, so not in the core's thread."""
        return self._exposition.render(with_the_rest(sample)), CONTENT_TYPE
