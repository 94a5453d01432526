"""Logs: events as apps wrote them, in files as people keep them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import zstandard

from .events import MODEL, NOON

Wire = dict[str, Any]


def wire(at: float, **fields: Any) -> Wire:
    """Return an event as it is written down, `at` seconds after noon; a success unless told."""
    return {"time": NOON + at, "model": MODEL, "app": "shop", "status": 200} | fields


def traffic(begin: float, end: float, *, every: float = 1.0, **fields: Any) -> list[Wire]:
    """Return events at a steady pace, from `begin` up to `end`, which has none."""
    return [wire(begin + i * every, **fields) for i in range(round((end - begin) / every))]


def rejected(at: float, **fields: Any) -> Wire:
    """Return a call that was refused for its key: it pages at once."""
    return wire(at, **({"status": 401, "error_type": "authentication_error"} | fields))


def lines(events: Iterable[Wire]) -> bytes:
    """Return events as NDJSON."""
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def write(path: Path, content: bytes | Iterable[Wire]) -> Path:
    """Write a log, compressed as its name says, and return its path."""
    body = content if isinstance(content, bytes) else lines(content)
    if path.suffix == ".gz":
        body = gzip.compress(body)
    if path.suffix == ".zst":
        body = zstandard.compress(body)
    path.write_bytes(body)
    return path
