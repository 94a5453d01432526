"""guard: a fault of ours is logged once, counted, and never reaches the app.

The only file of the client, with the shipping thread's loop, that may catch
everything. Messages go to the standard logger `claxon`: `warnings` could be
turned into errors by the app, and then we would have raised into it.
"""

from __future__ import annotations

import contextlib
import logging

from .tally import Tally

log = logging.getLogger("claxon")

faults = Tally()
"""Faults of our own, in this process."""

_told: set[str] = set()


def fault(where: str, error: BaseException) -> None:
    """Count a fault of ours, and log it the first time it happens at this place."""
    faults.add()
    key = f"fault {where} {type(error).__name__}"
    if key in _told:
        return
    _told.add(key)
    # A broken log handler of the app's is no reason to break the app.
    with contextlib.suppress(Exception):
        log.warning("%s: %s: calls go on; events may be missing", where, type(error).__name__, exc_info=error)


def warn_once(key: str, message: str) -> None:
    """Log a warning about what somebody can mend, once per process and key."""
    if key in _told:
        return
    _told.add(key)
    with contextlib.suppress(Exception):
        log.warning(message)


def forget() -> None:
    """Log and count everything anew; for tests."""
    faults.renew()
    _told.clear()
