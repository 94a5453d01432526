"""The metrics in OpenTelemetry's form. Imported only by who pushes: the SDK is an optional part of Claxon.

≠ which metrics there are, who sends them.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as OtelMetric
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from ..durations import CLASSIC, SCHEMA, Durations
from .calls import CALLS
from .engine_room import version_of_claxon
from .exposition import Family
from .metric import Metric, Row

_CUMULATIVE = AggregationTemporality.CUMULATIVE
_UNITS = {"seconds": "s", "bytes": "By"}
_NOT_KNOWN: Any = None

# Parts of the engine's state: they go on over a restart, so they did not begin with this process.
_LASTING = {metric.name for metric in CALLS.metrics} | {"claxon_keys_overflowed_total", "claxon_decisions_total"}


class OtlpForm:
    """Makes what an exporter takes of metrics and their rows."""

    def __init__(self, *, began_at: float, exponential: bool) -> None:
        """Begin.

        Args:
            began_at: When the process began to count, Unix seconds.
            exponential: Whether histograms have exponential buckets in place of the classic ones.
        """
        self._began_ns = round(began_at * 1e9)
        self._exponential = exponential
        version = version_of_claxon()
        own = Resource({"service.name": "claxon", "service.version": version})
        # What the environment says of the resource goes over what Claxon says.
        self._resource = own.merge(OTELResourceDetector().detect())
        self._scope = InstrumentationScope("claxon", version)

    def of(self, found: Iterable[Family], *, now: float) -> MetricsData:
        """Return metrics as they are at `now`; those without rows are left out."""
        now_ns = round(now * 1e9)
        metrics = [self._metric(metric, rows, now_ns) for metric, rows in found if rows]
        scope = ScopeMetrics(scope=self._scope, metrics=metrics, schema_url="")
        return MetricsData([ResourceMetrics(resource=self._resource, scope_metrics=[scope], schema_url="")])

    def _metric(self, metric: Metric, rows: Iterable[Row], now_ns: int) -> OtelMetric:
        # 0 is not known: the log began some day.
        times = (0 if metric.name in _LASTING else self._began_ns, now_ns)
        data: Any
        if metric.histogram and self._exponential:
            points = [_exponential(_attributes(metric, labels), times, found) for labels, found in rows]
            data = ExponentialHistogram(points, _CUMULATIVE)
        elif metric.histogram:
            data = Histogram(
                [_explicit(_attributes(metric, labels), times, found) for labels, found in rows], _CUMULATIVE
            )
        else:
            numbers = [NumberDataPoint(_attributes(metric, labels), *times, _number(n)) for labels, n in rows]
            counts = metric.kind == "counter"
            data = Sum(numbers, _CUMULATIVE, is_monotonic=True) if counts else Gauge(numbers)
        # A counter's suffix is added by whoever makes Prometheus's names of OpenTelemetry's.
        return OtelMetric(metric.name.removesuffix("_total"), metric.help, unit_of(metric), data)


def unit_of(metric: Metric) -> str:
    """Return the unit as OpenTelemetry writes it; "1" only where the name says ratio, for else that is added to it."""
    if metric.unit in ("1", "ratio"):
        return "1" if metric.name.endswith("_ratio") else ""
    return _UNITS.get(metric.unit) or "{" + metric.unit + "}"


def _attributes(metric: Metric, labels: tuple[str, ...]) -> dict[str, str]:
    return {name: value for name, value in zip(metric.labels, labels, strict=True) if value}


def _number(number: float | Durations) -> float:
    assert not isinstance(number, Durations)
    return number


def _explicit(attributes: dict[str, str], times: tuple[int, int], found: float | Durations) -> HistogramDataPoint:
    assert isinstance(found, Durations)
    below = [0, *found.classic(), found.count]
    return HistogramDataPoint(
        attributes,
        *times,
        count=found.count,
        sum=found.total_s,
        bucket_counts=[more - less for less, more in pairwise(below)],
        explicit_bounds=list(CLASSIC),
        min=_NOT_KNOWN,
        max=_NOT_KNOWN,
    )


def _exponential(
    attributes: dict[str, str], times: tuple[int, int], found: float | Durations
) -> ExponentialHistogramDataPoint:
    assert isinstance(found, Durations)
    native = found.native()
    first, last = min(native, default=1), max(native, default=0)
    return ExponentialHistogramDataPoint(
        attributes,
        *times,
        count=found.count,
        sum=found.total_s,
        scale=SCHEMA,
        zero_count=found.zeros,
        # OpenTelemetry numbers a bucket by where it begins, Prometheus by where it ends.
        positive=Buckets(first - 1, [native.get(bucket, 0) for bucket in range(first, last + 1)]),
        negative=Buckets(0, []),
        flags=0,
        min=_NOT_KNOWN,
        max=_NOT_KNOWN,
    )
