"""errors: what the app gets when a pattern of ours ends a call. Each is an error of the SDK's too,
so that `except anthropic.APIError` goes on catching all of them.
"""

from __future__ import annotations

import functools
from typing import Any

import httpx2
from anthropic import APIError, APIStatusError, APITimeoutError

from .taxonomy import KINDS, Category


class CallParked(APIStatusError):
    """The API asked to wait longer than the app allows, so the call was given back instead of sleeping.

    What is raised is also the class that the SDK has for the status: a parked
    429 is a `RateLimitError` as well.

    Attributes:
        retry_after_s: How long the API asked to wait, in seconds.
    """

    retry_after_s: float

    def __reduce__(self) -> tuple[Any, ...]:
        return _parked_again, (self.message, self.response, self.body, self.retry_after_s)


class CircuitOpen(APIError):
    """The circuit breaker of this app and model is open: nothing was sent.

    Attributes:
        model: The model that fails; `app` likewise.
        retry_in_s: Seconds until the breaker lets a probe through.
        category: Of the failure that opened it.
    """

    def __init__(
        self, request: httpx2.Request, *, model: str, app: str, retry_in_s: float, category: Category = Category.SERVER
    ) -> None:
        what = KINDS[category].advice
        super().__init__(f"{model}: circuit open: next try in {max(0.0, retry_in_s):.1f} s. {what}", request, body=None)
        self.model = model
        self.app = app
        self.retry_in_s = retry_in_s
        self.category = category

    def __reduce__(self) -> tuple[Any, ...]:
        again = functools.partial(
            CircuitOpen, model=self.model, app=self.app, retry_in_s=self.retry_in_s, category=self.category
        )
        return again, (self.request,)


class DeadlineExceeded(APITimeoutError):
    """The deadline of the call was over before an attempt could be sent."""


def parked(error: APIStatusError, retry_after_s: float) -> CallParked:
    """Return `error` as a parked call: the same answer, and the class of its status besides."""
    kind = _parked_class(type(error))  # type: ignore[arg-type] # mypy takes its __hash__ for an instance's
    message = f"parked: the API asks to wait {retry_after_s:g} s, which is longer than this call may: {error.message}"
    made = kind(message, response=error.response, body=error.body)
    made.retry_after_s = retry_after_s
    return made


@functools.lru_cache(maxsize=64)
def _parked_class(kind: type[APIStatusError]) -> type[CallParked]:
    if kind is APIStatusError:
        return CallParked
    return type("CallParked", (CallParked, kind), {"__module__": __name__, "__doc__": CallParked.__doc__})


def _parked_again(message: str, response: httpx2.Response, body: object, retry_after_s: float) -> CallParked:
    made = CallParked(message, response=response, body=body)
    made.retry_after_s = retry_after_s
    return made


def status_error(client: Any, response: httpx2.Response) -> APIStatusError:
    """Return the error that the SDK makes of an answer; a plain one where the client is not known."""
    make = getattr(client, "_make_status_error_from_response", None)  # private: knows the class of each status
    made = make(response) if make is not None else None
    if isinstance(made, APIStatusError):
        return made
    return APIStatusError(f"HTTP {response.status_code}", response=response, body=None)


def request_of(client: Any, url: str) -> httpx2.Request:
    """Return a request to put into an error where none was built; it is never sent."""
    base = str(getattr(client, "base_url", "") or "https://api.anthropic.com")
    return httpx2.Request("POST", url if "://" in url else base.rstrip("/") + "/" + url.lstrip("/"))
