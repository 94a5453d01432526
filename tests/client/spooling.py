"""spooling: a service that is away, batches without a process around them, and what a spool holds."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import claxon
from claxon.attempt import Attempt, Call
from claxon.backlog import Waiting
from claxon.batch import Shipper
from claxon.compression import best
from claxon.packing import Batch, pack
from claxon.settings import Settings
from claxon.spool import Spool
from claxon.state import STATE, emit, ready

FAST: dict[str, Any] = {"interval_s": 0.02, "backoff_s": 0.01, "read_timeout_s": 0.5}
ENCODING, COMPRESS = best()


def closed_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def make(number: int, *, failed: bool = False, at: float | None = None, size: int = 0) -> Batch:
    """Return a batch of one event, told from others by `number`."""
    event = b'{"model":"m","attempt":%d,"error_message":"%s"}' % (number, b"x" * size)
    return pack(
        [Waiting(number, event, failed, time.time() + number if at is None else at)],
        encoding="identity" if size else ENCODING,
        compress=(lambda body: body) if size else COMPRESS,
        dropped=0,
    )


def note(number: int = 1, *, failed: bool = False, path: str = "") -> None:
    """Have the instrumented process note an attempt, as the middleware would."""
    ready()
    call = Call(id=f"call-{number}", max_retries=2, refreshes_token=False, started=0.0)
    attempt = Attempt(call=call, number=number, started=0.0, model="m", status=500 if failed else 200, path=path)
    attempt.end()
    emit(attempt)


def shipper() -> Shipper:
    """Return the process's shipper."""
    assert STATE.shipper is not None
    return STATE.shipper


def spool_in(folder: Path, url: str = "http://127.0.0.1:9", **more: Any) -> Spool:
    """Return a spool, as another process of the same app would open it."""
    return Spool(Settings(url=url, spool=str(folder), **more))


def files(folder: Path) -> list[Path]:
    """Return the batches in a spool, oldest first."""
    return sorted(folder.glob("*/*.batch"))


def until(holds: Any, seconds: float = 5) -> None:
    """Wait until something holds; fail after some seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, claxon.stats()
        time.sleep(0.005)
