"""The formats of /metrics: whoever asks gets the one it likes best, and all say the same."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics_families
from prometheus_client.parser import text_string_to_metric_families as plain_families

from service.durations import SCHEMA, ZERO_S, Durations
from service.metrics import protobuf, text
from service.metrics.exposition import format_of
from service.metrics.metric import Metric, Row

PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
NEW = "application/openmetrics-text;version=1.0.0"
OLD = "application/openmetrics-text;version=0.0.1"
REST = f"{OLD};q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", text.PLAIN),
        ("*/*", text.PLAIN),
        ("text/html,application/xhtml+xml,*/*;q=0.8", text.PLAIN),
        (f"{NEW},{REST}", text.OPEN_METRICS),
        (f"{PROTOBUF},{NEW};q=0.8,{REST}", protobuf.CONTENT_TYPE),
        (f"{PROTOBUF};q=0.2,{NEW};q=0.8,{REST}", text.OPEN_METRICS),
        ("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=text", text.PLAIN),
        (f"{OLD},text/plain;version=0.0.4;q=0.5", text.PLAIN),
        (f"{NEW};q=0", text.PLAIN),
        (f"{NEW};q=much", text.PLAIN),
        ("text/plain;version=1.0.0;escaping=allow-utf-8", text.PLAIN),
    ],
)
def test_whoever_asks_gets_the_format_that_it_likes_best(accept: str, content_type: str) -> None:
    assert format_of(accept).content_type == content_type


# ── a small page, in each format ──────────────────────────────────────────────

ODD = 'back\\slash, "quotes"\nand a second line'


def durations() -> Durations:
    found = Durations()
    found.add([0.2, 90.0, 700.0, 701.0, 3_000_000.0])
    return found


def metric(name: str, *rows: Row, labels: tuple[str, ...] = (), unit: str = "1", histogram: bool = False) -> Any:
    return (
        Metric(name=name, unit=unit, help=f"About {ODD}.", labels=labels, read=lambda _: [], histogram=histogram),
        list(rows),
    )


PAGE = (
    metric("claxon_a_total", (("x", ODD), 3), (("", "é"), 0), labels=("app", "model"), unit="as"),
    metric("claxon_b_seconds", ((), 0.1), unit="seconds"),
    metric("claxon_c", ((), math.inf), unit="cs"),
    metric("claxon_d", ((), math.nan), unit="ds"),
    metric("claxon_none"),
    metric("claxon_took_seconds", (("x",), durations()), labels=("app",), unit="seconds", histogram=True),
)
EXPECTED = {
    ("claxon_a_total", (("app", "x"), ("model", ODD))): 3,
    ("claxon_a_total", (("app", ""), ("model", "é"))): 0,
    ("claxon_b_seconds", ()): 0.1,
    ("claxon_c", ()): math.inf,
    ("claxon_took_seconds_sum", (("app", "x"),)): 3001.4912,
    ("claxon_took_seconds_count", (("app", "x"),)): 5,
}


def numbers(families: Iterable[Any]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    found = {(one.name, tuple(sorted(one.labels.items()))): one.value for f in families for one in f.samples}
    assert math.isnan(found.pop(("claxon_d", ())))
    return found


@pytest.mark.parametrize("open_metrics", [False, True])
def test_text_is_read_as_it_was_meant_whatever_labels_hold(open_metrics: bool) -> None:
    page = text.written(PAGE, open_metrics=open_metrics)
    families = list(open_metrics_families(page) if open_metrics else plain_families(page))

    found = numbers(families)
    buckets = {dict(labels)["le"]: n for (name, labels), n in found.items() if name == "claxon_took_seconds_bucket"}
    assert {key: n for key, n in found.items() if not key[0].endswith("_bucket")} == pytest.approx(EXPECTED)
    assert [buckets[le] for le in ("0.1", "0.5", "1.0", "600.0", "+Inf")] == [2, 2, 4, 4, 5]
    assert {family.documentation for family in families} == {f"About {ODD}."}


def test_open_metrics_says_the_units_that_names_end_in() -> None:
    families = {one.name: one.unit for one in open_metrics_families(text.written(PAGE, open_metrics=True))}

    assert families == {
        "claxon_a": "",
        "claxon_b_seconds": "seconds",
        "claxon_c": "",
        "claxon_d": "",
        "claxon_took_seconds": "seconds",
    }


def decoded(page: bytes) -> list[Any]:
    """Return the families of a page in protobuf: each has its length in front."""
    found, place = [], 0
    while place < len(page):
        size = shift = 0
        while True:
            byte = page[place]
            place += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        found.append(protobuf.MetricFamily.FromString(page[place : place + size]))
        place += size
    return found


def test_protobuf_says_the_same() -> None:
    a, b, c, d, took = decoded(protobuf.written(PAGE))

    assert [(f.name, f.type, f.unit) for f in (a, b, took)] == [
        ("claxon_a_total", 0, ""),
        ("claxon_b_seconds", 1, "seconds"),
        ("claxon_took_seconds", 4, "seconds"),
    ]
    assert [(pair.name, pair.value) for pair in a.metric[0].label] == [("app", "x"), ("model", ODD)]
    assert [one.counter.value for one in a.metric] == [3, 0]
    assert (b.metric[0].gauge.value, c.metric[0].gauge.value) == (0.1, math.inf)
    assert math.isnan(d.metric[0].gauge.value)
    assert {f.help for f in (a, b, c, d, took)} == {f"About {ODD}."}


def test_protobuf_has_a_histogram_in_both_forms() -> None:
    histogram = decoded(protobuf.written(PAGE))[-1].metric[0].histogram

    assert (histogram.sample_count, histogram.sample_sum) == (5, pytest.approx(3001.4912))
    assert {b.upper_bound: b.cumulative_count for b in histogram.bucket}[600.0] == 4
    assert (histogram.schema, histogram.zero_threshold, histogram.zero_count) == (SCHEMA, ZERO_S, 1)
    assert unfolded(histogram) == durations().native()


def unfolded(histogram: Any) -> dict[int, int]:
    """Return the native buckets, read as Prometheus does: gaps between the spans, differences of counts."""
    found, bucket, n = {}, 0, 0
    deltas = iter(histogram.positive_delta)
    for span in histogram.positive_span:
        bucket += span.offset
        for _ in range(span.length):
            n += next(deltas)
            found[bucket] = n
            bucket += 1
    assert list(deltas) == []
    return found


def test_a_histogram_of_nothing_but_zeros_is_native_too() -> None:
    zeros = Durations()
    zeros.add([0.0, 0.0])
    page = protobuf.written([metric("claxon_took_seconds", (("x",), zeros), labels=("app",), histogram=True)])

    histogram = decoded(page)[0].metric[0].histogram
    assert (histogram.zero_count, unfolded(histogram), len(histogram.positive_span)) == (2, {}, 1)


def test_a_family_longer_than_a_byte_can_say_is_read_whole() -> None:
    rows = [((f"app-{i}",), i) for i in range(3000)]

    (family,) = decoded(protobuf.written([metric("claxon_many", *rows, labels=("app",))]))
    assert [one.gauge.value for one in family.metric] == list(range(3000))
