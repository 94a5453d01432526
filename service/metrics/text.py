"""Prometheus's text format 0.0.4, and OpenMetrics 1.0.

≠ which metrics there are, protobuf.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from ..durations import CLASSIC, Durations
from .metric import Metric, Row

PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_ODD = re.compile(r'[\\"\n]')
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})
_HELP_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n"})

_NOT_FINITE = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}

ENDS = (*map(repr, CLASSIC), "+Inf")
"""The classic buckets' values of `le`, the same in every format."""


def written(metrics: Iterable[tuple[Metric, Sequence[Row]]], *, open_metrics: bool) -> str:
    """Return metrics with their rows as text; metrics without rows are left out."""
    lines: list[str] = []
    for metric, rows in metrics:
        if rows:
            lines += _head(metric, open_metrics=open_metrics)
            lines += _spread(metric, rows) if metric.histogram else _numbers(metric, rows)
    if open_metrics:
        lines.append("# EOF\n")
    return "".join(lines)


def _head(metric: Metric, *, open_metrics: bool) -> list[str]:
    # OpenMetrics names the counter without its suffix, and has only units with which a name ends.
    family = metric.name.removesuffix("_total") if open_metrics else metric.name
    head = [f"# HELP {family} {metric.help.translate(_HELP_ESCAPES)}\n", f"# TYPE {family} {metric.kind}\n"]
    if open_metrics and family.endswith(f"_{metric.unit}"):
        head.append(f"# UNIT {family} {metric.unit}\n")
    return head


def _numbers(metric: Metric, rows: Sequence[Row]) -> Iterator[str]:
    name, labelled = metric.name, _labelled(metric.labels)
    for labels, number in rows:
        yield f"{name}{labelled(labels)} {_number(number)}\n"


def _spread(metric: Metric, rows: Sequence[Row]) -> Iterator[str]:
    name, labelled = metric.name, _labelled(metric.labels)
    for labels, found in rows:
        assert isinstance(found, Durations)
        said = labelled(labels)
        inside = said[1:-1] + "," if said else ""
        count = found.count
        for end, n in zip(ENDS, [*found.classic(), count], strict=True):
            yield f'{name}_bucket{{{inside}le="{end}"}} {n}\n'
        yield f"{name}_sum{said} {_number(found.total_s)}\n{name}_count{said} {count}\n"


def _labelled(names: tuple[str, ...]) -> Callable[[tuple[str, ...]], str]:
    """Return what writes the values of labels with their names, these in order."""
    if not names:
        return lambda _: ""
    places = sorted(range(len(names)), key=names.__getitem__)
    form = "{" + ",".join(f'{names[place]}="%s"' for place in places) + "}"

    def labelled(values: tuple[str, ...]) -> str:
        ordered = tuple([values[place] for place in places])
        if _ODD.search("\0".join(ordered)):
            ordered = tuple([one.translate(_ESCAPES) for one in ordered])
        return form % ordered

    return labelled


def _number(number: object) -> str:
    assert isinstance(number, (int, float))
    text = repr(float(number))
    return _NOT_FINITE.get(text, text)
