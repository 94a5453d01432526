"""Claxon watches the calls an app makes to the Claude API, and wakes somebody when they break.

Five lines: `import claxon; claxon.instrument()`, once, before the first call.

Importing this package costs milliseconds: the names below load what they need
on first use, so a process that never instruments never imports `anthropic`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .breaker import CircuitBreaker as CircuitBreaker
    from .budgets import CostLimit as CostLimit
    from .budgets import RetryBudget as RetryBudget
    from .client import flush as flush
    from .client import instrument as instrument
    from .client import shutdown as shutdown
    from .client import stats as stats
    from .client import uninstrument as uninstrument
    from .client import watch as watch
    from .counts import Stats as Stats
    from .deadlines import deadline as deadline
    from .errors import CallParked as CallParked
    from .errors import CircuitOpen as CircuitOpen
    from .errors import DeadlineExceeded as DeadlineExceeded
    from .event import Event as Event
    from .fallbacks import Fallback as Fallback
    from .fallbacks import Fallbacks as Fallbacks
    from .flushing import flushed as flushed
    from .later import DeferredCalls as DeferredCalls
    from .later import adefer as adefer
    from .later import defer as defer
    from .marking import Marks as Marks
    from .marking import marks as marks
    from .partials import PartialAnswer as PartialAnswer
    from .partials import aread_stream as aread_stream
    from .partials import partial as partial
    from .partials import read_stream as read_stream
    from .preset import production as production
    from .prices import Price as Price
    from .prices import Prices as Prices
    from .retries import RetryPolicy as RetryPolicy
    from .retry_rules import RetryRule as RetryRule
    from .stale import DiskStore as DiskStore
    from .stale import MemoryStore as MemoryStore
    from .stale import RedisStore as RedisStore
    from .stale import StaleAnswers as StaleAnswers
    from .stale import may_be_stale as may_be_stale
    from .tagging import context as context
    from .taxonomy import Category as Category
    from .throttle import Throttle as Throttle

__version__ = "0.1.0"

__all__ = [
    "CallParked",
    "Category",
    "CircuitBreaker",
    "CircuitOpen",
    "CostLimit",
    "DeadlineExceeded",
    "DeferredCalls",
    "DiskStore",
    "Event",
    "Fallback",
    "Fallbacks",
    "Marks",
    "MemoryStore",
    "PartialAnswer",
    "Price",
    "Prices",
    "RedisStore",
    "RetryBudget",
    "RetryPolicy",
    "RetryRule",
    "StaleAnswers",
    "Stats",
    "Throttle",
    "__version__",
    "adefer",
    "aread_stream",
    "context",
    "deadline",
    "defer",
    "flush",
    "flushed",
    "instrument",
    "marks",
    "may_be_stale",
    "partial",
    "production",
    "read_stream",
    "shutdown",
    "stats",
    "uninstrument",
    "watch",
]

_HOMES = {
    "CallParked": "errors",
    "Category": "taxonomy",
    "CircuitBreaker": "breaker",
    "CircuitOpen": "errors",
    "CostLimit": "budgets",
    "DeadlineExceeded": "errors",
    "DeferredCalls": "later",
    "DiskStore": "stale",
    "Event": "event",
    "Fallback": "fallbacks",
    "Fallbacks": "fallbacks",
    "Marks": "marking",
    "MemoryStore": "stale",
    "PartialAnswer": "partials",
    "Price": "prices",
    "Prices": "prices",
    "RedisStore": "stale",
    "RetryBudget": "budgets",
    "RetryPolicy": "retries",
    "RetryRule": "retry_rules",
    "StaleAnswers": "stale",
    "Stats": "counts",
    "Throttle": "throttle",
    "adefer": "later",
    "aread_stream": "partials",
    "context": "tagging",
    "deadline": "deadlines",
    "defer": "later",
    "flush": "client",
    "flushed": "flushing",
    "instrument": "client",
    "marks": "marking",
    "may_be_stale": "stale",
    "partial": "partials",
    "production": "preset",
    "read_stream": "partials",
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
