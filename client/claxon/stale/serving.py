"""serving: an answer that was kept, as if it had just come."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2

from ..errors import request_of
from ..marking import mark, marks
from .store import Kept

if TYPE_CHECKING:
    from anthropic import APIRequest

T = TypeVar("T")

HEADER = "claxon-stale"
"""Of the answer that is served: how old it is, in whole seconds."""


def served(make: Callable[..., T], request: APIRequest, client: Any, kept: Kept, *, age_s: float, failure: object) -> T:
    """Return what `make`, the SDK's class of raw answers, makes of a kept one.

    It is marked as stale, and with what is said about the answer or exception it stands in for.
    """
    body: dict[str, Any] = {"stream": httpx2.ByteStream(kept.body)} if request.stream else {"content": kept.body}
    headers = {"content-type": kept.kind, HEADER: f"{age_s:.0f}"}
    if kept.request_id:
        headers["request-id"] = kept.request_id
    response = httpx2.Response(200, headers=headers, request=request_of(client, request.url), **body)
    response.elapsed = timedelta()
    found = make(
        raw=response,
        cast_to=request.cast_to,
        client=client,
        stream=request.stream,
        stream_cls=request.stream_cls,
        options=request.options,
        retries_taken=request.retries_taken,
    )
    said = marks(failure)
    mark(found, stale=True, age_s=age_s, attempts=said.attempts, stopped_by=said.stopped_by, waited_s=said.waited_s)
    return found
