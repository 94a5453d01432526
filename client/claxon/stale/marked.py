"""marked: which calls may be answered from the cache. None, unless the app says so."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])

_allowed: ContextVar[float | None] = ContextVar("claxon_may_be_stale", default=None)

allowed_age_s = _allowed.get
"""How old an answer may be that is served to the code around, in seconds; None is not at all."""


class may_be_stale:  # noqa: N801 - read as a phrase: `with claxon.may_be_stale(3600):`
    """Allow the calls inside to get an older answer, at most `max_age_s` seconds old, when all else fails.

    Their good answers are kept for that. Say so only of calls whose answer may
    be given twice: a summary, a classification; not what orders a pizza. A
    context manager (`with`, `async with`) and a decorator of functions and
    coroutine functions; the innermost value holds, and None forbids it again.

    Raises:
        ValueError: `max_age_s` is not above 0.
    """

    def __init__(self, max_age_s: float | None = 86_400.0) -> None:
        if max_age_s is not None and not max_age_s > 0:
            raise ValueError(f"may_be_stale: {max_age_s!r}: give seconds above 0, or None")
        self._age_s = max_age_s
        self._outer: list[float | None] = []

    def __enter__(self) -> Self:
        self._outer.append(_allowed.get())
        _allowed.set(self._age_s)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _allowed.set(self._outer.pop())

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __call__(self, function: F) -> F:
        """Return `function`, whose calls may then be answered from the cache."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def run_async(*args: Any, **kwargs: Any) -> Any:
                with may_be_stale(self._age_s):
                    return await function(*args, **kwargs)

            return cast("F", run_async)

        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            with may_be_stale(self._age_s):
                return function(*args, **kwargs)

        return cast("F", run)
