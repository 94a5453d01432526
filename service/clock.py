"""The wall clock, read here and nowhere else."""

from __future__ import annotations

import time


def now() -> float:
    """Return the current instant in Unix seconds."""
    return time.time()
