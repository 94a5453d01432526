"""Push: the metrics by OTLP to a collector, again and again.

The exporter is the OpenTelemetry SDK's, an optional part of Claxon; where it sends to, with which headers, certificates
and compression, it reads from OpenTelemetry's environment variables itself. ≠ the form (otlp_form.py), which metrics.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from ..background import Background
from ..settings import PushSettings
from . import Metrics
from .exposition import families
from .sample import Sample

_LAST_S = 5.0
"""How long the last push, at the end, may take."""

_log = structlog.get_logger(__name__)


class Push(Background):
    """Call `start`, then `stop`, which pushes once more."""

    def __init__(
        self,
        metrics: Metrics,
        settings: PushSettings,
        *,
        take: Callable[[], Sample],
        clock: Callable[[], float],
    ) -> None:
        """Take the parts over.

        Args:
            metrics: What is pushed; the pushes are counted there, too.
            settings: How often, and in which form.
            take: Has a sample taken in the core's thread.
            clock: Unix seconds.
        """
        # Imported here: an extra.
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

        from .otlp_form import OtlpForm

        super().__init__("claxon-otlp")
        self._metrics = metrics
        self._interval_s = settings.interval_s
        self._take = take
        self._clock = clock
        self._form = OtlpForm(began_at=clock(), exponential=settings.exponential)
        self._exporter = OTLPMetricExporter()

    def stop(self) -> None:
        """Push once more, and end."""
        # What tries again for a collector that does not answer ends then.
        last = threading.Timer(_LAST_S, self._exporter.shutdown)
        last.start()
        super().stop()
        last.cancel()

    def _run(self) -> None:
        ended = False
        while not ended:
            ended = self._ending.wait(self._interval_s)
            self._metrics.pushed["sent" if self.push() else "failed"] += 1

    def push(self) -> bool:
        """Push all metrics as they are now; return whether they were taken."""
        try:
            whole = self._metrics.whole(self._take())
            result = self._exporter.export(self._form.of(families(whole), now=self._clock()))
            return result.name == "SUCCESS"
        except Exception:  # noqa: BLE001 — the thread must go on
            _log.exception("metrics.not_pushed")
            return False
