"""Whether the SDK will try again: a mirror of its decision, without its side effects.

The SDK's own `_should_retry` must not be asked: on a 401 it throws away the
client's cached token.

Source:
    anthropic 2.12, `_base_client.py` (`_should_retry`, `_should_retry_exception`,
    `_calculate_retry_timeout`) and `_client.py` (the 401 of a token cache).
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping

from anthropic import APIConnectionError, APIStatusError, RetryableError

LONGEST_SLEEP_S = 4_294_967.0
"""The SDK's cap on a `retry-after`: 49 days."""


def retryable_response(status: int, headers: Mapping[str, str], *, retries_taken: int, refreshes_token: bool) -> bool:
    """Return whether the SDK retries such an answer, if it has retries left.

    Args:
        status: An HTTP status of 400 or more.
        headers: Of the answer; `x-should-retry` outranks the status.
        retries_taken: 0 on the first attempt.
        refreshes_token: Whether the client has a token cache: then the first
            401 is answered with a fresh token.
    """
    if status == 401 and refreshes_token and retries_taken == 0:
        return True
    said = headers.get("x-should-retry")
    if said in ("true", "false"):
        return said == "true"
    return status in (408, 409, 429) or status >= 500


def retryable_error(error: BaseException, *, retries_taken: int, refreshes_token: bool) -> bool:
    """Return whether the SDK retries after this exception, if it has retries left."""
    seen: set[int] = set()
    current: BaseException | None = error if isinstance(error, Exception) else None
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        if isinstance(current, APIStatusError):
            response = current.response
            return retryable_response(
                response.status_code,
                response.headers,
                retries_taken=retries_taken,
                refreshes_token=refreshes_token,
            )
        if isinstance(current, (RetryableError, APIConnectionError)):
            return True
        current = current.__cause__
    return False


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds the SDK sleeps because the API said so; None when it chooses itself."""
    asked = _asked(headers)
    return min(asked, LONGEST_SLEEP_S) if asked is not None and asked > 0 else None


def _asked(headers: Mapping[str, str]) -> float | None:
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    after = headers.get("retry-after")
    seconds = _number(after)
    if seconds is not None or after is None:
        return seconds
    date = email.utils.parsedate_tz(after)
    return None if date is None else email.utils.mktime_tz(date) - time.time()


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None
