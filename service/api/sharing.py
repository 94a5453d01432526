"""Sharing: what many open pages ask within the same half second is found once.

≠ what they ask.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any

FRESH_S = 0.5
"""For so long an answer is given again, unless something was decided meanwhile."""


@dataclass(frozen=True, slots=True)
class _Kept:
    version: int
    at: float
    task: asyncio.Task[Any]


class Shared:
    """Answers, for a moment. In the event loop alone."""

    def __init__(self, version: Callable[[], int], *, steady: Callable[[], float]) -> None:
        """Take the parts over.

        Args:
            version: A number that grows with each decision: who acknowledges must see it at once.
            steady: Seconds that never jump.
        """
        self._version = version
        self._steady = steady
        self._kept: dict[Hashable, _Kept] = {}

    async def ask(self, name: Hashable, find: Callable[[], Awaitable[Any]]) -> Any:
        """Return what `find` finds, or found a moment ago, or finds just now for somebody else.

        Raises:
            Exception: Whatever finding it raised; it is not kept.
        """
        version, now = self._version(), self._steady()
        kept = self._kept.get(name)
        if kept is None or kept.version != version or now - kept.at > FRESH_S:
            loop = asyncio.get_running_loop()
            kept = self._kept[name] = _Kept(version, now, loop.create_task(_run(find)))
            loop.call_later(2 * FRESH_S, self._forget, name, kept)
        try:
            # Whoever hangs up must not take the answer from the others.
            return await asyncio.shield(kept.task)
        except Exception:
            self._forget(name, kept)
            raise

    def _forget(self, name: Hashable, kept: _Kept) -> None:
        if self._kept.get(name) is kept:
            del self._kept[name]


async def _run(find: Callable[[], Awaitable[Any]]) -> Any:
    return await find()
