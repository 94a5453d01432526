"""A `claxon serve` pushes its metrics to a collector, as the environment says, and once more at its end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from tests.support.collector import collecting
from tests.support.running import Process, refused_start, until


def test_a_service_pushes_its_metrics_again_and_again_and_at_its_end(tmp_path: Path) -> None:
    with collecting() as collector:
        said = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": collector.url, "OTEL_METRIC_EXPORT_INTERVAL": "1000"}
        with Process(tmp_path, environment=os.environ | said) as claxon:
            assert until(lambda: len(collector.taken) >= 2, 15), claxon.log.read_text()
            claxon.post({"model": "m", "app": "shop", "status": 200, "duration_ms": 40})
            claxon.end(signal.SIGTERM)

        (point,) = collector.metrics()["claxon_attempt_duration_seconds"].histogram.data_points
        assert (point.count, point.sum) == (1, 0.04)
        (events,) = collector.metrics()["claxon_ingest_events"].sum.data_points
        assert events.as_int == 1


def test_a_service_does_not_start_where_it_cannot_push_as_it_is_told(tmp_path: Path) -> None:
    said = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    refusal = refused_start("--data", str(tmp_path), environment=os.environ | said)

    assert refusal == (
        "claxon: OTEL_EXPORTER_OTLP_PROTOCOL: grpc: Claxon speaks http/protobuf: "
        "set OTEL_EXPORTER_OTLP_METRICS_PROTOCOL=http/protobuf\n"
    )
