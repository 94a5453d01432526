"""What a timetable is played to: a real Alertmanager, and a Claxon that is a process of its own."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Self

from tests.support.peers import free_port, require
from tests.support.running import Client, Process, until


class Alertmanager(Client):
    """Debian's Alertmanager, which can be ended and started again on the same folder."""

    def __init__(self, folder: Path, *, config: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "alertmanager.log"
        (folder / "alertmanager.yml").write_text(config)
        self._command = [
            str(require("alertmanager")),
            f"--config.file={folder / 'alertmanager.yml'}",
            f"--storage.path={folder / 'state'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",  # alone: no gossip, no second port
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start, and wait until it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        if not until(self._ready, 30):
            raise AssertionError(self.log.read_text())

    def stop(self) -> None:
        """End it as an operator would; its notification log and silences are written then."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None

    def _ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log.read_text()
        try:
            return self.request("GET", "/-/ready")[0] == 200
        except OSError:
            return False


class Claxon(Process):
    """Claxon, ended and started as Alertmanager is."""

    def __init__(self, folder: Path, *, config: str) -> None:
        super().__init__(folder, config=config)

    def stop(self) -> None:
        """End it as an operator would."""
        self.end(signal.SIGTERM)


Subject = Alertmanager | Claxon
KINDS: dict[str, type[Alertmanager | Claxon]] = {"alertmanager": Alertmanager, "claxon": Claxon}
