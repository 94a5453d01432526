"""The timers: evaluate, snapshot, prune. The only file that knows APScheduler.

Jobs only say that time has passed; what is due is computed from what was evaluated
last, so a tick that is missed or merged loses nothing, but it is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED
from apscheduler.schedulers.asyncio import AsyncIOScheduler

_NAMES = {EVENT_JOB_MISSED: "missed", EVENT_JOB_MAX_INSTANCES: "overrun", EVENT_JOB_ERROR: "error"}

_log = structlog.get_logger(__name__)


class Scheduler:
    """Runs jobs on the event loop at fixed intervals."""

    def __init__(self) -> None:
        self.troubles: dict[tuple[str, str], int] = {}
        # Defaults drop a tick that is 1 s late; ours runs late, once.
        defaults = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        self._scheduler = AsyncIOScheduler(job_defaults=defaults, timezone="UTC")
        self._scheduler.add_listener(self._trouble, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES | EVENT_JOB_ERROR)

    def every(self, seconds: float, name: str, job: Callable[[], Any]) -> None:
        """Run a job at an interval; it may be a coroutine function."""
        self._scheduler.add_job(job, "interval", seconds=seconds, id=name)
        for trouble in _NAMES.values():
            self.troubles[name, trouble] = 0

    def start(self) -> None:
        """Start the timers on the running event loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """Stop them; a job that runs is not waited for."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def failed(self, name: str) -> None:
        """Count a job that raised, elsewhere than here; any thread may."""
        self._count(name, _NAMES[EVENT_JOB_ERROR])

    def _count(self, name: str, trouble: str) -> None:
        self.troubles[name, trouble] = self.troubles.get((name, trouble), 0) + 1

    def _trouble(self, event: Any) -> None:
        name = _NAMES[event.code]
        self._count(event.job_id, name)
        _log.warning(f"job.{name}", job=event.job_id, error=str(getattr(event, "exception", None) or "") or None)
