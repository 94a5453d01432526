"""Own pages: alerts that Claxon raises about itself, renewed while they are wanted, and ended.

They go the way of posted alerts, so they are told, repeated, acknowledged and closed as all are.

≠ when one is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import structlog

from alerts.labels import fingerprint
from alerts.received import Posted

from ..core import Core
from ..dispatch import Dispatch

LASTS_S = 600.0
"""One that is not renewed ends after so long: only where Claxon itself is gone."""

_RENEW_S = 120.0

_log = structlog.get_logger(__name__)


class OwnPages:
    """Those with one `alertname`. All of it runs in the core's thread."""

    def __init__(self, name: str, core: Core, dispatch: Dispatch) -> None:
        self._name = name
        self._core = core
        self._dispatch = dispatch
        self._renewed_at: dict[str, float] = {}

    def open(self) -> list[dict[str, str]]:
        """Return the labels of those that fire."""
        firing = self._core.notifier.state.firing.values()
        return [alert.labels for alert in firing if alert.labels.get("alertname") == self._name]

    def keep(self, wanted: Iterable[Posted]) -> None:
        """Raise what is wanted, renew what fires already, and end the rest.

        Raises:
            DatabaseError: It cannot be written.
        """
        now = self._dispatch.now
        by_name = {fingerprint(one.labels): one for one in wanted}
        firing = {fingerprint(labels): labels for labels in self.open()}
        due = [
            msgspec.structs.replace(one, ends_at=now + LASTS_S)
            for name, one in by_name.items()
            if name not in firing or now - self._renewed_at.get(name, -_RENEW_S) >= _RENEW_S
        ]
        over = [Posted(labels=labels, ends_at=now) for name, labels in firing.items() if name not in by_name]
        due, over = [self._as_told(one) for one in due], [self._as_told(one) for one in over]
        if not due and not over:
            return
        self._renewed_at = {name: self._renewed_at.get(name, now) for name in by_name}
        self._renewed_at |= {fingerprint(one.labels): now for one in due}
        for wrong in self._dispatch.post([*due, *over]):
            _log.error("watch.not_raised", alertname=self._name, error=wrong)

    def _as_told(self, one: Posted) -> Posted:
        """Return an alert with what was said of it before, where nothing else is said now."""
        before = self._core.notifier.state.received.get(fingerprint(one.labels))
        if before is None or one.annotations:
            return one
        return msgspec.structs.replace(
            one, annotations=before.annotations, starts_at=min(before.starts_at, self._dispatch.now)
        )
