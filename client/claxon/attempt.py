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
    cheap; so a call that refers to an attempt must let go of it, or both would
    stay for ever: `held` is empty whenever `depth` is 0.

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
        depth: How many middlewares that may try again or hop are around it, now (steering.py).
        held: The failed attempt of which they have yet to say whether it was the last.
        policy_retries: How often a retry policy tries again, at most; None leaves it to the SDK's loop.
        sdk_retries: Which retry of the SDK's own loop this is.
        first_model: The model that the app asked.
        hop_from: The model that failed before this one was asked.
        throttled_ms: How long the next attempt was held back; taken by it.
        circuit: What the next attempt says of its breaker; taken by it.
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
    depth: int = 0
    held: Any = None
    policy_retries: int | None = None
    sdk_retries: int = 0
    first_model: str = NO_MODEL
    hop_from: str | None = None
    throttled_ms: float | None = None
    circuit: str | None = None


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
        cached: Whether the app was given an older answer in its place.
        circuit: The state of the client's breaker afterwards, where it says something.
        stopped_by: Why no retry followed, where there might have been one.
        throttled_ms: How long the client held it back before it was sent.
        digest: The same for the same request; only of failures that may be retried.
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
    cached: bool | None = None
    circuit: str | None = None
    stopped_by: str | None = None
    throttled_ms: float | None = None
    digest: int | None = None
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
