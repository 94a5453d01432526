"""A job that is done in the core's thread, again and again, one at a time.

≠ when: that is the scheduler's.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future

import structlog

from .core import Core

_log = structlog.get_logger(__name__)


class CoreJob:
    """Call it as often as you like: while one waits for the core, no second one does.

    Attributes:
        succeeded_at: When it was last done without a fault, by the clock that never jumps.
        faults: How often it raised.
    """

    def __init__(
        self,
        core: Core,
        name: str,
        function: Callable[[], None],
        *,
        steady: Callable[[], float],
        on_fault: Callable[[], None] = lambda: None,
    ) -> None:
        """Note what is to be done.

        Args:
            core: In whose thread.
            name: For the log.
            function: What is done; what it raises is logged and counted, for nobody waits for it.
            steady: Seconds that never jump.
            on_fault: Called in the core's thread, after each fault.
        """
        self.faults = 0
        self.succeeded_at = steady()
        self._core = core
        self._name = name
        self._function = function
        self._steady = steady
        self._on_fault = on_fault
        self._waiting: Future[None] | None = None

    def __call__(self) -> None:
        """Have it done, unless it waits to be done already."""
        if self._waiting is not None and not self._waiting.done():
            return
        self._waiting = self._core.submit(self._run)

    def _run(self) -> None:
        try:
            self._function()
        except Exception as fault:  # noqa: BLE001 — nobody waits for this, so it is said here
            self.faults += 1
            self._core.doubt(fault)
            self._on_fault()
            _log.exception("job.error", job=self._name, error=str(fault))
            return
        self.succeeded_at = self._steady()
