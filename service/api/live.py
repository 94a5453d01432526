"""GET /live: server-sent events that say when a page should renew itself.

≠ what has changed.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from starlette.types import Receive, Scope, Send

from alerts.config import KeyConfig

from ..live import Full, Live, Stream
from .auth import admitted, require
from .problems import Problem
from .visit import present

router = APIRouter(include_in_schema=False)

HEARTBEAT_S = 15.0
"""So often a comment is sent: proxies cut what is silent, and who has no session any more is sent away."""

READER_S = 10.0
"""Whoever takes nothing for so long is dropped: a page that is asleep comes back by itself."""

_AGAIN_MS = 2000


@router.get("/live")
async def get_live(request: Request, _: Annotated[KeyConfig | None, Depends(require("read"))]) -> Response:
    """Answer a stream with one event `changed` for each change, at most two a second."""
    live: Live = request.app.state.service.live
    try:
        return Streaming(request, live, live.open())
    except Full as fault:
        said = "live: too many pages are open: they renew themselves without it"
        raise Problem(503, said, headers={"Retry-After": "30"}) from fault


class Streaming(Response):
    """The stream of one page; it ends with the page, the session, or the service."""

    media_type = "text/event-stream"

    def __init__(self, request: Request, live: Live, stream: Stream) -> None:
        # Without buffering by a proxy, or an event would wait for the next.
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._request = request
        self._live = live
        self._stream = stream

    async def __call__(self, _: Scope, receive: Receive, send: Send) -> None:
        """Send until the other end is gone."""
        gone = asyncio.get_running_loop().create_task(_until_gone(receive, self._stream))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await self._pump(send)
        except TimeoutError:
            # It reads nothing. What cannot be sent cannot be ended properly, either: the guard cuts it.
            return
        finally:
            gone.cancel()
            self._live.leave(self._stream)

    async def _pump(self, send: Send) -> None:
        text = f"retry: {_AGAIN_MS}\n\n"
        while True:
            async with asyncio.timeout(READER_S):
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
            version = await self._stream.changed(within_s=HEARTBEAT_S)
            if self._stream.closed or not self._may_go_on():
                break
            text = ": here\n\n" if version is None else f"event: changed\ndata: {version}\n\n"
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _may_go_on(self) -> bool:
        visit = present()
        if visit is not None and not visit.look_again():
            return False
        try:
            admitted(self._request, "read")
        except Problem as problem:
            # A key that asks too often may hear all the same.
            return problem.status == 429
        return True


async def _until_gone(receive: Any, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.close()
