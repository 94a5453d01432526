"""marked: which calls may be answered from the cache. None, unless the app says so."""

from __future__ import annotations

import inspect
from contextvars import ContextVar
from types import TracebackType
from typing import NamedTuple, Self

from ..blocks import Block, F


class _Mark(NamedTuple):
    """What one block says; the blocks form a chain from the inside out.

    A chain, because one `may_be_stale` may be entered by many threads and tasks
    at once: what it kept between enter and exit would be another's.
    """

    age_s: float | None
    owner: may_be_stale
    outer: _Mark | None


_innermost: ContextVar[_Mark | None] = ContextVar("claxon_may_be_stale", default=None)


def allowed_age_s() -> float | None:
    """Return how old an answer may be that is served to the code around, in seconds; None is not at all."""
    mark = _innermost.get()
    return None if mark is None else mark.age_s


class may_be_stale(Block):  # noqa: N801 - read as a phrase: `with claxon.may_be_stale(3600):`
    """Allow the calls inside to get an older answer, at most `max_age_s` seconds old, when all else fails.

    Their good answers are kept for that. Say so only of calls whose answer may
    be given twice: a summary, a classification; not what orders a pizza. A
    context manager (`with`, `async with`) and a decorator of functions and
    coroutine functions; the innermost value holds, and None forbids it again.
    In a generator, put the block around the call and no `yield` inside: until
    the generator goes on, a block also holds for the code that reads from it.

    Raises:
        ValueError: `max_age_s` is not above 0.
        TypeError: What is decorated is a generator.
    """

    def __init__(self, max_age_s: float | None = 86_400.0) -> None:
        if max_age_s is not None and not max_age_s > 0:
            raise ValueError(f"may_be_stale: {max_age_s!r}: give seconds above 0, or None")
        self._age_s = max_age_s

    def __enter__(self) -> Self:
        _innermost.set(_Mark(self._age_s, self, _innermost.get()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _innermost.set(_without(_innermost.get(), self))

    def __call__(self, function: F) -> F:
        """Return `function`, whose calls may then be answered from the cache."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            name = getattr(function, "__qualname__", "")
            raise TypeError(f"may_be_stale: {name}: a generator: put `with may_be_stale(...)` around the call inside")
        return super().__call__(function)


def _without(mark: _Mark | None, owner: may_be_stale) -> _Mark | None:
    """Return the chain without the innermost block of `owner`, also where others were entered since.

    A block that ends in a context where it did not begin, as when a coroutine is
    garbage-collected, takes nothing from the one it ends in.
    """
    if mark is None or mark.owner is owner:
        return mark.outer if mark is not None else None
    rest = _without(mark.outer, owner)
    return mark if rest is mark.outer else _Mark(mark.age_s, mark.owner, rest)
