"""Laying out a very large notification without holding up everything else.

≠ vendors' formats.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

MANY = 200
"""Alerts that are laid out in less than 10 ms; more would hold up the event loop, up to half a second for 10,000."""

T = TypeVar("T")


async def laid_out(alerts: int, layout: Callable[[], T]) -> T:
    """Return what `layout` returns; it runs in a thread where there are many alerts."""
    return await asyncio.to_thread(layout) if alerts > MANY else layout()
