"""What benchmarks.peers compares: how each is started, what it is sent, and how it says what it holds.

Arize Phoenix and MLflow are installed into environments of their own, outside of this tree, at fixed versions.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self

from benchmarks.logged import logged_events
from benchmarks.server import free_port

PHOENIX = "arize-phoenix==20.26.1"
MLFLOW = "mlflow==3.17.2"

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Form(StrEnum):
    """How the records are sent."""

    JSON = "json"
    ZSTD = "zstd"
    OTLP = "otlp"


@dataclass(frozen=True, kw_only=True)
class Target:
    """One system, one way in.

    Attributes:
        name: As it is asked for with --only.
        title: As a table says it.
        note: What to know of its figures.
        form: What it is sent.
        path: Where to.
        ready: A path that answers 200 once it can be asked.
        command: By folder and port.
        environment: Beside ours, by folder and port.
        count: How many records it says over its own API that it has taken since it started, by port; None: nothing is
            kept.
        kept: How many records are left after kill -9 and a restart, by folder, of the stopped one; None: as `count`.
        find: Whether a record can be found by its request id, by port; None: it is asked whether it is counted.
        headers: Beside the form's.
        records: How many are sent at most; None: as many as it takes in the time.
        requirement: What has to be installed for it.
        warm: Requests before it is measured, each of `warm_records`.
    """

    name: str
    title: str
    note: str = ""
    form: Form
    path: str = "/v1/events"
    ready: str
    command: Callable[[Path, int], list[str]]
    environment: Callable[[Path, int], dict[str, str]] = lambda _folder, _port: {}
    count: Callable[[int], int] | None
    kept: Callable[[Path], int] | None = None
    find: Callable[[int, str], bool] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    records: int | None = None
    requirement: str = ""
    warm: int = 2
    warm_records: int = 500


def get(port: int, path: str, body: bytes | None = None) -> bytes:
    """Return what a path answers; with a body it is posted as JSON."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=body, headers=headers)
    with _OPENER.open(asked, timeout=30) as answer:
        found: bytes = answer.read()
    return found


class Running:
    """A target that runs, in a session of its own."""

    def __init__(self, target: Target, folder: Path) -> None:
        self.target = target
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Its first process."""
        assert self._process is not None
        return self._process.pid

    def start(self, *, patience_s: float = 180) -> None:
        """Start it and wait until it is ready."""
        environment = os.environ | self.target.environment(self.folder, self.port)
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.target.command(self.folder, self.port),
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + patience_s
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > end:
                self.stop()
                said = (self.folder / "server.log").read_text(errors="replace")
                raise RuntimeError(f"{self.target.name}: does not start: {said[-600:]}")
            time.sleep(0.1)

    def _ready(self) -> bool:
        try:
            get(self.port, self.target.ready)
        except OSError:
            return False
        return True

    def count(self) -> int | None:
        """Return how many records it says that it has; None where nothing is kept."""
        return self.target.count(self.port) if self.target.count is not None else None

    def stop(self) -> None:
        """Ask it to end, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """kill -9, all of its processes."""
        self._end(signal.SIGKILL)

    def _end(self, sign: signal.Signals) -> None:
        if self._process is None:
            return
        if sign is signal.SIGTERM:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=20)
        # What it started itself is in its session.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None


# ── this project ──────────────────────────────────────────────────────────────────────────────────


def _claxon(name: str, title: str, form: Form, path: str = "/v1/events", records: int | None = None) -> Target:
    return Target(
        name=name,
        title=title,
        note="judged by the default rules; acknowledged after the commit",
        form=form,
        path=path,
        ready="/-/ready",
        command=lambda folder, port: [
            *(sys.executable, "-m", "service", "serve", "--log-level", "warning"),
            *("--listen", f"127.0.0.1:{port}", "--data", str(folder / "data")),
        ],
        count=lambda port: _metric(port, "claxon_ingest_events_total"),
        kept=lambda folder: logged_events(folder / "data"),
        find=lambda port, request_id: (
            request_id.encode() in get(port, f"/v1/events?outcome=all&request_id={request_id}&limit=1")
        ),
        records=records,
    )


def _metric(port: int, name: str) -> int:
    found = re.search(rf"^{name}(?:{{[^}}]*}})? (\S+)$", get(port, "/metrics").decode(), re.MULTILINE)
    assert found is not None, f"/metrics does not have {name}"
    return int(float(found[1]))


# ── a bare endpoint ───────────────────────────────────────────────────────────────────────────────


def _bare(mode: str, title: str, note: str) -> Target:
    return Target(
        name=f"bare-{mode}",
        title=title,
        note=note,
        form=Form.JSON,
        ready="/count",
        command=lambda _, port: [
            *(sys.executable, "-m", "uvicorn", "benchmarks.bare_endpoint:app", "--host", "127.0.0.1"),
            *("--port", str(port), "--log-level", "warning", "--no-access-log"),
        ],
        environment=lambda folder, _: {"MODE": mode, "DB": str(folder / "bare.sqlite3")},
        count=None if mode == "decode" else lambda port: int(json.loads(get(port, "/count"))["n"]),
    )


# ── the peers ─────────────────────────────────────────────────────────────────────────────────────

_RECORDS_OF_PHOENIX = b'{"query": "{projects {edges {node {recordCount}}}}"}'
_SPANS_OF_MLFLOW = (
    b'{"experiment_ids": ["0"], "view_type": "SPANS", "metric_name": "span_count", '
    b'"aggregations": [{"aggregation_type": "COUNT"}]}'
)


def _count_of_phoenix(port: int) -> int:
    found = json.loads(get(port, "/graphql", _RECORDS_OF_PHOENIX))
    return sum(edge["node"]["recordCount"] for edge in found["data"]["projects"]["edges"])


def _count_of_mlflow(port: int) -> int:
    found = json.loads(get(port, "/api/3.0/mlflow/traces/metrics", _SPANS_OF_MLFLOW))
    return int(sum(point["values"]["COUNT"] for point in found.get("data_points", [])))


def _phoenix(peers: Path) -> Target:
    return Target(
        name="phoenix",
        title=f"Arize Phoenix {PHOENIX.partition('==')[2]}",
        note="SQLite; acknowledged before it is written",
        form=Form.OTLP,
        path="/v1/traces",
        ready="/healthz",
        command=lambda *_: [str(peers / "phoenix/bin/phoenix"), "serve"],
        environment=lambda folder, port: {
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(port),
            "PHOENIX_GRPC_PORT": str(free_port()),
            "PHOENIX_WORKING_DIR": str(folder),
            "PHOENIX_TELEMETRY_ENABLED": "false",
            "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
        },
        count=_count_of_phoenix,
        records=3_000,
        requirement=PHOENIX,
    )


def _mlflow(peers: Path) -> Target:
    return Target(
        name="mlflow",
        title=f"MLflow {MLFLOW.partition('==')[2]}",
        note="SQLite, its four workers; acknowledged after the write",
        form=Form.OTLP,
        path="/v1/traces",
        headers={"x-mlflow-experiment-id": "0"},
        ready="/health",
        command=lambda folder, port: [
            *(str(peers / "mlflow/bin/mlflow"), "server", "--host", "127.0.0.1", "--port", str(port)),
            *("--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination", str(folder / "art")),
        ],
        environment=lambda *_: {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
        count=_count_of_mlflow,
        records=4_000,
        requirement=MLFLOW,
        warm=16,
        warm_records=10,
    )


def targets(peers: Path) -> list[Target]:
    """Return all that is compared; those of other projects run from environments in a folder."""
    return [
        _claxon("claxon", "Claxon, JSON", Form.JSON),
        _claxon("claxon-zstd", "Claxon, JSON in zstd", Form.ZSTD),
        _claxon("claxon-otlp", "Claxon, OTLP spans", Form.OTLP, "/v1/traces", records=200_000),
        _bare("decode", "bare FastAPI, msgspec, nothing kept", "the least that HTTP and decoding cost"),
        _bare("blob", "bare FastAPI, msgspec, a blob a batch", "SQLite; acknowledged after the commit"),
        _bare("rows", "bare FastAPI, msgspec, a row an event", "SQLite; acknowledged after the commit"),
        _bare("pydantic", "bare FastAPI, pydantic, a row an event", "SQLite; acknowledged after the commit"),
        _mlflow(peers),
        _phoenix(peers),
    ]


def install(target: Target, peers: Path) -> str | None:
    """Install what a target needs, if it is not there; return why it cannot be."""
    program = peers / target.name / "bin" / target.name
    if not target.requirement or program.exists():
        return None
    print(f"installing {target.requirement}, which takes minutes", flush=True)
    folder = peers / target.name
    python = str(folder / "bin" / "python")
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", target.requirement],
    ):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"{target.requirement} cannot be installed: {done.stderr.strip().splitlines()[-1:]}"
    return None if program.exists() else f"{target.requirement}: has no program {target.name}"
