"""flushing: what was noted inside is sent before it ends; for code that is frozen or killed right after.

AWS Lambda stops all threads between two invocations, and a worker that ends by
`os._exit` or a signal says no last word: there the shipping thread may never
run again.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, Self, TypeVar, overload

from . import guard
from .state import STATE

Function = TypeVar("Function", bound=Callable[..., Any])

TIMEOUT_S = 1.0


class Flushed:
    """A decorator, and a context manager, sync and async; made by `flushed`."""

    __slots__ = ("_timeout",)

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    def __call__(self, function: Function) -> Function:
        """Return the function, after whose every run what is queued is sent."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"claxon.flushed: {function.__qualname__}: a generator ends when it is read to its end: "
                "write `with claxon.flushed():` inside it"
            )
        wrapper: Any = self._wrap_async(function) if inspect.iscoroutinefunction(function) else self._wrap(function)
        return functools.update_wrapper(wrapper, function)  # type: ignore[return-value]

    def _wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            finally:
                _flush(self._timeout)

        return run

    def _wrap_async(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def run(*args: Any, **kwargs: Any) -> Any:
            try:
                return await function(*args, **kwargs)
            finally:
                await _aflush(self._timeout)

        return run

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _flush(self._timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await _aflush(self._timeout)


@overload
def flushed(function: Function) -> Function: ...
@overload
def flushed(*, timeout: float = TIMEOUT_S) -> Flushed: ...
def flushed(function: Function | None = None, *, timeout: float = TIMEOUT_S) -> Function | Flushed:
    """Send what is queued whenever the function, or the block, ends: also when it raises.

        @claxon.flushed
        def handler(event, context): ...

    Waits for the answer for `timeout` seconds at most, and no longer than the
    first try that fails: what was not answered stays queued. Costs nothing
    where nothing is queued. Of `async` functions the event loop goes on. Never
    raises what the function does not.

    Raises:
        TypeError: `function` is a generator.
        ValueError: `timeout` is no number of seconds above 0.
    """
    if not isinstance(timeout, (int, float)) or not 0 < timeout < float("inf"):
        raise ValueError(f"claxon.flushed: timeout: {timeout!r}: give seconds above 0")
    made = Flushed(timeout)
    return made if function is None else made(function)


def _flush(timeout: float) -> None:
    try:
        shipper = STATE.shipper
        if shipper is not None:
            shipper.flush(timeout, impatient=True)
    except Exception as error:  # noqa: BLE001 - what the function returned is returned
        guard.fault("flushed", error)


async def _aflush(timeout: float) -> None:  # noqa: ASYNC109 - a wait in another thread
    shipper = STATE.shipper
    try:
        if shipper is None or shipper.idle:
            return
        try:
            from anyio import to_thread
        except ImportError:
            import asyncio

            await asyncio.to_thread(_flush, timeout)
        else:
            await to_thread.run_sync(_flush, timeout, abandon_on_cancel=True)
    except Exception as error:  # noqa: BLE001 - as above
        guard.fault("flushed", error)
