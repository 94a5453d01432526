"""Push by OTLP: when it is asked for, and what a collector gets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.metrics import push as pushing
from service.metrics.catalog import METRICS
from service.metrics.otlp_form import unit_of
from service.metrics.push import Push
from service.push_environment import ENDPOINT, push_from_environment
from service.settings import PushSettings, SettingsError
from tests.service.metrics.test_metrics import Bench
from tests.support.collector import Collector, collecting
from tests.support.events import NOON, exhausted, success

URL = "http://127.0.0.1:4318"
METRICS_URL = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{URL}/v1/metrics"}
ALL_URL = {"OTEL_EXPORTER_OTLP_ENDPOINT": URL}


# ── when ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("environment", "pushes"),
    [
        ({}, False),
        (METRICS_URL, True),
        (ALL_URL, False),
        (ALL_URL | {"OTEL_METRICS_EXPORTER": "otlp"}, True),
        (ALL_URL | {"OTEL_METRICS_EXPORTER": "prometheus, otlp"}, True),
        (METRICS_URL | {"OTEL_METRICS_EXPORTER": "none"}, False),
        (METRICS_URL | {"OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_METRICS_EXPORTER": "otlp"}, False),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": " "}, False),
    ],
)
def test_metrics_are_pushed_where_an_endpoint_is_meant_for_them(environment: dict[str, str], pushes: bool) -> None:
    assert (push_from_environment(environment) is not None) == pushes


def test_what_the_environment_says_is_what_is_done() -> None:
    every_5_s = {"OTEL_METRIC_EXPORT_INTERVAL": "5000"}
    form = {"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram"}

    assert push_from_environment(METRICS_URL) == PushSettings(interval_s=60, exponential=False)
    assert push_from_environment(METRICS_URL | every_5_s | form) == PushSettings(interval_s=5, exponential=True)


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "grpc", "set OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/protobuf"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "set OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/protobuf"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "15s", "write milliseconds, from 1000"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "10", "write milliseconds, from 1000"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta", "counters are cumulative"),
        ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "summary", "write one of explicit_bucket"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_remedy(name: str, value: str, remedy: str) -> None:
    with pytest.raises(SettingsError, match=f"^{name}: {value}: .*{remedy}"):
        push_from_environment(METRICS_URL | {name: value})


def test_an_endpoint_that_is_refused_is_not_shown_for_it_may_hold_a_password() -> None:
    with pytest.raises(SettingsError, match=f"^{ENDPOINT}: .*: write a URL that begins with http") as refused:
        push_from_environment({ENDPOINT: "ftp://me:hunter2@collector"})
    assert "hunter2" not in str(refused.value)


# ── what ──────────────────────────────────────────────────────────────────────

MODEL = {"app": "shop", "environment": "prod", "model": "claude-opus-4-5"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    found = Bench(tmp_path)
    events = [success(NOON, **MODEL, duration_ms=ms, time_to_first_token_ms=0) for ms in (200, 700, 700, 1_000_000)]
    events.append(exhausted(NOON, **MODEL))
    found.observe(events)
    found.core.measures.begin({})
    found.core.measures.take(events, NOON)
    yield found
    found.core.connection.close()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", found.url)
        yield found


def push_of(bench: Bench, *, exponential: bool = False) -> Push:
    settings = PushSettings(interval_s=3600, exponential=exponential)
    return Push(bench.metrics, settings, take=bench.metrics.sample, clock=lambda: NOON + 1)


def by_labels(points: Any) -> dict[frozenset[tuple[str, str]], Any]:
    return {frozenset((pair.key, pair.value.string_value) for pair in one.attributes): one for one in points}


def test_a_collector_gets_every_metric_with_its_help_and_kind(bench: Bench, collector: Collector) -> None:
    assert push_of(bench).push()

    found = collector.metrics()
    whole = bench.metrics.whole(bench.metrics.sample())
    there = {metric.name.removesuffix("_total") for metric in METRICS if list(metric.read(whole))}
    assert {name for name in found if name.startswith("claxon_")} == there
    assert "process_open_fds" in found
    for metric in METRICS:
        if (one := found.get(metric.name.removesuffix("_total"))) is not None:
            assert (one.description, one.unit) == (metric.help, unit_of(metric))
            assert one.WhichOneof("data") == {"counter": "sum"}.get(metric.kind, metric.kind)


def test_counters_are_cumulative_and_say_since_when(bench: Bench, collector: Collector) -> None:
    """The engine's go on over a restart: they did not begin with this process."""
    assert push_of(bench).push()

    attempts, stopped = (collector.metrics()[f"claxon_{name}"].sum for name in ("attempts", "stopped_calls"))
    ok = by_labels(attempts.data_points)[frozenset({**MODEL, "category": "ok"}.items())]
    assert (attempts.is_monotonic, attempts.aggregation_temporality) == (True, 2)
    assert (ok.as_int, ok.start_time_unix_nano, ok.time_unix_nano) == (4, 0, (NOON + 1) * 10**9)
    assert stopped.data_points[0].start_time_unix_nano == (NOON + 1) * 10**9


def test_a_histogram_has_the_classic_buckets(bench: Bench, collector: Collector) -> None:
    assert push_of(bench).push()

    (point,) = collector.metrics()["claxon_attempt_duration_seconds"].histogram.data_points
    counts = dict(zip([*point.explicit_bounds, "over"], point.bucket_counts, strict=True))
    assert {end: n for end, n in counts.items() if n} == {0.25: 1, 1.0: 2, "over": 1}
    assert (point.count, point.sum) == (4, pytest.approx(1001.6))
    assert not point.HasField("min")


def test_a_histogram_has_exponential_buckets_where_they_are_asked_for(bench: Bench, collector: Collector) -> None:
    """Bucket i of scale 3 is over 2 ** (i / 8), and at most 2 ** ((i + 1) / 8)."""
    assert push_of(bench, exponential=True).push()

    (took,) = collector.metrics()["claxon_attempt_duration_seconds"].exponential_histogram.data_points
    (first,) = collector.metrics()["claxon_time_to_first_token_seconds"].exponential_histogram.data_points
    full = [(2 ** ((took.positive.offset + i) / 8), n) for i, n in enumerate(took.positive.bucket_counts) if n]
    assert took.scale == 3
    for (begin, n), (taken_s, times) in zip(full, [(0.2, 1), (0.7, 2), (1000.0, 1)], strict=True):
        assert n == times
        assert begin < taken_s <= begin * 2 ** (1 / 8)
    assert (first.count, first.zero_count, list(first.positive.bucket_counts)) == (4, 4, [])


def test_headers_and_resource_come_from_the_environment(
    bench: Bench, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "authorization=Bearer%20abc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=night")
    assert push_of(bench).push()

    assert (collector.headers[0]["authorization"], collector.headers[0]["content-encoding"]) == ("Bearer abc", "gzip")
    resource = collector.resource()
    assert (resource["service.name"], resource["service.namespace"]) == ("claxon", "night")


def test_a_push_that_nobody_takes_is_counted_and_the_next_one_goes(bench: Bench, collector: Collector) -> None:
    push = push_of(bench)
    collector.answer = 400
    push.start()
    push.stop()
    assert bench.metrics.pushed == {"sent": 0, "failed": 1}

    collector.answer = 200
    later = push_of(bench)
    later.start()
    later.stop()
    assert bench.metrics.pushed == {"sent": 1, "failed": 1}
    (failed,) = (p for p in collector.metrics()["claxon_otlp_pushes"].sum.data_points if p.as_int)
    assert failed.attributes[0].value.string_value == "failed"


def test_a_core_that_does_not_answer_ends_no_push(bench: Bench, collector: Collector) -> None:
    def take() -> Any:
        raise TimeoutError

    push = Push(bench.metrics, PushSettings(), take=take, clock=lambda: NOON)

    assert not push.push()


def test_the_end_does_not_wait_for_a_collector_that_is_down(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, collector: Collector
) -> None:
    """The exporter would try again for 10 s."""
    monkeypatch.setattr(pushing, "_LAST_S", 0.2)
    collector.answer = 503
    push = push_of(bench)
    push.start()
    push.stop()

    assert not push._thread.is_alive()
    assert bench.metrics.pushed["failed"] == 1


# ── names that others make of these ───────────────────────────────────────────


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_prometheus_makes_the_same_name_of_it(metric: Any) -> None:
    """From OpenTelemetry's name and unit it appends seconds, bytes, ratio and total where they are missing."""
    name, unit = metric.name.removesuffix("_total"), unit_of(metric)
    words = {"s": "seconds", "By": "bytes"}
    if unit in words:
        assert words[unit] in name.split("_")
    assert (unit == "1") == name.endswith("_ratio")
