"""A `claxon serve` process of its own, for measurements."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """Starts the service on a free port; stops it by its process id."""

    def __init__(
        self,
        folder: Path,
        *,
        config: Path | None = None,
        program: Sequence[str] = ("service",),
        arguments: Sequence[str] = (),
        ready: str = "/-/ready",
    ) -> None:
        """Prepare it.

        Args:
            folder: Of its data and its log.
            config: Its configuration.
            program: The module that is run as `claxon`, and what comes before `serve`.
            arguments: More of them, which count before the others.
            ready: What answers 200 once it is.
        """
        self.port = free_port()
        self._folder = folder
        self._config = config
        self._program = program
        self._arguments = arguments
        self._ready_path = ready
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> float:
        """Start, wait until it is ready, return the seconds that took."""
        begin = time.perf_counter()
        command = [sys.executable, "-m", *self._program, "serve", "--listen", f"127.0.0.1:{self.port}"]
        command += ["--data", str(self._folder / "data"), "--log-level", "warning"]
        if self._config is not None:
            command += ["--config", str(self._config)]
        command += self._arguments
        log = (self._folder / "serve.log").open("ab")
        self._process = subprocess.Popen(command, stdout=log, stderr=log)
        log.close()
        for _ in range(600):
            if self._ready():
                return time.perf_counter() - begin
            time.sleep(0.05)
        raise TimeoutError((self._folder / "serve.log").read_text())

    def _ready(self) -> bool:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
            connection.request("GET", self._ready_path)
            return connection.getresponse().status == 200
        except OSError:
            return False

    def stop(self, sign: int = signal.SIGTERM) -> None:
        """Send a signal and wait."""
        if self._process is not None:
            self._process.send_signal(sign)
            self._process.wait(timeout=30)
            self._process = None

    def kill(self) -> None:
        """kill -9."""
        self.stop(signal.SIGKILL)
