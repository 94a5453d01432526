"""Ports that stay ours: a server that is killed and started again finds the one it had."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_240
_TRIES = 1_000
_WORKERS = 16

_given: set[int] = set()


def lasting_port() -> int:
    """Return a free port of 127.0.0.1 that the kernel gives to nobody by chance.

    A port of the kernel's own range may be another connection's by the time a killed server is started again. None is
    returned twice: who asked before may not listen yet, as nine doors of three brokers do not. Nor are two workers of
    one run told the same.

    Raises:
        OSError: None was free.
    """
    for _ in range(_TRIES):
        port = random.randrange(_LOWEST + _worker(), _first_of_the_kernel(), _WORKERS)
        if port in _given:
            continue
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port
    raise OSError(f"ports: {_LOWEST} to {_first_of_the_kernel()}: none is free: end what listens there")


def _worker() -> int:
    """Return the number of this worker of the run; by chance where there is but one process."""
    name = os.environ.get("PYTEST_XDIST_WORKER", "")
    return int(name.removeprefix("gw")) % _WORKERS if name else random.randrange(_WORKERS)


def _first_of_the_kernel() -> int:
    return int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
