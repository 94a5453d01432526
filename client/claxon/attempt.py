"""Attempt: what is noted while the app waits, to be made into an Event later.

The app's thread copies references and numbers only; headers are read, texts
cleaned and the Event built in the shipping thread (recording.py).
"""

from __future__ import annotations

import itertools
import os
import secrets
import time
from typing import Any

import msgspec

from .tagging import NO_TAGS, Tags

NO_MODEL = "none"
"""The model of a call that names none, such as `models.list()`."""


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Token counts as the API writes them; None is unknown."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


NO_USAGE = Usage()


class Call(msgspec.Struct, kw_only=True, gc=False):
    """One request of the app, with all its attempts, as the call hook sees it.

    Neither this nor Attempt is seen by the garbage collector, which makes them
    cheap; so a call must never refer to an attempt, or both would stay for ever.

    Attributes:
        id: The same on all attempts; unique in the world.
        max_retries: As the SDK will use it; None if it is not known.
        refreshes_token: Whether the SDK answers a first 401 with a new token.
        tags: What the app says about the call.
        route: The route of the app's server span, if there is one.
        span: The OpenTelemetry span around the call; None without one.
        traced: Whether the SDK opens a span of its own inside.
        started: `perf_counter()` at the start.
        attempts: The number of the newest attempt; 0 before the first.
        pending: Whether the newest attempt promised another.
        ended: When that one ended.
        model: Of the newest attempt; `path` and `tokens` likewise.
    """

    id: str
    max_retries: int | None
    refreshes_token: bool
    started: float
    tags: Tags = NO_TAGS
    route: str | None = None
    span: Any = None
    traced: bool = False
    attempts: int = 0
    pending: bool = False
    ended: float = 0.0
    model: str = NO_MODEL
    path: str = ""
    tokens: int | None = None


class Attempt(msgspec.Struct, kw_only=True, gc=False):
    """One HTTP exchange, or one that never came about.

    Attributes:
        call: Of which call; a call of its own where the hook did not see one.
        number: From 1.
        started: `perf_counter()` at the start; `ended` likewise.
        time: Unix seconds at the end.
        headers: Those of the answer's that may leave the process, unread.
        failed: Whether it is urgent: an error, and not the app's own doing.
        final: None where nobody knows whether another attempt follows.
        span: The OpenTelemetry span around it, recording or not.
    """

    call: Call
    number: int
    started: float
    model: str = NO_MODEL
    path: str = ""
    tokens: int | None = None
    ended: float = 0.0
    time: float = 0.0
    status: int | None = None
    headers: dict[str, bytes] | None = None
    failed: bool = False
    final: bool | None = True
    exhausted: bool | None = False
    error_type: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    retry_after_s: float | None = None
    usage: Usage = NO_USAGE
    stop_reason: str | None = None
    first_token: float | None = None
    stream_end: str | None = None
    fallback_from: str | None = None
    span: Any = None

    def end(self) -> None:
        """Note that it ended now."""
        self.ended = time.perf_counter()
        self.time = time.time()


class CallIds:
    """What ids of calls are made of; no other process has the same prefix."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Begin a new series: a forked child would otherwise give its parent's ids again."""
        self.prefix = secrets.token_hex(8)
        self.numbers = itertools.count(1)


CALL_IDS = CallIds()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=CALL_IDS.renew)
