"""context: the app's own words for what it is doing, on every event made inside.

A ContextVar carries them, so threads and tasks do not see each other's. The
blocks form a chain from the inside out, which is why one `context` object may
be entered by many tasks at once: it keeps nothing between enter and exit.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Self

from . import guard
from .blocks import Block

MAX_ATTRIBUTES = 16
MAX_ATTRIBUTE = 256


class Tags:
    """What the blocks around the current code say, the innermost last.

    Attributes:
        path: The app's route name, at most 200 characters; None if none is set.
        app: At most 64 characters; None leaves it to the settings.
        environment: As `app`.
        attributes: Flat strings, at most 16; evidence, never labels.
        outer: The tags outside this block.
    """

    __slots__ = ("app", "attributes", "environment", "outer", "path")

    def __init__(
        self,
        outer: Tags | None = None,
        *,
        path: str | None = None,
        app: str | None = None,
        environment: str | None = None,
        attributes: dict[str, str] | None = None,
    ) -> None:
        self.outer = outer
        self.path: str | None = path or (outer.path if outer else None)
        self.app: str | None = app or (outer.app if outer else None)
        inherited_environment = outer.environment if outer else None
        self.environment: str | None = inherited_environment if environment is None else environment
        joined = {**(outer.attributes or {} if outer else {}), **(attributes or {})}
        self.attributes: dict[str, str] | None = dict(list(joined.items())[-MAX_ATTRIBUTES:]) or None


NO_TAGS = Tags()

_current: ContextVar[Tags] = ContextVar("claxon_tags", default=NO_TAGS)

current_tags = _current.get


class context(Block):  # noqa: N801 - read as a verb at the place of use: `with claxon.context(...)`
    """Say what the calls inside are for.

    A context manager (`with`, `async with`) and a decorator of functions and
    coroutine functions. Blocks nest; the innermost value wins, and attributes
    are joined. In a generator, use `with` inside of it.

    Args:
        path: The app's route, such as `checkout/summary`: what "the same path"
            means to the rules. Keep it one of a few; never put an id in it.
        app: Overrides the setting, for several apps in one process.
        environment: Overrides the setting.
        attributes: Flat evidence for a page, such as `{"tenant": "acme"}`; at
            most 16, each cut at 256 characters.
        **more: Further attributes.
    """

    def __init__(
        self,
        path: str | None = None,
        *,
        app: str | None = None,
        environment: str | None = None,
        attributes: Mapping[str, object] | None = None,
        **more: object,
    ) -> None:
        self._path = _cut(path, 200)
        self._app = _cut(app, 64)
        self._environment = _cut(environment, 64)
        self._attributes = _flat({**(attributes or {}), **more})

    def __enter__(self) -> Self:
        tags = Tags(
            _current.get(),
            path=self._path,
            app=self._app,
            environment=self._environment,
            attributes=self._attributes,
        )
        _current.set(tags)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _current.set(_current.get().outer or NO_TAGS)


def _cut(value: object, limit: int) -> str | None:
    if value is None:
        return None
    return str(value)[:limit]


def _flat(attributes: Mapping[str, object]) -> dict[str, str] | None:
    """Return the attributes as flat strings; a value that has no text is left out."""
    flat: dict[str, str] = {}
    for name, value in attributes.items():
        try:
            flat[str(name)[:64]] = str(value)[:MAX_ATTRIBUTE]
        except Exception as error:  # noqa: BLE001 - __str__ is the app's code
            guard.fault("context", error)
    return flat or None
