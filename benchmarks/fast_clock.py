"""A clock that runs faster, for a whole process: what sleeps for ten seconds sleeps for half of one, and never knows.

To be set before anything else is imported, for many a function keeps the clock that it found. What is measured with
the hastened clock is in its own seconds, so delays, timeouts, deadlines and windows need no other settings; only what
the processor takes seems as many times longer.
"""

from __future__ import annotations

import asyncio
import selectors
import socket
import time
from typing import Any


def hasten(factor: float, *, origin: float) -> None:
    """Let `time` and sockets of this process run `factor` times as fast.

    Args:
        factor: How many of its seconds pass in a real one.
        origin: The Unix time at which both clocks show the same.
    """
    real_time, real_sleep, real_settimeout = time.time, time.sleep, socket.socket.settimeout
    for name in ("monotonic", "perf_counter"):
        setattr(time, name, _hastened(getattr(time, name), factor))
    time.time = lambda: origin + (real_time() - origin) * factor
    time.sleep = lambda seconds: real_sleep(seconds / factor)

    def settimeout(self: socket.socket, value: float | None) -> None:
        real_settimeout(self, None if value is None else value / factor)

    socket.socket.settimeout = settimeout  # type: ignore[method-assign]


def _hastened(clock: Any, factor: float) -> Any:
    began = clock()
    return lambda: began + (clock() - began) * factor


class _Selector(selectors.DefaultSelector):  # type: ignore[valid-type, misc]
    def __init__(self, factor: float) -> None:
        super().__init__()
        self._factor = factor

    def select(self, timeout: float | None = None) -> Any:
        return super().select(timeout / self._factor if timeout is not None and timeout > 0 else timeout)


def runner(factor: float) -> asyncio.Runner:
    """Return a runner whose event loop knows that its clock is hastened."""
    return asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(_Selector(factor)))
