"""Exposition: the catalog as OpenTelemetry instruments, read by its Prometheus exporter.

Observable instruments, whose callbacks read the sample: the numbers live in the
engine and go on over a restart, so nothing is counted a second time here.

≠ which metrics there are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    MeterProvider,
    ObservableCounter,
    ObservableGauge,
)
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from .catalog import METRICS
from .metric import Metric
from .sample import Sample

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

_RENEW_AFTER = 1_000
"""Scrapes that one provider serves: the SDK keeps every label set it ever saw, and alerts come and go."""

# The SDK would put what is over its limit under labels of its own. sample.py has the limits that count.
_LIMITS: dict[type, int] = {ObservableCounter: 10_000_000, ObservableGauge: 10_000_000}

# What the exporter makes a suffix of the name; here it stands in the name already.
_UNITS = {"seconds": "s", "bytes": "By"}


class Exposition:
    """Writes samples as text; any thread may, one at a time does."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sample: Sample | None = None
        self._scrapes = 0
        self._registry = self._instrument()

    def render(self, sample: Sample) -> bytes:
        """Return a sample in Prometheus's text format."""
        with self._lock:
            self._scrapes += 1
            if self._scrapes % _RENEW_AFTER == 0:
                self._registry = self._instrument()
            self._sample = sample
            try:
                return generate_latest(self._registry)
            finally:
                self._sample = None

    def _instrument(self) -> CollectorRegistry:
        """Return a registry of its own, with an instrument for each metric."""
        registry = CollectorRegistry()
        reader = PrometheusMetricReader(
            disable_target_info=True, scope_info_enabled=False, registry=registry, cardinality_limits=_LIMITS
        )
        provider = MeterProvider(
            metric_readers=[reader],
            resource=Resource.get_empty(),
            exemplar_filter=AlwaysOffExemplarFilter(),
            shutdown_on_exit=False,
        )
        meter = provider.get_meter("claxon")
        for metric in METRICS:
            create = meter.create_observable_counter if metric.counts else meter.create_observable_gauge
            base = metric.name.removesuffix("_total")
            unit = _UNITS.get(base.rpartition("_")[2], "")
            create(base, callbacks=[self._reader_of(metric)], unit=unit, description=metric.help)
        # Memory, CPU, files and the start, under the names that every process has.
        ProcessCollector(registry=registry)
        return registry

    def _reader_of(self, metric: Metric) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_: CallbackOptions) -> Iterator[Observation]:
            if self._sample is None:
                return
            for labels, number in metric.read(self._sample):
                yield Observation(number, dict(zip(metric.labels, labels, strict=True)))

        return observe
