"""What a condition answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeAlias

from .log import Value

Holds: TypeAlias = tuple[bool | None, Value]
"""Whether it holds (None: unknown), and what it measured."""


class Condition(Protocol):
    """The condition of one rule for one key."""

    def __call__(self, g: int, state: str) -> Holds:
        """Say whether it holds at g, for an alert in that state; seconds only go forward."""
        ...

    def instants(self) -> Iterable[float]:
        """Yield when it may change though nothing is seen, nothing leaves a window, and nothing is taken back."""
        ...
