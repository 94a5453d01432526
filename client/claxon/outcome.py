"""outcome: how one exchange ended, in the words of the taxonomy, so that every pattern decides by the same evidence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx2
from anthropic import APIStatusError

from .errors import CallParked, CircuitOpen
from .failures import NO_FAILURE, read_error_body, type_of_exception
from .retry import retry_after_s
from .streaming import read_failed, read_failed_async
from .taxonomy import KINDS, Category, classify

NEVER = frozenset({Category.AUTHENTICATION, Category.ACCOUNT, Category.PERMISSION, Category.INVALID_REQUEST})
"""What no retry can help, whatever else is said: the key, the account and the request stay as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an exchange, or a chain of inner middlewares, ended.

    Attributes:
        category: OK for a success, also for a value that an inner middleware made up.
        status: The HTTP status; None without an answer.
        error_type: The API's, else the exception's name.
        error_code: `error.details.error_code`.
        retry_after_s: How long the API asked to wait; None where it did not say.
        should_retry: The header `x-should-retry`.
        headers: Of the answer.
        error: What was raised; None where an answer was returned.
    """

    category: Category
    status: int | None = None
    error_type: str | None = None
    error_code: str | None = None
    retry_after_s: float | None = None
    should_retry: bool | None = None
    headers: httpx2.Headers | None = None
    error: Exception | None = None

    @property
    def ok(self) -> bool:
        """Whether it succeeded, as far as can be told: a stream has only begun."""
        return self.category is Category.OK

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later: the API's word, else the category's."""
        if self.category in NEVER or isinstance(self.error, (CallParked, CircuitOpen)):
            return False
        return self.should_retry if self.should_retry is not None else KINDS[self.category].retryable


SUCCESS = Outcome(category=Category.OK)


def http_of(result: object) -> httpx2.Response | None:
    """Return the HTTP answer behind what `call_next` returned; None behind a value made up by a middleware."""
    found = getattr(result, "http_response", result)
    return found if isinstance(found, httpx2.Response) else None


def outcome_of(result: Any) -> Outcome:
    """Return how a sync exchange ended; reads the body of an error, which the SDK then finds read."""
    read_body(result)
    return outcome_of_read(result)


async def outcome_of_async(result: Any) -> Outcome:
    """As `outcome_of`, for the async client."""
    await read_body_async(result)
    return outcome_of_read(result)


def read_body(result: object) -> None:
    """Read the body of a failed answer; one that breaks off hides no status, and breaks off for the SDK again."""
    response = http_of(result)
    if response is not None and not response.is_success:
        read_failed(response)


async def read_body_async(result: object) -> None:
    """As `read_body`, for the async client."""
    response = http_of(result)
    if response is not None and not response.is_success:
        await read_failed_async(response)


def outcome_of_read(result: object) -> Outcome:
    """Return how an exchange ended whose error was read, as far as it could be."""
    response = http_of(result)
    if response is None:
        return SUCCESS
    if response.is_success:
        return Outcome(category=Category.OK, status=response.status_code, headers=response.headers)
    return _failure(response)


def outcome_of_error(error: Exception) -> Outcome:
    """Return how an exchange ended that raised."""
    if isinstance(error, APIStatusError):
        found = _failure(error.response)
        return Outcome(**{name: getattr(found, name) for name in Outcome.__slots__ if name != "error"}, error=error)
    name = type_of_exception(error)
    if isinstance(error, CircuitOpen):
        return Outcome(category=error.category, error_type=name, error_code="circuit_open", error=error)
    return Outcome(category=classify(None, name, None), error_type=name, error=error)


def _failure(response: httpx2.Response) -> Outcome:
    # Where its body broke off, the status is all there is.
    said = read_error_body(response.content) if response.is_closed else NO_FAILURE
    kind, code = said.type, said.code
    should = response.headers.get("x-should-retry")
    return Outcome(
        category=classify(code, kind, response.status_code),
        status=response.status_code,
        error_type=kind or str(response.status_code),
        error_code=code,
        retry_after_s=retry_after_s(response.headers),
        should_retry={"true": True, "false": False}.get(should or ""),
        headers=response.headers,
    )
