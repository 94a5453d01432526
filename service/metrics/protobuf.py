"""Prometheus's protobuf format, which alone has native histograms.

Source:
    client_model 0.6, `io/prometheus/client/metrics.proto`; "Native histograms" in Prometheus's specification.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from ..durations import CLASSIC, SCHEMA, ZERO_S, Durations
from .metric import Metric, Row

CONTENT_TYPE = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

_F = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _F.TYPE_STRING,
    "double": _F.TYPE_DOUBLE,
    "uint32": _F.TYPE_UINT32,
    "uint64": _F.TYPE_UINT64,
    "sint32": _F.TYPE_SINT32,
    "sint64": _F.TYPE_SINT64,
}
_TYPES = {"counter": 0, "gauge": 1, "histogram": 4}

# Field by number, as far as it is written here. `*` is repeated.
_MESSAGES: dict[str, dict[int, str]] = {
    "LabelPair": {1: "string name", 2: "string value"},
    "Value": {1: "double value"},
    "Bucket": {1: "uint64 cumulative_count", 2: "double upper_bound"},
    "BucketSpan": {1: "sint32 offset", 2: "uint32 length"},
    "Histogram": {
        1: "uint64 sample_count",
        2: "double sample_sum",
        3: "*Bucket bucket",
        5: "sint32 schema",
        6: "double zero_threshold",
        7: "uint64 zero_count",
        12: "*BucketSpan positive_span",
        13: "*sint64 positive_delta",
    },
    "Metric": {1: "*LabelPair label", 2: "Value gauge", 3: "Value counter", 7: "Histogram histogram"},
    "MetricFamily": {1: "string name", 2: "string help", 3: "enum type", 4: "*Metric metric", 5: "string unit"},
}


def _compiled(package: str, messages: Mapping[str, Mapping[int, str]]) -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto2")
    kinds = file.enum_type.add(name="MetricType")
    for name, number in _TYPES.items():
        kinds.value.add(name=name.upper(), number=number)
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for number, text in fields.items():
            kind, _, field_name = text.lstrip("*").partition(" ")
            field = message.field.add(name=field_name, number=number)
            field.label = _F.LABEL_REPEATED if text.startswith("*") else _F.LABEL_OPTIONAL
            if kind == "enum":
                field.type, field.type_name = _F.TYPE_ENUM, f".{package}.MetricType"
            elif (scalar := _SCALARS.get(kind)) is not None:
                field.type = scalar
            else:
                field.type, field.type_name = _F.TYPE_MESSAGE, f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}


MetricFamily: Any = _compiled("claxon.prometheus", _MESSAGES)["MetricFamily"]


def written(metrics: Iterable[tuple[Metric, Sequence[Row]]]) -> bytes:
    """Return metrics with their rows, each family after its length; metrics without rows are left out."""
    parts: list[bytes] = []
    for metric, rows in metrics:
        if rows:
            body = _family(metric, rows).SerializeToString()
            parts += [_varint(len(body)), body]
    return b"".join(parts)


def _family(metric: Metric, rows: Sequence[Row]) -> Any:
    kind = metric.kind
    family = MetricFamily(name=metric.name, help=metric.help, type=_TYPES[kind])
    if metric.name.removesuffix("_total").endswith(f"_{metric.unit}"):
        family.unit = metric.unit
    add = family.metric.add
    for labels, number in rows:
        one = add()
        pair = one.label.add
        for name, value in zip(metric.labels, labels, strict=True):
            pair(name=name, value=value)
        if isinstance(number, Durations):
            _fill(one.histogram, number)
        else:
            getattr(one, kind).value = number
    return family


def _fill(histogram: Any, found: Durations) -> None:
    """Write both forms: who reads native histograms takes those buckets, and passes over the others."""
    histogram.sample_count, histogram.sample_sum = found.count, found.total_s
    for end, n in zip(CLASSIC, found.classic(), strict=True):
        histogram.bucket.add(upper_bound=end, cumulative_count=n)
    histogram.schema, histogram.zero_threshold, histogram.zero_count = SCHEMA, ZERO_S, found.zeros
    # Runs of buckets: how far each begins behind the one before; and each count less the one before.
    behind = 0
    count_before = 0
    span = None
    for bucket, n in found.native().items():
        if span is None or bucket != behind:
            span = histogram.positive_span.add(offset=bucket - behind, length=0)
        span.length += 1
        behind = bucket + 1
        histogram.positive_delta.append(n - count_before)
        count_before = n
    if span is None:
        # Else nothing would tell that it is native.
        histogram.positive_span.add(offset=0, length=0)


def _varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
