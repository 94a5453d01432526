"""Nodes of one database: each a `claxon serve` of its own, on a port that stays its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from tests.support.ports import lasting_port
from tests.support.running import Client, until

START_S = 30.0
END_S = 30.0


class Node(Client):
    """A process; `start` waits until it answers, elected or not.

    Attributes:
        config: Its file, if it has one.
        log: What it has said so far, also before it was started again.
    """

    def __init__(
        self,
        folder: Path,
        database: str,
        *,
        config: str = "",
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Take what it is started with; `database` is a URL, by CLAXON_DATA, so that no list of processes shows it."""
        self.port = lasting_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / f"node-{self.port}.log"
        self._command = [sys.executable, "-m", "service", "serve", "--listen", f"127.0.0.1:{self.port}", *arguments]
        self.config = folder / f"node-{self.port}.yml"
        if config:
            self.config.write_text(config)
            self._command += ["--config", str(self.config)]
        self._environment = {**os.environ, "CLAXON_DATA": database, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self.end(signal.SIGTERM)

    @property
    def log(self) -> str:
        """What it has said."""
        return self._log.read_text("utf-8")

    @property
    def is_elected(self) -> bool:
        """Whether it says so."""
        return self._status("/-/elected") == 200

    @property
    def roles(self) -> Any:
        """Each role of a node that is ready, and how it is; of one that is not, why."""
        status, body, _ = self.request("GET", "/-/ready")
        return body["roles"] if status == 200 else body["detail"]

    def metric(self, name: str) -> float:
        """Return the sum of a metric's series."""
        lines = self.get("/metrics").splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self.launch()
        if not until(lambda: self._alive and self._status("/-/healthy") == 200, START_S):
            raise AssertionError(self.log)

    def launch(self) -> None:
        """Start it, and wait for nothing."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=self._environment)

    def elect(self, *, within: float = START_S) -> float:
        """Wait until it is elected; return how long that took, in seconds.

        Raises:
            AssertionError: It was not in time.
        """
        begin = time.monotonic()
        if not until(lambda: self._alive and self.is_elected, within):
            raise AssertionError(f"not elected within {within:g} s: {self.log}")
        return time.monotonic() - begin

    def signal(self, sign: int) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(sign)

    def kill(self) -> None:
        """kill -9."""
        self.end(signal.SIGKILL)

    def end(self, sign: int) -> int:
        """Send a signal, and return the exit status."""
        self.signal(sign)
        return self.ended()

    def ended(self, *, within: float = END_S) -> int:
        """Wait for its end, and return the exit status."""
        assert self._process is not None
        return self._process.wait(timeout=within)

    @property
    def _alive(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        return True

    def _status(self, path: str) -> int:
        try:
            return self.request("GET", path)[0]
        except OSError:
            return 0


def run_claxon(*arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of Claxon's to its end."""
    command = [sys.executable, "-m", "service", *arguments]
    environment = {**os.environ, **(environment or {})}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
