"""Exposition: a sample in the format that is asked for.

≠ which metrics there are, how each format is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prometheus_client import CollectorRegistry, ProcessCollector

from ..clock import monotonic
from . import protobuf, text
from .catalog import METRICS, OF_NODES
from .metric import Metric, Row
from .sample import Sample

Family = tuple[Metric, list[Row]]


class Format(NamedTuple):
    """A format: its content type, and what writes it."""

    content_type: str
    write: Callable[[Iterator[Family]], bytes]


_PLAIN = Format(text.PLAIN, lambda families: text.written(families, open_metrics=False).encode())
_OPEN = Format(text.OPEN_METRICS, lambda families: text.written(families, open_metrics=True).encode())
_PROTOBUF = Format(protobuf.CONTENT_TYPE, protobuf.written)

_TURN_S = 0.001
_PAUSE_S = 0.0002

_process = ProcessCollector(registry=CollectorRegistry())


def format_of(accept: str) -> Format:
    """Return the format that an Accept header likes best; text, where it asks for none of ours."""
    found, best = _PLAIN, 0.0
    for part in accept.lower().split(","):
        kind, *parameters = (one.strip() for one in part.split(";"))
        named = dict(one.split("=", 1) for one in parameters if "=" in one)
        liked = _weight(named.get("q", "1"))
        if liked > best and (format_ := _format(kind, named)) is not None:
            found, best = format_, liked
    return found


def _weight(text_: str) -> float:
    try:
        return float(text_)
    except ValueError:
        return 0.0


def _format(kind: str, named: dict[str, str]) -> Format | None:
    match kind:
        case "application/vnd.google.protobuf" if (named.get("proto"), named.get("encoding")) == (
            "io.prometheus.client.metricfamily",
            "delimited",
        ):
            return _PROTOBUF
        case "application/openmetrics-text" if named.get("version", "1.0.0") == "1.0.0":
            return _OPEN
        case "text/plain" if named.get("version", "0.0.4") == "0.0.4":
            return _PLAIN
    return None


def families(sample: Sample, metrics: Iterable[Metric] = (*METRICS, *OF_NODES)) -> Iterator[Family]:
    """Return every metric with its rows: those of the catalog, then those of the process."""
    yield from of_sample(sample, metrics)
    yield from of_process()


def of_sample(sample: Sample, metrics: Iterable[Metric]) -> Iterator[Family]:
    """Return metrics with their rows."""
    for metric in metrics:
        yield metric, list(metric.read(sample))


def of_process() -> Iterator[Family]:
    """Return the metrics that every process has."""
    for found in _process.collect():
        name = found.name + "_total" if found.type == "counter" else found.name
        rows: list[Row] = [((), one.value) for one in found.samples]
        unit = name.removesuffix("_total").rpartition("_")[2]
        yield Metric(name=name, unit=unit, help=found.documentation, read=lambda _: []), rows


def render(sample: Sample, accept: str = "") -> tuple[bytes, str]:
    """Return a sample in the format that is asked for, and its content type; any thread may."""
    return written(families(sample), accept)


def written(found: Iterator[Family], accept: str) -> tuple[bytes, str]:
    """Return families in the format that is asked for, and its content type."""
    chosen = format_of(accept)
    return chosen.write(_politely(found)), chosen.content_type


def _politely(found: Iterator[Family]) -> Iterator[Family]:
    """Let other threads in now and then: else each of them waits 5 ms, the interpreter's turn, at every step."""
    since = monotonic()
    for family in found:
        yield family
        if monotonic() - since > _TURN_S:
            time.sleep(_PAUSE_S)
            since = monotonic()
