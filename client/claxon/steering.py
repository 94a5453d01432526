"""steering: what the middlewares that keep calls alive share with the telemetry and with each other.

Several of them may send one call again: a retry, another model. The telemetry
sits innermost and sees each exchange, but not which of them was the last. So a
failed attempt inside a `steering` block is *held*, until somebody says that
another follows (`absorbed`), the next one begins, or the outermost block ends.

All of it works as well on a client that nobody observes: then nothing is held.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from contextvars import Token
from time import perf_counter
from types import TracebackType
from typing import Any, Literal

from anthropic import DEFAULT_MAX_RETRIES, APIRequest

from . import guard
from .attempt import Attempt, Call
from .calls import close, current_call, enter, leave, lone_call
from .outcome import Outcome
from .retry import retryable_error, retryable_response
from .state import STATE, emit
from .tagging import current_tags

DEFAULT_APP = "default"


class steering:  # noqa: N801 - reads as a phrase: `with steering(request, call_next) as call`
    """A block whose exchanges are attempts of one call; for sync and async handlers alike.

    Entered, it gives the Call, which it opens where there is none. The end of
    the outermost block reports the failed attempt that is still held: as final
    where a retry policy has the last word, else as the SDK's own loop will act on it.
    """

    __slots__ = ("_call", "_call_next", "_request", "_token")

    def __init__(self, request: APIRequest, call_next: object) -> None:
        self._request = request
        self._call_next = call_next
        self._call: Call | None = None
        self._token: Token[Call | None] | None = None

    def __enter__(self) -> Call:
        call = current_call()
        if call is None:
            call = self._open()
            self._token = enter(call)
        if call.depth == 0:
            call.sdk_retries = self._request.retries_taken
        call.depth += 1
        self._call = call
        return call

    def _open(self) -> Call:
        try:
            call = lone_call(self._request, self._call_next)
        except Exception as fault:  # noqa: BLE001 - the call goes on, without an id of its own
            guard.fault("steering", fault)
            call = Call(id="", max_retries=None, refreshes_token=False, started=perf_counter())
        call.attempts = self._request.retries_taken
        return call

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        call = self._call
        assert call is not None
        call.depth -= 1
        try:
            if call.depth == 0:
                _end(call)
            if self._token is not None and error is not None:
                close(call, error)
        except Exception as fault:  # noqa: BLE001 - the app gets its own exception
            guard.fault("steering", fault)
        finally:
            if self._token is not None:
                leave(self._token)
        return False


def _end(call: Call) -> None:
    """Say of the held attempt whether it was the last."""
    held = call.held
    if held is None:
        return
    # The SDK itself answers the first 401 of a client that refreshes its token.
    sdk_decides = call.policy_retries is None or held.status == 401
    if not held.exhausted or not sdk_decides:
        release(call, final=True)
    elif call.max_retries is None:
        held.exhausted = None
        release(call, final=None)
    else:
        release(call, final=call.sdk_retries >= call.max_retries)


def hold(attempt: Attempt) -> None:
    """Keep a failed attempt until it is known whether it was the last; `exhausted` says whether it may be retried."""
    call = attempt.call
    release(call, final=False)
    call.held = attempt
    call.ended = perf_counter()


def release(call: Call, *, final: bool | None) -> None:
    """Report the held attempt, if there is one, as the last or not."""
    held: Attempt | None = call.held
    if held is None:
        return
    call.held = None
    held.final = final
    if final is False:
        held.exhausted = False
        held.stopped_by = None
    elif final is True:
        held.retry_after_s = None  # nobody sleeps
    call.pending = final is False
    emit(held)


def absorbed(call: Call, *, retry_after_s: float | None = None) -> None:
    """Say that another exchange follows the failed one, after `retry_after_s` seconds of sleep.

    To be said before sleeping: the service counts calls that sleep.
    """
    held: Attempt | None = call.held
    if held is None:
        return
    if retry_after_s is not None:
        held.retry_after_s = retry_after_s
    release(call, final=False)


def noted(call: Call, **fields: object) -> None:
    """Set fields of the held attempt: `stopped_by`, `circuit`, `cached`."""
    held = call.held
    if held is not None:
        for name, value in fields.items():
            setattr(held, name, value)


def unsent(
    call: Call,
    request: APIRequest,
    *,
    error_type: str,
    error_code: str | None = None,
    stopped_by: str | None = None,
    circuit: str | None = None,
) -> None:
    """Report a call that was refused before it was sent, such as by an open circuit. Must be inside `steering`."""
    if not (STATE.active or STATE.captures or STATE.shipper is not None):
        return
    body = request.options.json_data
    tokens = body.get("max_tokens") if isinstance(body, dict) else None
    attempt = Attempt(
        call=call,
        number=call.attempts + 1,
        started=perf_counter(),
        model=model_of(request),
        path=getattr(request.options, "span_route", None) or request.options.url,
        tokens=tokens if isinstance(tokens, int) and tokens >= 0 else None,
        error_type=error_type,
        error_code=error_code,
        stopped_by=stopped_by,
        circuit=circuit,
        fallback_from=call.hop_from,
        span=call.span,
    )
    attempt.end()
    hold(attempt)
    call.attempts = attempt.number
    call.model, call.path, call.tokens = attempt.model, attempt.path, attempt.tokens


def was_last(outcome: Outcome, call: Call) -> bool:
    """Return whether nobody tries this model again: a retry policy has ended, or the SDK's loop will not go on."""
    if call.policy_retries is not None:
        return True
    most = DEFAULT_MAX_RETRIES if call.max_retries is None else call.max_retries
    if call.sdk_retries >= most:
        return True
    done, refreshes = call.sdk_retries, call.refreshes_token
    if outcome.error is not None:
        return not retryable_error(outcome.error, retries_taken=done, refreshes_token=refreshes)
    headers: Mapping[str, str] = outcome.headers or {}
    return not retryable_response(outcome.status or 0, headers, retries_taken=done, refreshes_token=refreshes)


def altered(
    request: APIRequest,
    *,
    body: dict[str, Any] | None = None,
    retries_taken: int | None = None,
    timeout: Any = None,
    headers: Mapping[str, str] | None = None,
) -> APIRequest:
    """Return a copy of a request, changed where something is given; the body is shared unless replaced.

    `APIRequest.copy` copies the body deeply, which for a long conversation costs
    more than everything else here.
    """
    options = copy.copy(request.options)
    if body is not None:
        options.json_data = body
    if timeout is not None:
        options.timeout = timeout
    if headers is not None:
        options.headers = {**request.headers, **headers}
    return APIRequest(
        options=options,
        cast_to=request.cast_to,
        stream=request.stream,
        stream_cls=request.stream_cls,
        retries_taken=request.retries_taken if retries_taken is None else retries_taken,
    )


def is_call_for_answer(request: APIRequest) -> bool:
    """Return whether this is a request for a message: not a count of tokens, a batch, a file."""
    if request.method.upper() != "POST":
        return False
    url = request.url
    path = url if "?" not in url else url[: url.index("?")]
    return path.endswith("/messages")


def model_of(request: APIRequest) -> str:
    """Return the model that a request names; "none" where it names none."""
    body = request.options.json_data
    model = body.get("model") if isinstance(body, dict) else None
    return model if isinstance(model, str) and model else "none"


def app_of(call: Call) -> str:
    """Return the app that a call is made for."""
    return call.tags.app or current_tags().app or STATE.settings.app or DEFAULT_APP
