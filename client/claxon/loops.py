"""loops: finds a retry loop of the app's around calls that were retried already, and says so once.

Two loops multiply: four rounds of three attempts are twelve requests to an API
that has already refused them. Looked for only when a call has failed for good,
so it costs a healthy call nothing.
"""

from __future__ import annotations

import sys
import time
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from . import guard
from .counting import count
from .tagging import Tags

if TYPE_CHECKING:
    from anthropic import APIRequest

ROUNDS = 3
WITHIN_S = 300.0
MOST_PLACES = 64
_OURS = ("anthropic", "claxon", "httpx2", "httpcore2", "anyio", "asyncio", "threading", "contextlib")


class _Seen(NamedTuple):
    rounds: int
    attempts: int
    at: float


_seen: dict[tuple[str, int], _Seen] = {}


def digest_of(body: Any) -> int | None:
    """Return a number that is the same for the same request, of which nothing can be read back; None for no body."""
    try:
        return hash(msgspec.json.encode(body)) if isinstance(body, dict) else None
    except (TypeError, ValueError, RecursionError):
        return None


def is_deferred(tags: Tags) -> bool:
    """Return whether a worker of deferred calls makes this call: it does so again, and knows when."""
    return tags.attributes is not None and "deferred" in tags.attributes


def failed_call(request: APIRequest, tags: Tags, *, observed: bool, attempts: int) -> None:
    """Note that a call failed although it was retried; `observed` ones are noted by the telemetry."""
    if observed or is_deferred(tags):
        return
    try:
        noticed(digest_of(request.options.json_data), attempts=attempts)
    except Exception as fault:  # noqa: BLE001 - the app gets its own error
        guard.fault("loops", fault)


def noticed(digest: int | None, *, attempts: int, now: float | None = None) -> None:
    """Note it, and warn at the third time in five minutes from the same place with the same request."""
    # A call that was not retried is not multiplied.
    place = _place() if digest is not None and attempts > 1 else None
    if digest is None or place is None:
        return
    at = time.monotonic() if now is None else now
    key = (place, digest)
    before = _seen.pop(key, None)
    if before is None or at - before.at > WITHIN_S:
        before = _Seen(0, 0, at)
    seen = _Seen(before.rounds + 1, before.attempts + attempts, at)
    while len(_seen) >= MOST_PLACES:
        _seen.pop(next(iter(_seen)), None)
    _seen[key] = seen
    if seen.rounds >= 2:
        count("retry_loops")
    if seen.rounds >= ROUNDS:
        guard.warn_once(
            f"loop {place}",
            f"{place}: the same call failed {seen.rounds} times after all its retries, {seen.attempts} requests: "
            "a loop around the SDK's own retries multiplies them: drop it, or give the client max_retries=0",
        )


def _place() -> str | None:
    """Return the app's file and line that makes the call: `shop/answers.py:41`."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the only way to know who called
    while frame is not None:
        module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if module not in _OURS:
            path = frame.f_code.co_filename.replace("\\", "/").split("/")
            return f"{'/'.join(path[-2:])}:{frame.f_lineno}"
        frame = frame.f_back
    return None


def forget() -> None:
    """Forget what was seen; for tests."""
    _seen.clear()
