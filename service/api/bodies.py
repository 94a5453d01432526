"""Bodies of requests, up to a size, and up to a sum of sizes over all requests.

How long a body may take: service/slow_senders.py.

≠ what they hold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, MutableMapping
from typing import Any, TypeVar

from fastapi import Request

from .problems import Problem

T = TypeVar("T")

MAX_SENT = 16 * 1024 * 1024
"""Bytes of a body as sent."""

MAX_HELD = 128 * 1024 * 1024
"""Bytes of bodies that are held at the same time, over all requests."""

LARGE = 512 * 1024
"""Bytes, decompressed, from which a body is decoded beside the event loop."""

_DRAIN = 4 * MAX_SENT
_DRAIN_S = 5.0
_AT_ONCE = 1  # large bodies that are decoded at the same time: each takes a multiple of its size, and the interpreter


class Budget:
    """How many bytes of bodies may be held, and how many are.

    A body counts from when it is announced, or read, until the task of its request has ended.
    """

    def __init__(self, most: int = MAX_HELD) -> None:
        self.most = most
        self.held = 0
        self._decoding = asyncio.Semaphore(_AT_ONCE)

    def hold(self, size: int) -> Holding:
        """Return a holding of so many bytes, given back when the running task ends.

        Raises:
            Problem: 503; too much is held.
        """
        holding = Holding(self)
        holding.grow(size)
        task = asyncio.current_task()
        if task is not None:
            task.add_done_callback(holding.give_back)
        return holding

    async def apart(self, function: Callable[[], T]) -> T:
        """Return what a function finds in a thread of its own; few run at the same time, for they need memory."""
        async with self._decoding:
            return await asyncio.to_thread(function)


class Holding:
    """The bytes of one request."""

    __slots__ = ("_budget", "size")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size = 0

    def grow(self, size: int) -> None:
        """Hold this many in all.

        Raises:
            Problem: 503; too much is held.
        """
        budget = self._budget
        more = size - self.size
        if budget.held + more > budget.most:
            said = f"bodies: {budget.held} bytes are being read: send again after a second"
            raise Problem(503, said, headers={"Retry-After": "1", "Connection": "close"})
        budget.held += more
        self.size = size

    def give_back(self, _: object = None) -> None:
        """Hold nothing."""
        self._budget.held -= self.size
        self.size = 0


async def read_body(request: Request) -> bytes:
    """Return the body, as it was sent.

    What is refused is read on for a while all the same, and thrown away, so that its sender reads the answer.

    Raises:
        Problem: 413, it is too large; 503, too much is held already; 400, the sender hung up.
    """
    announced = _announced(request)
    if announced > MAX_SENT:
        raise await _refusal(request, _too_large())
    try:
        holding = request.app.state.service.bodies.hold(announced)
        message = await request.receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            body: bytes = message.get("body", b"")
            holding.grow(max(len(body), announced))
        else:
            body = await _read_on(request, message, holding)
    except Problem as problem:
        if problem.status == 503:
            request.app.state.service.intake.too_much += 1
        raise await _refusal(request, problem) from None
    if len(body) > MAX_SENT:
        raise _too_large()
    return body


def _announced(request: Request) -> int:
    """Return what Content-Length says; 0 where there is none. The server has seen to it that it is a number."""
    for name, value in request.scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 20 else MAX_SENT + 1
    return 0


async def _read_on(request: Request, message: MutableMapping[str, Any], holding: Holding) -> bytes:
    body = bytearray()
    while True:
        if message["type"] != "http.request":
            raise Problem(400, "body: not complete: the sender hung up")
        body += message.get("body", b"")
        if len(body) > MAX_SENT:
            raise _too_large()
        if len(body) > holding.size:
            holding.grow(len(body))
        if not message.get("more_body", False):
            return bytes(body)
        message = await request.receive()


async def _refusal(request: Request, problem: Problem) -> Problem:
    """Return the problem once its sender had time to send the rest, which is thrown away."""
    if request.headers.get("expect", "").lower() == "100-continue" or problem.status == 400:
        return problem
    size = 0
    try:
        async with asyncio.timeout(_DRAIN_S):
            while size <= _DRAIN:
                message = await request.receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    break
                size += len(message.get("body", b""))
    except TimeoutError:
        pass
    return problem


def _too_large() -> Problem:
    said = f"body: over {MAX_SENT} bytes: send smaller batches, or compress them"
    return Problem(413, said, headers={"Connection": "close"})
