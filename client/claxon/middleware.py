"""The attempt hook: one event for each HTTP exchange, from inside the SDK's retry loop.

Sits innermost, so that it sees what really was sent: a fallback's other model,
another middleware's repeated request. It changes nothing: bodies of errors are
read because the SDK reads them too, streams pass through a tee.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any

import httpx2
from anthropic import Middleware

from . import guard, otel
from .attempt import NO_MODEL, Attempt, Call
from .calls import current_call, lone_call
from .failures import (
    CANCELLED,
    NON_JSON,
    Failure,
    is_cancellation,
    read_error_body,
    type_of_exception,
)
from .loops import digest_of
from .recording import allowed_headers
from .retry import retry_after_s, retryable_error, retryable_response
from .scanners import Scanner, read_answer
from .state import STATE, emit
from .steering import hold, release
from .streaming import AsyncTee, Ending, SyncTee, read_failed, read_failed_async, scanner_for

if TYPE_CHECKING:
    from anthropic import APIRequest, APIResponse, AsyncAPIResponse, AsyncCallNext, CallNext

MESSAGES = "/v1/messages"


class ClaxonMiddleware(Middleware):
    """Observes every attempt of the clients it is given to.

    Attributes:
        always: Observe also when the process is not instrumented: `watch()`.
    """

    def __init__(self, *, always: bool = False) -> None:
        self.always = always

    def handle(self, request: APIRequest, call_next: CallNext) -> APIResponse[Any]:
        """Pass the request on, and note what became of it."""
        attempt = _begin(request, call_next) if self.always or STATE.active else None
        if attempt is None:
            return call_next(request)
        try:
            response = call_next(request)
        except BaseException as error:
            _raised(attempt, request, error)
            raise
        try:
            http = _http_response(response)
            if http is not None:
                if http.status_code >= 300:
                    read_failed(http)
                _answered(attempt, request, http, SyncTee)
        except Exception as fault:  # noqa: BLE001 - the app gets its answer
            guard.fault("middleware", fault)
        return response

    async def handle_async(self, request: APIRequest, call_next: AsyncCallNext) -> AsyncAPIResponse[Any]:
        """As `handle`, for the async client."""
        attempt = _begin(request, call_next) if self.always or STATE.active else None
        if attempt is None:
            return await call_next(request)
        try:
            response = await call_next(request)
        except BaseException as error:
            _raised(attempt, request, error)
            raise
        try:
            http = _http_response(response)
            if http is not None:
                if http.status_code >= 300:
                    await read_failed_async(http)
                _answered(attempt, request, http, AsyncTee)
        except Exception as fault:  # noqa: BLE001 - as above
            guard.fault("middleware", fault)
        return response


def _http_response(response: object) -> httpx2.Response | None:
    """Return the HTTP answer; None where an inner middleware made up a value of its own."""
    found = getattr(response, "http_response", response)
    return found if isinstance(found, httpx2.Response) else None


def _begin(request: APIRequest, call_next: object) -> Attempt | None:
    try:
        call = current_call() or lone_call(request, call_next)
        options = request.options
        body = options.json_data
        attempt = Attempt(call=call, number=request.retries_taken + 1, started=perf_counter())
        if call.depth:
            _join(attempt, call)
        # The route has placeholders where the address has ids, which would be a path each.
        attempt.path = getattr(options, "span_route", None) or _path(options.url)
        if isinstance(body, dict):
            model, tokens = body.get("model"), body.get("max_tokens")
            if isinstance(model, str) and model:
                attempt.model = model
            if isinstance(tokens, int) and tokens >= 0:
                attempt.tokens = tokens
        attempt.fallback_from = _hop(attempt, call)
        call.attempts, call.pending = attempt.number, False
        call.model, call.path, call.tokens = attempt.model, attempt.path, attempt.tokens
        # Asking OpenTelemetry costs more than all of the rest of this function.
        attempt.span = otel.span_inside(call) if call.traced else call.span
        return attempt
    except Exception as fault:  # noqa: BLE001 - the call goes on unobserved
        guard.fault("middleware", fault)
        return None


def _hop(attempt: Attempt, call: Call) -> str | None:
    """Return the model that failed before this one was asked; None for the one that the app asked."""
    if not call.attempts:
        call.first_model = attempt.model
    elif attempt.model == call.first_model:
        call.hop_from = None
    elif attempt.model != call.model and (call.depth or call.attempts == attempt.number):
        # Again with another model: a fallback middleware's hop.
        call.hop_from = call.model
    return call.hop_from


def _join(attempt: Attempt, call: Call) -> None:
    """Number an attempt of a call in which not only the SDK's loop tries again."""
    release(call, final=False)
    attempt.number = call.attempts + 1
    attempt.throttled_ms, call.throttled_ms = call.throttled_ms, None
    attempt.circuit, call.circuit = call.circuit, None


def _path(url: str) -> str:
    return httpx2.URL(url).path if "?" in url or "://" in url else url


def _raised(attempt: Attempt, request: APIRequest, error: BaseException) -> None:
    """Report an attempt that has no answer."""
    try:
        call = attempt.call
        attempt.error_type = type_of_exception(error)
        if not is_cancellation(error):
            retryable = retryable_error(error, retries_taken=attempt.number - 1, refreshes_token=call.refreshes_token)
            _judge(attempt, call, request, retryable=retryable)
        attempt.end()
        _report(attempt, call)
    except Exception as fault:  # noqa: BLE001 - the app gets its own exception
        guard.fault("middleware", fault)


def _judge(attempt: Attempt, call: Call, request: APIRequest, *, retryable: bool) -> None:
    """Set `final` and `exhausted` of a failed attempt."""
    if not retryable:
        return
    attempt.digest = digest_of(request.options.json_data)
    if call.depth:
        attempt.exhausted = True  # if it is the last, which whoever steers will say
        return
    if call.max_retries is None:
        attempt.final = attempt.exhausted = None
        return
    attempt.exhausted = attempt.number > call.max_retries
    attempt.final = attempt.exhausted
    call.pending = not attempt.final
    call.ended = perf_counter()


def _answered(attempt: Attempt, request: APIRequest, response: httpx2.Response, tee: type[SyncTee | AsyncTee]) -> None:
    """Report an attempt that was answered; one whose body is still to come, when that has ended."""
    attempt.status = status = response.status_code
    attempt.headers = allowed_headers(response.headers)
    if not 200 <= status < 300:
        _refused(attempt, request, response)
    elif response.is_closed:
        _succeeded(attempt, response)
    else:
        scanner = scanner_for(response.headers)
        # Streams of other resources have other events, and files are no business of ours.
        scanner.off = scanner.off or not attempt.path.endswith(MESSAGES)
        response.stream = tee(response.stream, scanner, _at_end_of(attempt))


def _refused(attempt: Attempt, request: APIRequest, response: httpx2.Response) -> None:
    call = attempt.call
    retryable = retryable_response(
        response.status_code,
        response.headers,
        retries_taken=attempt.number - 1,
        refreshes_token=call.refreshes_token,
    )
    _judge(attempt, call, request, retryable=retryable)
    if attempt.final is not True or call.depth:
        attempt.retry_after_s = retry_after_s(response.headers)
    if response.is_closed:
        _explain(attempt, read_error_body(response.content))
    attempt.end()
    _report(attempt, call)


def _report(attempt: Attempt, call: Call) -> None:
    """Emit a failed attempt, unless it is yet to be said whether it was the last."""
    if call.depth and attempt.error_type != CANCELLED:
        hold(attempt)
    else:
        emit(attempt)


def _explain(attempt: Attempt, failure: Failure) -> None:
    attempt.error_type = failure.type
    attempt.error_code = failure.code
    attempt.error_message = failure.text


def _succeeded(attempt: Attempt, response: httpx2.Response) -> None:
    attempt.end()
    # Only what names a model is answered by a message; a file's content is no JSON.
    if attempt.model != NO_MODEL:
        is_json, attempt.usage, attempt.stop_reason = read_answer(response.content)
        if not is_json:
            attempt.error_type = NON_JSON
    emit(attempt)


class _at_end_of:  # noqa: N801 - reads as a phrase where it is used
    """Reports an attempt once its body has ended."""

    __slots__ = ("_attempt",)

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def __call__(self, scanner: Scanner, ending: Ending, error: BaseException | None) -> None:
        attempt = self._attempt
        attempt.end()
        scanner.finish()
        attempt.usage = scanner.usage
        attempt.stop_reason = scanner.stop_reason
        attempt.first_token = scanner.first_token
        _conclude(attempt, scanner, ending, error)
        # A body may be closed or dropped by a finalizer, which must not wait for the lock of a span.
        alive = ending in (Ending.READ, Ending.FAILED) or _was_cancelled(error)
        emit(attempt, mark=alive)


def _was_cancelled(error: BaseException | None) -> bool:
    return error is not None and not isinstance(error, GeneratorExit)


def _conclude(attempt: Attempt, scanner: Scanner, ending: Ending, error: BaseException | None) -> None:
    """Set `stream_end`, and the error that goes with it."""
    if scanner.failure is not None:
        attempt.stream_end = "error_event"
        _explain(attempt, scanner.failure)
        attempt.error_type = attempt.error_type or "stream_interrupted"
    elif scanner.done:
        attempt.stream_end = "complete"
    elif ending is Ending.FAILED:
        attempt.stream_end = "transport_error"
        attempt.error_type = type(error).__name__
    elif ending is Ending.READ:
        _conclude_read(attempt, scanner)
    elif scanner.is_stream:
        attempt.stream_end = ending.value
        if _was_cancelled(error):
            attempt.error_type = CANCELLED


def _conclude_read(attempt: Attempt, scanner: Scanner) -> None:
    if scanner.is_stream:
        # Compressed or too large to read: nobody can tell, so nobody cries wolf.
        attempt.stream_end = None if scanner.off else "truncated"
        attempt.error_type = None if scanner.off else "stream_truncated"
    elif not scanner.json:
        attempt.error_type = NON_JSON
