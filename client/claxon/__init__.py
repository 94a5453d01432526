"""Claxon watches the calls an app makes to the Claude API, and wakes somebody when they break.

Five lines: `import claxon; claxon.instrument()`, once, before the first call.

Importing this package costs milliseconds: the names below load what they need
on first use, so a process that never instruments never imports `anthropic`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .client import flush as flush
    from .client import instrument as instrument
    from .client import shutdown as shutdown
    from .client import stats as stats
    from .client import uninstrument as uninstrument
    from .client import watch as watch
    from .counts import Stats as Stats
    from .event import Event as Event
    from .tagging import context as context
    from .taxonomy import Category as Category

__version__ = "0.1.0"

__all__ = [
    "Category",
    "Event",
    "Stats",
    "__version__",
    "context",
    "flush",
    "instrument",
    "shutdown",
    "stats",
    "uninstrument",
    "watch",
]

_HOMES = {
    "Category": "taxonomy",
    "Event": "event",
    "Stats": "counts",
    "context": "tagging",
    "flush": "client",
    "instrument": "client",
    "shutdown": "client",
    "stats": "client",
    "uninstrument": "client",
    "watch": "client",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'claxon' has no attribute {name!r}")
    found = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
