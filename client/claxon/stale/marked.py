"""marked: which calls may be answered from the cache. None, unless the app says so."""

from __future__ import annotations

from contextvars import ContextVar
from types import TracebackType
from typing import NamedTuple, Self

from ..blocks import Block


class _Allowed(NamedTuple):
    age_s: float | None
    outer: _Allowed | None


_allowed: ContextVar[_Allowed | None] = ContextVar("claxon_may_be_stale", default=None)


def allowed_age_s() -> float | None:
    """Return how old an answer may be that is served to the code around, in seconds; None is not at all."""
    found = _allowed.get()
    return None if found is None else found.age_s


class may_be_stale(Block):  # noqa: N801 - read as a phrase: `with claxon.may_be_stale(3600):`
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

    def __enter__(self) -> Self:
        _allowed.set(_Allowed(self._age_s, _allowed.get()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        found = _allowed.get()
        _allowed.set(None if found is None else found.outer)
