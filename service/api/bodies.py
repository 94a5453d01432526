"""Bodies of requests, up to a size.

≠ what they hold.
"""

from __future__ import annotations

from fastapi import Request

from .problems import Problem

MAX_SENT = 16 * 1024 * 1024
"""Bytes of a body as sent."""

_DRAIN = 4 * MAX_SENT


async def read_body(request: Request) -> bytes:
    """Return the body; one that is too large is read on for a while, so that its sender reads the answer.

    Raises:
        Problem: It is too large.
    """
    body = bytearray()
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MAX_SENT:
            body += chunk
        elif size > _DRAIN:
            break
        else:
            body.clear()
    if size > MAX_SENT:
        said = f"body: over {MAX_SENT} bytes: send smaller batches, or compress them"
        raise Problem(413, said, headers={"Connection": "close"})
    return bytes(body)
