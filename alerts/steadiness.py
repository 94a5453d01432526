"""Whether a key called steadily before it fell silent.

≠ rules, keys. docs/reference/decisions.md, `silent`, is the definition.
"""

from __future__ import annotations

from math import ceil, floor

from .conditions import Silent
from .windows import ATTEMPTS, Window


def was_steady(window: Window, silent: Silent, *, last_at: float) -> bool:
    """Whether every bucket that lies in the `steady` time before the last event holds enough attempts."""
    width = window.width
    first, end = ceil((last_at - silent.steady_s) / width), floor(last_at / width)
    least = silent.per_minute * width / 60
    held = {row[0] for row in window.rows if row[ATTEMPTS + 1] >= least}
    return first < end and all(bucket in held for bucket in range(first, end))
