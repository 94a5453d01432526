"""Captures what instrumentations really send: python -m tests.otlp.capture NAME... , into tests/otlp/captured/.

A file for each instrumentation and signal, `NAME.traces.binpb.gz` and `NAME.logs.binpb.gz`: the bodies as they were
sent, one after the other (which in protobuf is one request of them all). What tells of the machine is blotted out:
paths, host, process. Needs the instrumentation (docs/howto/otlp.md) in the environment.
"""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
import threading
import zlib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from service.demo.fake_claude import FakeClaude
from tests.otlp.instrumented import SCRIPTS
from tests.support.pager import Pager, Reply

FOLDER = Path(__file__).parent / "captured"
FORMS: dict[str, Any] = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest}

_OF_THE_MACHINE = ("host.", "process.", "os.", "service.version")
_PATH = re.compile(r"(?<![\w:/])/(?!v1/)(?:[\w.+@-]+/)+")


def captured(name: str, kind: str = "traces", *, json: bool = False) -> bytes:
    """Return the request that was captured of an instrumentation."""
    return gzip.decompress((FOLDER / f"{name}.{kind}.{'json' if json else 'binpb'}.gz").read_bytes())


def run(name: str, otlp: str, *scripts: str) -> None:
    """Run an app with an instrumentation against the fake API, and have it export to a URL."""
    with FakeClaude() as claude:
        command = [sys.executable, "-m", "tests.otlp.instrumented", name, "--claude", claude.url, "--otlp", otlp]
        subprocess.run([*command, *(["--scripts", *scripts] if scripts else [])], check=True, timeout=120)


class _Chunks(BaseHTTPRequestHandler):
    """Takes bodies in chunks, as Node sends them, and keeps them decoded."""

    protocol_version = "HTTP/1.1"
    bodies: ClassVar[list[Any]] = []

    def do_POST(self) -> None:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        self.bodies.append(json.loads(body))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Log nothing."""


def capture_node() -> Path:
    """Run the app in JavaScript; return the file of what it sent, in JSON. The packages are on NODE_PATH."""
    script = Path(__file__).parent / "instrumented.cjs"
    texts = [("~" if stream else "") + text for text, stream in SCRIPTS]
    with FakeClaude() as claude, HTTPServer(("127.0.0.1", 0), _Chunks) as sink:
        threading.Thread(target=sink.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{sink.server_port}"
        subprocess.run(["node", str(script), claude.url, url, *texts], check=True, timeout=120)
        sink.shutdown()
    bodies, _Chunks.bodies = _Chunks.bodies, []
    whole = {"resourceSpans": [group for body in bodies for group in body["resourceSpans"]]}
    file = FOLDER / "node.traces.json.gz"
    file.write_bytes(gzip.compress(_PATH.sub("/app/", json.dumps(whole)).encode(), mtime=0))
    return file


def capture(name: str) -> list[Path]:
    """Run an instrumented app; return the files of what it sent."""
    with Pager(Reply(200, body="")) as sink:
        run(name, sink.url)
        received = list(sink.received)
    FOLDER.mkdir(exist_ok=True)
    files = []
    for kind, form in FORMS.items():
        bodies = [_plain(request) for request in received if request.path.endswith(kind)]
        if bodies:
            files.append(FOLDER / f"{name}.{kind}.binpb.gz")
            message = form.FromString(b"".join(bodies))
            _blot(message)
            files[-1].write_bytes(gzip.compress(message.SerializeToString(), mtime=0))
    return files


def _plain(request: Any) -> bytes:
    if request.headers.get("content-encoding") == "gzip":
        return zlib.decompress(request.body, zlib.MAX_WBITS | 16)
    body: bytes = request.body
    return body


def _blot(message: Any) -> None:
    for field, value in message.ListFields():
        if field.type == field.TYPE_STRING and not field.is_repeated:
            setattr(message, field.name, _PATH.sub("/app/", value))
        elif field.type == field.TYPE_MESSAGE:
            if field.name == "attributes":
                kept = [pair for pair in value if not pair.key.startswith(_OF_THE_MACHINE)]
                del value[:]
                value.extend(kept)
            for part in value if field.is_repeated else [value]:
                _blot(part)


if __name__ == "__main__":
    for asked in sys.argv[1:]:
        for file in [capture_node()] if asked == "node" else capture(asked):
            print(file.name, file.stat().st_size)
