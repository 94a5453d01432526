"""A `claxon serve` of some roles, which is started again when it ends, as a supervisor does.

≠ what a fault is, what the node should have done.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.ports import lasting_port
from tests.support.repository import ROOT
from tests.support.running import until

GAVE_WAY = 75
"""The status of a node that another was elected in place of, or that its database left: start it again."""

AGAIN_S = 0.2
"""Between an end and the next start."""

ASK_S = 1.0
END_S = 15.0
READY_S = 60.0


@dataclass(frozen=True, kw_only=True)
class End:
    """How a process of a node ended.

    Attributes:
        at: Unix seconds.
        status: Of its exit; negative for a signal.
    """

    at: float
    status: int


class Node:
    """One place where Claxon runs, whichever process it is at the moment.

    Attributes:
        name: For people, and of its log.
        roles: As --role takes them.
        port: Of 127.0.0.1; the same after a restart.
        log: What all of its processes said.
        ends: Of its processes, in order.
    """

    def __init__(
        self,
        name: str,
        *,
        roles: str,
        data: str,
        folder: Path,
        config: Path,
        arguments: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Say what it is; nothing runs yet."""
        self.name = name
        self.roles = roles
        self.port = lasting_port()
        self.log = folder / f"{name}.log"
        self.ends: list[End] = []
        listen = f"127.0.0.1:{self.port}"
        self._command = [sys.executable, "-m", "service", "serve", "--listen", listen, "--data", data]
        self._command += ["--config", str(config), *arguments]
        self._environment = {**os.environ, **(environment or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, name=f"supervisor-{name}", daemon=True)

    @property
    def url(self) -> str:
        """Where it is found."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        """Its present process; None between two."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start it, and again whenever it ends, until it is closed."""
        self._supervisor.start()

    def kill9(self) -> None:
        """Kill its present process as `kill -9` does."""
        self.signal(signal.SIGKILL)

    def pause(self) -> None:
        """Have it stand still: its sockets stay, and answer nothing."""
        self.signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on after a pause."""
        self.signal(signal.SIGCONT)

    def replace(self) -> None:
        """End its present process as an administrator does; return when the next one is ready.

        Raises:
            AssertionError: It is not, after a minute.
        """
        ends = len(self.ends)
        self.signal(signal.SIGTERM)
        assert until(lambda: len(self.ends) > ends and self.is_ready(), READY_S), self.said()

    def signal(self, sign: signal.Signals) -> None:
        """Send a signal to its present process, if there is one."""
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)

    def close(self) -> None:
        """End it for good, as an administrator does; with a kill, if it does not hear."""
        self._closing.set()
        self.go_on()
        self.signal(signal.SIGTERM)
        self._supervisor.join(timeout=END_S)
        if self._supervisor.is_alive():
            self.kill9()
            self._supervisor.join(timeout=END_S)

    def ask(self, path: str, *, within_s: float = ASK_S) -> tuple[int, Any]:
        """Return status and decoded body of a GET; (0, None) where nobody answers in time."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=within_s)
        try:
            link.request("GET", path)
            answer = link.getresponse()
            return answer.status, _decoded(answer.read())
        except (OSError, http.client.HTTPException):
            return 0, None
        finally:
            link.close()

    def is_ready(self) -> bool:
        """Whether every role of it can work, standing by included."""
        return self.ask("/-/ready")[0] == 200

    def is_elected(self) -> bool:
        """Whether it decides."""
        return self.ask("/-/elected")[0] == 200

    def said(self) -> str:
        """Return the end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:] if self.log.exists() else ""

    def _supervise(self) -> None:
        while not self._closing.is_set():
            with self.log.open("ab") as log:
                log.write(f"-- started {time.time():.3f}\n".encode())
                log.flush()
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=self._environment,
                    cwd=ROOT,
                    start_new_session=True,  # Ctrl-C ends the tests, and they end it
                )
                status = self._process.wait()
                log.write(f"-- ended {time.time():.3f}: status {status}\n".encode())
            self.ends.append(End(at=time.time(), status=status))
            self._closing.wait(AGAIN_S)


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode("utf-8", "replace")
