"""State of the client in this process: its settings, and where events go."""

from __future__ import annotations

from collections.abc import Callable
from os import getpid
from typing import TYPE_CHECKING

from . import guard, otel
from .attempt import Attempt
from .event import Event, complete
from .failures import needs_somebody
from .loops import is_deferred, noticed
from .recording import to_event
from .settings import Settings

if TYPE_CHECKING:
    from .batch import Shipper


class State:
    """What `instrument()` set up, and `capture_events()` borrows.

    Attributes:
        active: Whether instrumented clients are observed.
        settings: The last given.
        shipper: None before the first `instrument()` or `watch()`.
        captures: Lists that tests collect events in; while there is one,
            nothing is shipped.
    """

    def __init__(self) -> None:
        self.active = False
        self.settings = Settings()
        self.shipper: Shipper | None = None
        self.captures: tuple[Callable[[Event], None], ...] = ()


STATE = State()


def ready() -> None:
    """See that the shipping thread runs. Never called from a finalizer, which must not start threads."""
    shipper = STATE.shipper
    if shipper is not None and shipper.pid != getpid() and not STATE.captures:
        shipper.ensure_started()


def emit(attempt: Attempt, *, mark: bool = True) -> None:
    """Hand over an attempt that has ended. Takes no lock of ours and never waits.

    `mark` also adds it to its span, which has a lock of its own: not for finalizers.
    """
    try:
        if attempt.error_type is not None or attempt.status != 200:
            attempt.failed = needs_somebody(attempt.error_type, attempt.error_code, attempt.status)
        if mark and attempt.span is not None and STATE.settings.otel:
            otel.mark_span(attempt)
        if STATE.captures:
            _capture(attempt)
        elif STATE.shipper is not None:
            STATE.shipper.put(attempt)
        # The last, so that a fault in it costs no event.
        if attempt.exhausted and attempt.digest is not None and not is_deferred(attempt.call.tags):
            noticed(attempt.digest, attempts=attempt.number)
    except Exception as error:  # noqa: BLE001 - our fault must not become the app's
        guard.fault("emit", error)


def _capture(attempt: Attempt) -> None:
    for take in STATE.captures:
        event = to_event(attempt, STATE.settings)
        take(complete(event, received_at=attempt.time))
