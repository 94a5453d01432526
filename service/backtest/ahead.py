"""An iterator that runs ahead in a thread of its own: decompression lets other threads work meanwhile.

≠ what it yields.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")


def read_ahead(pieces: Iterator[T], *, depth: int = 2) -> Iterator[T]:
    """Yield what another iterator yields, which runs ahead by at most so many; what it raises is raised here."""
    waiting: queue.Queue[T | Exception | None] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def put(piece: T | Exception | None) -> bool:
        while not stopped.is_set():
            try:
                waiting.put(piece, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def run() -> None:
        try:
            for piece in pieces:
                if not put(piece):
                    return
        except Exception as fault:  # noqa: BLE001 — it belongs to whoever reads
            put(fault)
            return
        put(None)

    thread = threading.Thread(target=run, name="claxon-read-ahead", daemon=True)
    thread.start()
    try:
        while (piece := waiting.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece
    finally:
        stopped.set()
        # It may wait for a pipe that says nothing; then it ends with the process.
        thread.join(timeout=1)
