"""preset: `production(client)`, every pattern with defaults that suit an app in production, in one line.

The order of the middlewares is what makes them work together, outermost first:

    stale answers > fallbacks > retries with their budget > circuit breaker > throttle > the app's own > telemetry

A call is first tried again on its own model, then on the next one, and an older
answer is the last resort. The breaker judges single attempts, so that it opens
in the middle of a retry storm; the throttle comes last, for what it holds back
must be sent at once when its time has come.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar, Unpack

from anthropic import Middleware

from . import guard
from .breaker import CircuitBreaker
from .budgets import CostLimit, RetryBudget
from .fallbacks import Fallback, Fallbacks
from .retries import RetryPolicy
from .settings import SettingsArguments
from .stale import MemoryStore, StaleAnswers
from .state import STATE
from .throttle import Throttle

Client = TypeVar("Client")

DEADLINE_S = 600.0
"""The SDK gives each attempt 10 minutes; here the whole call has them."""

BURST = 50.0
"""Retries in a burst. As many as may wait when fifty calls are in flight: a retry holds its token while it sleeps."""

PATTERNS = (StaleAnswers, Fallbacks, RetryPolicy, CircuitBreaker, Throttle)
"""In the order of the chain, outermost first."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what a pattern does, or why it does nothing.

    Attributes:
        name: Of the pattern.
        on: Whether it acts.
        does: In one sentence.
    """

    name: str
    on: bool
    does: str


def production(
    client: Client,
    *,
    deadline_s: float | None = DEADLINE_S,
    most_retry_after_s: float = 60.0,
    most_usd: float | None = None,
    fallbacks: Iterable[str | Fallback] | Fallbacks = (),
    retries: RetryPolicy | None = None,
    throttle: Throttle | bool = True,
    breaker: CircuitBreaker | bool = True,
    stale: StaleAnswers | bool = True,
    show: bool = True,
    **settings: Unpack[SettingsArguments],
) -> Client:
    """Return a copy of a client that keeps its calls alive; `client` itself stays as it is.

    Retries, budget, circuit breaker and throttle act on every call. Another
    model answers only if you name one, an older answer only for calls that you
    mark with `claxon.may_be_stale`. May be used on its own result: the newer holds.

    Args:
        client: A client of the SDK, sync or async, of any platform.
        deadline_s: For a whole call; None for no deadline.
        most_retry_after_s: The longest `retry-after` that is slept.
        most_usd: What retries of one call may cost, in US dollars; None for no bound.
        fallbacks: The models to ask next, best first; or your own `Fallbacks`.
        retries: Your own policy, in place of the three above.
        throttle: False switches it off; or your own. Likewise `breaker`, `stale`.
        show: Print to standard error what all of it does, once for each choice of options.
        **settings: Of `claxon.instrument`. With any, or `CLAXON_URL`, the copy is observed as by `claxon.watch`.

    Raises:
        ValueError: An option that makes no sense.
        TypeError: `client` is no client of the SDK.
    """
    if not hasattr(client, "with_middleware"):
        raise TypeError(f"claxon.production: {type(client).__name__}: give it an Anthropic client")
    policy = retries or RetryPolicy(
        deadline_s=deadline_s,
        most_retry_after_s=most_retry_after_s,
        budget=_budget(),
        cost=None if most_usd is None else CostLimit(most_usd),
    )
    chosen: list[Middleware | None] = [
        _own(stale, lambda: StaleAnswers(MemoryStore())),
        _chain(fallbacks),
        policy,
        _own(breaker, CircuitBreaker),
        _own(throttle, Throttle),
    ]
    ours = [middleware for middleware in chosen if middleware is not None]
    given: Any = client
    others = [entry for entry in given.middleware if not isinstance(entry, PATTERNS)]
    # The first 401 of a client with a token cache is the SDK's sign to mint a new one.
    refreshes = getattr(client, "_token_cache", None) is not None
    made: Client = given.copy(middleware=[*ours, *others], max_retries=1 if refreshes else 0)
    if settings or os.environ.get("CLAXON_URL"):
        from .client import watch

        made = watch(made, **settings)
    if show:
        _show(table(made))
    return made


@functools.cache
def _budget() -> RetryBudget:
    """Return the budget of all clients of this process that `production` made."""
    return RetryBudget(reserve=BURST)


def _own(given: Any, make: Any) -> Any:
    if given is True:
        return make()
    return given or None


def _chain(given: Iterable[str | Fallback] | Fallbacks) -> Fallbacks | None:
    if isinstance(given, Fallbacks):
        return given
    models = [given] if isinstance(given, str) else list(given)
    return Fallbacks(*models) if models else None


def table(client: Any) -> list[Row]:
    """Return what a client's patterns do, one row each."""
    found = {type(entry): entry for entry in client.middleware}
    rows = [_row(kind, found.get(kind)) for kind in reversed(PATTERNS)]
    observed = STATE.active or any(getattr(entry, "always", False) for entry in client.middleware)
    telemetry = f"one event per attempt to {STATE.settings.url}" if observed else "claxon.instrument(), or CLAXON_URL"
    return [
        *rows,
        Row("partial streams", on=True, does="claxon.read_stream(stream): what arrived before a cut, as you call it"),
        Row("later", on=True, does="claxon.defer(...): a durable queue, as you call it"),
        Row("telemetry", on=observed, does=telemetry),
    ]


_NAMES = {
    StaleAnswers: ("stale answers", "off"),
    Fallbacks: ("fallbacks", "name models: production(client, fallbacks=[...])"),
    RetryPolicy: ("retries", "off"),
    CircuitBreaker: ("circuit breaker", "off"),
    Throttle: ("throttle", "off"),
}


def _row(kind: type[Any], pattern: Any) -> Row:
    name, without = _NAMES[kind]
    return Row(name, on=pattern is not None, does=without if pattern is None else pattern.describe())


def text_of(rows: Iterable[Row]) -> str:
    """Return the table as text."""
    lines = [f"  {row.name:<16} {'on ' if row.on else 'off'}  {row.does}" for row in rows]
    return "claxon.production:\n" + "\n".join(lines) + "\n"


_shown: set[str] = set()


def _show(rows: list[Row]) -> None:
    text = text_of(rows)
    if text in _shown:
        return
    _shown.add(text)
    try:
        sys.stderr.write(text)
    except Exception as error:  # noqa: BLE001 - a closed standard error is no reason to fail
        guard.fault("production", error)
