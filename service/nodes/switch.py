"""Switch: an ASGI application behind which others take turns, while the socket that listens stays.

≠ which one, when.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class Switch:
    """Hands each request to the application that is on; one that is at work ends where it began."""

    def __init__(
        self, app: Application, *, start: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]
    ) -> None:
        """Put the first one on.

        Args:
            app: The first one; its own lifespan is not run, and nor is that of those after it.
            start: Awaited before the first request.
            stop: Awaited after the last.
        """
        self._app = app
        self._start = start
        self._stop = stop

    def to(self, app: Application) -> None:
        """Put another one on."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or see the server begin and end."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        await receive()
        await self._start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})
