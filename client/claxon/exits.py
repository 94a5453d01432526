"""exits: that the last events leave, in the processes that end without `atexit`.

A child of `multiprocessing` or of Celery ends by `os._exit`, which runs no
`atexit` functions but has a last word of its own. Nothing is imported here that
the process does not have.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from . import guard

LAST = -1000
"""The priority among finalizers: after all of the app's."""

_armed_in: int | None = None


def arm() -> None:
    """Have the end of this process wait for its last events; once per process, from an app's thread."""
    global _armed_in  # noqa: PLW0603 - one per process
    if _armed_in == os.getpid():
        return
    _armed_in = os.getpid()
    try:
        _arm_children()
        _arm_celery()
    except Exception as error:  # noqa: BLE001 - then the last events may be missing
        guard.fault("exits", error)


def _arm_children() -> None:
    """Register with `multiprocessing`, and with Celery's copy of it, where this is a child of one."""
    for package in ("multiprocessing", "billiard"):
        util: Any = sys.modules.get(f"{package}.util")
        process: Any = sys.modules.get(f"{package}.process")
        if util is None or process is None:
            continue
        if _is_child(process):
            # Not before the fork: a child forgets the finalizers of its parent.
            util.Finalize(None, end_of_process, exitpriority=LAST)


def _is_child(process: Any) -> bool:
    current = process.current_process()
    return getattr(current, "_parent_pid", None) is not None


def _arm_celery() -> None:
    signals: Any = sys.modules.get("celery.signals")
    if signals is not None:
        signals.worker_process_shutdown.connect(end_of_process, weak=False, dispatch_uid="claxon")


def end_of_process(**_: object) -> None:
    """Send or spool what is queued, within `exit_timeout_s`."""
    from .client import shutdown
    from .state import STATE

    shutdown(STATE.settings.exit_timeout_s)
