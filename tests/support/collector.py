"""An OTLP collector: takes metrics over HTTP, as protobuf, and keeps them."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest


class Collector(ThreadingHTTPServer):
    """Listens on a free port of 127.0.0.1.

    Attributes:
        taken: What was pushed, in order.
        headers: Of each push.
        answer: The status of what is answered.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.taken: list[ExportMetricsServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.answer = 200

    @property
    def url(self) -> str:
        """The endpoint of metrics."""
        return f"http://127.0.0.1:{self.server_port}/v1/metrics"

    def metrics(self, place: int = -1) -> dict[str, Any]:
        """Return the metrics of a push by name."""
        (resource,) = self.taken[place].resource_metrics
        (scope,) = resource.scope_metrics
        return {one.name: one for one in scope.metrics}

    def resource(self) -> dict[str, str]:
        """Return what the last push says of who pushes."""
        return {one.key: one.value.string_value for one in self.taken[-1].resource_metrics[0].resource.attributes}


class _Handler(BaseHTTPRequestHandler):
    server: Collector
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Take a push."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        assert self.headers["content-type"] == "application/x-protobuf"
        assert self.path == "/v1/metrics"
        if self.server.answer == 200:
            self.server.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.server.taken.append(ExportMetricsServiceRequest.FromString(body))
        self.send_response(self.server.answer)
        self.send_header("content-length", "0")
        self.end_headers()


@contextmanager
def collecting() -> Iterator[Collector]:
    """Run a collector until the block ends."""
    collector = Collector()
    thread = threading.Thread(target=collector.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield collector
    finally:
        collector.shutdown()
        collector.server_close()
        thread.join()
