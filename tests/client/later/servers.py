"""servers: what keeps queues, as real programs: started, and ended by their own ids."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.support.peers import free_port, redis_command

READY_S = 30


@contextlib.contextmanager
def start_redis(folder: Path) -> Iterator[str]:
    """Run a Redis that keeps nothing on disk until the block ends; its URL."""
    port = free_port()
    with running(redis_command(folder, port=port), port=port):
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def running(command: Sequence[str], *, port: int) -> Iterator[int]:
    """Run a program until the block ends, from when its port takes connections; its process id."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + READY_S
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.02)
        assert process.poll() is None, f"{command[0]}: exit {process.returncode} before it was ready"
        yield process.pid
    finally:
        process.kill()
        process.wait(timeout=10)
