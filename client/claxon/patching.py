"""patching: where the hooks meet the SDK. The only file that changes somebody else's classes.

`__init__` and `request` of the SDK's two base clients are wrapped, which
reaches every client: platform clients, copies, those made by frameworks. A
client that was made before is given the middleware at its next call.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import anthropic._base_client as base
from anthropic import Anthropic, AsyncAnthropic

from . import guard
from .calls import wrap_async, wrap_sync
from .middleware import ClaxonMiddleware

_OURS = ClaxonMiddleware()

_originals: dict[tuple[type, str], tuple[Any, Any]] = {}
"""(class, name) -> (what was there, what we put there)."""


def install() -> None:
    """Wrap the SDK's base clients, once."""
    for kind, wrap in ((base.SyncAPIClient, wrap_sync), (base.AsyncAPIClient, wrap_async)):
        _replace(kind, "__init__", _with_middleware)
        _replace(kind, "request", functools.partial(wrap, cover=_cover))


def remove() -> None:
    """Take the wrappers off again, except where somebody else has wrapped them since."""
    for (kind, name), (original, ours) in list(_originals.items()):
        if kind.__dict__.get(name) is ours:
            setattr(kind, name, original)
            del _originals[kind, name]


def _replace(kind: type, name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    if (kind, name) in _originals:
        return
    original = kind.__dict__[name]
    ours = wrap(original)
    _originals[kind, name] = (original, ours)
    setattr(kind, name, ours)


def _with_middleware(original: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        # Iterated once, as it may be an iterator; what it raises is the app's.
        given = tuple(kwargs.get("middleware") or ())
        kwargs["middleware"] = innermost(given)
        original(self, *args, **kwargs)

    return __init__


def innermost(middleware: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the list with ours in it once, last: next to the wire."""
    others = [entry for entry in middleware if not isinstance(entry, ClaxonMiddleware)]
    ours = [entry for entry in middleware if isinstance(entry, ClaxonMiddleware)]
    # A watched client stays watched, also when the process is no longer instrumented.
    watching = [entry for entry in ours if entry.always]
    return (*others, *(watching or ours or [_OURS])[:1])


def _cover(client: Any) -> None:
    """Give the middleware to a client that was made before `instrument()`; private parts, so guarded."""
    present = client._middleware  # noqa: SLF001
    if present and isinstance(present[-1], ClaxonMiddleware):
        return
    try:
        wanted = innermost(tuple(present))
        before, client._middleware = present, wanted  # noqa: SLF001
        try:
            client._middleware_chain = client._build_middleware_chain()  # noqa: SLF001
        except Exception:
            client._middleware = before  # noqa: SLF001
            raise
    except Exception as error:  # noqa: BLE001 - the client goes on unobserved
        guard.fault("cover", error)


def watched(client: Any) -> Any:
    """Return a copy of `client` with the middleware in it."""
    if not isinstance(client, (Anthropic, AsyncAnthropic, base.SyncAPIClient, base.AsyncAPIClient)):
        guard.warn_once("watch", f"claxon.watch: {type(client).__name__}: give it an Anthropic client")
        return client
    middleware = innermost((*client.middleware, ClaxonMiddleware(always=True)))
    return client.copy(middleware=middleware)  # type: ignore[union-attr]
