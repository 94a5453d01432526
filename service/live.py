"""Live: tells open pages that what they show has changed, at most twice a second.

The core counts; one task here looks at the counts while somebody listens, and wakes those who do. So a hundred open
pages cost the core's thread no more than none.

≠ HTTP, what a page shows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

LOOK_S = 0.5
MOST = 200
"""Streams at a time."""


class Full(Exception):
    """There are as many streams as there may be."""


class Stream:
    """One open page's end."""

    def __init__(self) -> None:
        self._news = asyncio.Event()
        self.version = 0
        self.closed = False

    def tell(self, version: int) -> None:
        """Have the page told; what it was not told yet is told with it."""
        self.version = version
        self._news.set()

    def close(self) -> None:
        """Have it end."""
        self.closed = True
        self._news.set()

    async def changed(self, *, within_s: float) -> int | None:
        """Return the version that there is now, once it is another; None: it was not, in that time, or it is closed."""
        try:
            async with asyncio.timeout(within_s):
                await self._news.wait()
        except TimeoutError:
            return None
        self._news.clear()
        return None if self.closed else self.version


class Live:
    """All open streams. In the event loop alone."""

    def __init__(self, version: Callable[[], int], *, most: int = MOST) -> None:
        """Take over what says the version.

        Args:
            version: A number that grows with each change; it may be asked from any thread, and waits for nothing.
            most: Streams at a time.
        """
        self._version = version
        self._most = most
        self._streams: set[Stream] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._closed = False

    def __len__(self) -> int:
        """How many are open."""
        return len(self._streams)

    def open(self) -> Stream:
        """Return a stream; `leave` it at its end.

        Raises:
            Full: There are too many, or everything ends.
        """
        if self._closed or len(self._streams) >= self._most:
            raise Full
        stream = Stream()
        self._streams.add(stream)
        if self._watcher is None:
            self._watcher = asyncio.get_running_loop().create_task(self._watch())
        return stream

    def leave(self, stream: Stream) -> None:
        """Forget a stream; without any, nobody looks."""
        self._streams.discard(stream)
        if not self._streams and self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    def close(self) -> None:
        """Have all streams end, and open no more."""
        self._closed = True
        for stream in self._streams:
            stream.close()

    async def _watch(self) -> None:
        seen = self._version()
        while True:
            await asyncio.sleep(LOOK_S)
            if (version := self._version()) != seen:
                seen = version
                for stream in list(self._streams):
                    stream.tell(version)
