"""The public functions: switch the client on and off, and ask how it fares."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from . import guard
from .counting import counted
from .counts import Stats
from .settings import Settings, SettingsArguments, read_settings
from .state import STATE

if TYPE_CHECKING:
    from anthropic import Anthropic, AsyncAnthropic  # noqa: F401

    from .batch import Shipper

Client = TypeVar("Client")


def instrument(**settings: Unpack[SettingsArguments]) -> None:
    """Observe every Claude API client of this process, whenever and by whomever it is made.

    May be called again: the last settings hold, and without any those before. Never raises, never blocks;
    without an `anthropic` that can be instrumented it warns once and does
    nothing.
    """
    try:
        chosen = _chosen(settings)
        if not chosen.enabled:
            uninstrument()
            return
        from .patching import install

        install()
        configure(chosen)
        STATE.active = True
    except ImportError as error:
        guard.warn_once("anthropic", f"claxon.instrument: {error}: install claxon[anthropic] (anthropic>=2.0)")
    except Exception as error:  # noqa: BLE001 - the app must start
        guard.fault("instrument", error)


def uninstrument() -> None:
    """Observe no more, and put the SDK back as it was. What is queued is still sent. Never raises."""
    STATE.active = False
    try:
        # Where it was never imported nothing was patched, and `anthropic` may not be importable.
        patching = sys.modules.get("claxon.patching")
        if patching is not None:
            patching.remove()
    except Exception as error:  # noqa: BLE001 - the app goes on
        guard.fault("uninstrument", error)


def watch(client: Client, **settings: Unpack[SettingsArguments]) -> Client:
    """Return a copy of `client` that is observed; nothing is patched, and `client` itself stays as it is.

    `settings` are those of `instrument()`, and hold for the whole process.
    Returns `client` itself if it cannot be observed. Never raises.
    """
    try:
        chosen = _chosen(settings)
        if not chosen.enabled:
            return client
        from .patching import watched

        configure(chosen)
        copy: Client = watched(client)
    except ImportError as error:
        guard.warn_once("anthropic", f"claxon.watch: {error}: install claxon[anthropic] (anthropic>=2.0)")
        return client
    except Exception as error:  # noqa: BLE001 - the app gets a client that works
        guard.fault("watch", error)
        return client
    return copy


def _chosen(arguments: SettingsArguments) -> Settings:
    """Return the settings of these arguments; without any, those that hold already."""
    if not arguments and STATE.shipper is not None:
        return STATE.settings
    return read_settings(arguments)


def configure(settings: Settings) -> Shipper:
    """Make `settings` hold from now on; what was queued under the old ones is sent as they say, once."""
    from .batch import Shipper

    old = STATE.shipper
    if old is not None and old.settings == settings and not old.stopped:
        return old
    STATE.settings = settings
    STATE.shipper = shipper = Shipper(settings, _sinks(settings))
    if old is None:
        atexit.register(_at_exit)
    else:
        old.retire()
    return shipper


def _sinks(settings: Settings) -> tuple[Callable[..., None], ...]:
    sinks: list[Callable[..., Any]] = []
    if settings.log_events:
        from .logs import EventLog

        sinks.append(EventLog().write)
    if settings.otel:
        from .otel import Metrics

        sinks.append(Metrics().record)
    return tuple(sinks)


def flush(timeout: float = 5.0) -> bool:
    """Send what is queued, and wait for it; return whether all was answered within `timeout` seconds.

    Blocks: in a coroutine use `await asyncio.to_thread(claxon.flush)`.
    """
    try:
        return STATE.shipper is None or STATE.shipper.flush(timeout)
    except Exception as error:  # noqa: BLE001 - the app goes on
        guard.fault("flush", error)
        return False


def shutdown(timeout: float = 2.0) -> bool:
    """Send what is queued and stop; return whether nothing was lost. `instrument()` begins anew.

    Runs at the exit of the process by itself, for at most `exit_timeout_s`.
    """
    STATE.active = False
    try:
        return STATE.shipper is None or STATE.shipper.shutdown(timeout)
    except Exception as error:  # noqa: BLE001 - the app goes on
        guard.fault("shutdown", error)
        return False


def _at_exit() -> None:
    shutdown(STATE.settings.exit_timeout_s)


def stats() -> Stats:
    """Return what became of the events of this process; see `Stats`."""
    if STATE.shipper is None:
        return Stats(faults=guard.faults.value(), resilience=counted())
    return replace(STATE.shipper.stats(), resilience=counted())
