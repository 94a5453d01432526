"""runs: one run of one job, as far as sync and async do the same: how to call, and what a failure means."""

from __future__ import annotations

from typing import Any

from anthropic import DEFAULT_TIMEOUT
from anthropic._base_client import AsyncAPIClient

from ..errors import CallParked, CircuitOpen
from ..outcome import outcome_of_error
from ..tagging import context
from ..taxonomy import Category
from .errors import LaterError
from .job import Job, Reason
from .verdicts import Failure, is_retryable

CALL_S = 600.0
"""How long a call may take where neither the app nor its client says: the SDK refuses longer answers otherwise."""


def of_kind(client: Any, *, asynchronous: bool, where: str) -> Any:
    """Return the client.

    Raises:
        TypeError: It is of the other kind: its answers would be coroutines that nobody awaits, or the reverse.
    """
    if isinstance(client, AsyncAPIClient) is not asynchronous:
        remedy = f"use {where[1:]}, or an async client" if asynchronous else f"use a{where}, or a sync client"
        raise TypeError(f"{where}: {type(client).__name__}: {remedy}")
    return client


def worker_client(client: Any) -> Any:
    """Return the client with which a worker calls: without retries of the SDK's.

    A worker that sleeps for a retry-after would hold a job, and forget it when it ends; the queue remembers.
    """
    # A cached token that has expired is renewed by a retry. The attribute is private; absent is no cache.
    refreshes = getattr(client, "_token_cache", None) is not None
    return client.with_options(max_retries=1 if refreshes else 0)


def method_of(client: Any, resource: str) -> Any:
    """Return the bound method that makes the call."""
    found = client
    for name in resource.split("."):
        found = getattr(found, name)
    return found


def arguments_of(client: Any, job: Job) -> dict[str, Any]:
    """Return the arguments of the call, with a timeout where nobody has set one."""
    arguments = job.arguments
    if client.timeout == DEFAULT_TIMEOUT:
        arguments.setdefault("timeout", CALL_S)
    return arguments


def context_of(job: Job) -> context:
    """Return the context in which the worker calls: the app's, and which job it is."""
    return context_from(job.context, deferred=job.id, run=str(job.runs))


def context_from(said: dict[str, Any], **more: str) -> context:
    """Return the context that a job's content speaks of."""
    attributes = {**said.get("attributes", {}), **more}
    return context(said.get("path"), app=said.get("app"), environment=said.get("environment"), attributes=attributes)


class NoAnswer(LaterError):
    """A 2xx that is not the API's answer: a proxy's page, which the SDK gives back as text."""


def checked(answer: Any) -> Any:
    """Return the answer, if it is one.

    Raises:
        NoAnswer: It is something else.
    """
    if isinstance(answer, (str, bytes)) or answer is None:
        raise NoAnswer("the API's answer: not JSON: look for a proxy in between")
    return answer


def call_failure(error: Exception) -> Failure:
    """Return what a failed call means for its job."""
    if isinstance(error, NoAnswer):
        reason = Reason(category=Category.BAD_RESPONSE, type="non_json_response", status=200)
        return Failure(reason=reason, category=Category.BAD_RESPONSE, retryable=True)
    outcome = outcome_of_error(error)
    reason = Reason(
        category=outcome.category,
        type=outcome.error_type,
        code=outcome.error_code,
        status=outcome.status,
        request_id=getattr(error, "request_id", None),
    )
    retry_after_s = outcome.retry_after_s
    if isinstance(error, CallParked):
        retry_after_s = error.retry_after_s
    elif isinstance(error, CircuitOpen):
        retry_after_s = error.retry_in_s
    return Failure(
        reason=reason,
        category=outcome.category,
        retryable=is_retryable(outcome.category, told_to=outcome.should_retry),
        retry_after_s=retry_after_s,
    )


def handle_failure(error: Exception) -> Failure:
    """Return what it means for a job that the app's own function raised: the call was made, and is made again."""
    reason = Reason(category="handle", type=type(error).__name__)
    return Failure(reason=reason, category=Category.UNKNOWN, retryable=True)


def later_in_s(error: Exception) -> float | None:
    """Return in how many seconds a call that failed so, at last, may be made instead; None if it never may."""
    failure = call_failure(error)
    return (failure.retry_after_s or 0.0) if failure.retryable else None
