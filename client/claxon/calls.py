"""The call hook: what a whole call is, seen from around `request` of the SDK's base clients.

Only here is it known how often the SDK will try, which attempts belong
together, that the app cancelled while the SDK slept between two attempts, and
that a call failed before it was sent. Patched on the two base classes, so that
every client of the process is covered, also those made before.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any

from . import guard, otel
from .attempt import CALL_IDS, Attempt, Call
from .failures import credential_error, is_cancellation, type_of_exception
from .state import STATE, emit, ready
from .tagging import current_tags

_current: ContextVar[Call | None] = ContextVar("claxon_call", default=None)

current_call = _current.get


def begin_call(client: Any, options: Any) -> Call:
    """Return a new call, as `client` is about to make it."""
    retries = options.max_retries if options is not None else None
    if not isinstance(retries, int):  # NotGiven
        retries = getattr(client, "max_retries", None)
    tags = current_tags()
    started, span = time.perf_counter(), otel.current_span()
    return Call(
        id=f"{CALL_IDS.prefix}-{next(CALL_IDS.numbers):x}",
        max_retries=retries,
        refreshes_token=getattr(client, "_token_cache", None) is not None,  # private; absent is no cache
        started=started,
        tags=tags,
        route=None if span is None or tags.path else otel.route_of(span),
        span=span,
        traced=getattr(client, "_lazy_tracer", True) is not None,  # private; absent may be traced
        ended=started,
    )


def client_of(call_next: object) -> object:
    """Return the SDK's client at the end of a middleware chain, found in the handlers' closures; None if it is not."""
    found: object = call_next
    for _ in range(64):  # as many middlewares as anybody has
        inner: object = None
        for cell in getattr(found, "__closure__", None) or ():
            content = cell.cell_contents
            if hasattr(content, "_build_middleware_chain"):  # private, guarded
                return content
            if getattr(content, "__closure__", None):
                inner = content
        if inner is None:
            return None
        found = inner
    return None


def lone_call(request: Any, call_next: object) -> Call:
    """Return a call for an attempt whose call the hook did not see: a watched client's.

    All attempts of a POST carry the same idempotency key, so it is their
    call's id. Where the client is not found, `max_retries` is unknown and the
    service waits to see whether another attempt follows.
    """
    ready()
    call = begin_call(client_of(call_next), request.options)
    key = request.options.idempotency_key
    if key:
        call.id = key.removeprefix("stainless-python-retry-")
    return call


def _enter(client: Any, arguments: tuple[Any, ...], keywords: dict[str, Any], cover: Callable[[Any], None]) -> Any:
    """Return the token of a new current call; None when the client is not to be observed."""
    if not STATE.active:
        return None
    try:
        ready()
        cover(client)
        options = arguments[1] if len(arguments) > 1 else keywords.get("options")
        return _current.set(begin_call(client, options))
    except Exception as error:  # noqa: BLE001 - the call goes on unobserved
        guard.fault("call", error)
        return None


def leave(token: Token[Call | None]) -> None:
    """Make the call before current again."""
    try:  # noqa: SIM105 - `suppress` costs more than all of the rest
        _current.reset(token)
    except ValueError:
        pass  # a coroutine closed by the garbage collector ends in another context


def enter(call: Call) -> Token[Call | None]:
    """Make a call current, and return what `leave` takes."""
    return _current.set(call)


def _failed(error: BaseException) -> None:
    """Report the end of a call that no attempt could report."""
    try:
        call = _current.get()
        if call is not None:
            close(call, error)
    except Exception as fault:  # noqa: BLE001 - the app gets its own exception
        guard.fault("call", fault)


def close(call: Call, error: BaseException) -> None:
    """Report that a call ended while its last attempt promised another, or before any was sent."""
    if call.attempts == 0:
        if is_cancellation(error) or credential_error(error) is None:
            return
    elif not call.pending:
        return
    # Either nothing was sent, or the SDK was to try again and will not.
    attempt = Attempt(
        call=call,
        number=call.attempts + 1,
        started=call.ended,
        model=call.model,
        path=call.path,
        tokens=call.tokens,
        error_type=type_of_exception(error),
    )
    attempt.span = call.span
    attempt.end()
    call.pending = False
    emit(attempt)


def wrap_sync(original: Callable[..., Any], cover: Callable[[Any], None]) -> Callable[..., Any]:
    """Return `SyncAPIClient.request` with the hook around it."""

    @functools.wraps(original)
    def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        token = _enter(self, args, kwargs, cover)
        if token is None:
            return original(self, *args, **kwargs)
        try:
            return original(self, *args, **kwargs)
        except BaseException as error:
            _failed(error)
            raise
        finally:
            leave(token)

    return request


def wrap_async(original: Callable[..., Any], cover: Callable[[Any], None]) -> Callable[..., Any]:
    """Return `AsyncAPIClient.request` with the hook around it."""

    @functools.wraps(original)
    async def request(self: Any, *args: Any, **kwargs: Any) -> Any:
        token = _enter(self, args, kwargs, cover)
        if token is None:
            return await original(self, *args, **kwargs)
        try:
            return await original(self, *args, **kwargs)
        except BaseException as error:
            _failed(error)
            raise
        finally:
            leave(token)

    return request
