"""A Claxon that runs: in this process, for speed, or as a process of its own, to be killed."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from alerts.config import KeyConfig
from alerts.rules import Rule
from service.app import Service
from service.config_file import load_config
from service.serve import bind, make_server
from service.settings import Settings
from service.slow_senders import Limits
from service.storage.places import Place

Answer = tuple[int, Any, Mapping[str, str]]


class Client:
    """Talks to a Claxon at `url`."""

    url = ""
    context: ssl.SSLContext | None = None

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return (status, decoded body, headers) of one request."""
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=dict(headers or {}))
        try:
            with urllib.request.urlopen(request, timeout=15, context=self.context) as answer:
                return answer.status, _decoded(answer.read()), answer.headers
        except urllib.error.HTTPError as fault:
            with fault:
                return fault.code, _decoded(fault.read()), fault.headers

    def post(self, events: Any, **headers: str) -> Answer:
        """Post events: whatever JSON can say, or bytes as they are."""
        body = events if isinstance(events, bytes) else json.dumps(events).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("POST", "/v1/events", body, {"Content-Type": "application/json"} | named)

    def get(self, path: str) -> Any:
        """Return the decoded body of a GET that succeeds."""
        status, body, _ = self.request("GET", path)
        assert status == 200, (status, body)
        return body

    def firing(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Return the firing alerts by (alertname, severity)."""
        found = self.get("/v1/alerts")["alerts"]
        return {(a["alert"]["labels"]["alertname"], a["alert"]["labels"]["severity"]): a for a in found}


class Running(Client):
    """A service in a thread of this process, on a free port of 127.0.0.1."""

    def __init__(
        self,
        folder: Path,
        *,
        config: str | None = None,
        rules: Iterable[Rule] | None = None,
        keys: tuple[KeyConfig, ...] = (),
        patience: Limits | None = None,
        data: Place | None = None,
    ) -> None:
        path = None
        if config is not None:
            path = folder / "claxon.yml"
            path.write_text(config)
        listener = bind(Settings(port=0))
        settings = Settings(port=listener.getsockname()[1], data=data or folder / "data", config=path)
        loaded = load_config(path)
        self.service = Service(settings, loaded, rules=rules)
        self.service.patience = patience or self.service.patience
        self.url = settings.url
        self._server = make_server(self.service, keys + loaded.config.keys)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]})

    def __enter__(self) -> Self:
        self._thread.start()
        until(lambda: self._server.started, 10)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=20)

    def core(self, function: Callable[[], Any]) -> Any:
        """Return what a function finds in the core's thread."""
        return self.service.core.submit(function).result(timeout=10)


class Process(Client):
    """A `claxon serve` of its own, which can be killed and started again on the same data."""

    def __init__(
        self,
        folder: Path,
        *,
        config: str | None = None,
        environment: Mapping[str, str] | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.data = folder / "data"
        self.log = folder / "serve.log"
        self._command = [sys.executable, "-m", "service", "serve", "--listen", f"127.0.0.1:{self.port}"]
        self._command += ["--data", str(self.data), *arguments]
        if config is not None:
            (folder / "claxon.yml").write_text(config)
            self._command += ["--config", str(folder / "claxon.yml")]
        self._environment = dict(environment) if environment is not None else None
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self.end(signal.SIGTERM)

    def start(self) -> None:
        """Start, and wait until it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environment)
        if not until(self._ready, 30):
            raise AssertionError(self.log.read_text())

    @property
    def pid(self) -> int:
        """The process's id."""
        assert self._process is not None
        return self._process.pid

    def signal(self, sign: int) -> None:
        """Send a signal to this process, which goes on."""
        assert self._process is not None
        self._process.send_signal(sign)

    def kill(self) -> None:
        """kill -9."""
        self.end(signal.SIGKILL)

    def end(self, sign: int) -> None:
        """Send a signal to this process, and wait for its end."""
        assert self._process is not None
        self._process.send_signal(sign)
        self._process.wait(timeout=30)
        self._process = None

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        try:
            return self.request("GET", "/-/ready")[0] == 200
        except OSError:
            return False


def refused_start(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Return what a `claxon serve` says that does not start, for it was asked wrongly."""
    command = [sys.executable, "-m", "service", "serve", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 2, done
    return done.stderr


def until(seen: Callable[[], Any], seconds: float) -> bool:
    """Wait, at most so long, until something is seen; return whether it was."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if seen():
            return True
        time.sleep(0.02)
    return bool(seen())


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
