"""ClaxonDeliveryFailing: an integration does not take what it is sent, and people hear of it by another way out.

≠ when an integration fails: that is `service/delivery/failing.py`.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from alerts.notification import Notification
from alerts.received import Posted

from ..core import Core
from ..delivery import Deliverer, Failing
from ..dispatch import Dispatch
from ..receivers.text import rfc3339
from ..targets import receiver_of
from .own_pages import OwnPages
from .tally import WatchTally
from .ways import other_ways

NAME = "ClaxonDeliveryFailing"

HOLD_S = 120.0
"""One that works is said to fail until it has worked for so long: every second message taken is no recovery."""

_SAY_AGAIN_S = 1800.0

_log = structlog.get_logger(__name__)


def about(notification: Notification) -> str:
    """Return the integration of which a notification says that it fails; "" for any other."""
    labels = notification.common_labels
    if labels.get("alertname") != NAME:
        return ""
    return f"{labels.get('receiver', '')}/{labels.get('integration', '')}"


class FailingWatch:
    """Looks at the deliverer. All of it runs in the core's thread."""

    def __init__(
        self,
        core: Core,
        deliverer: Deliverer,
        dispatch: Dispatch,
        tally: WatchTally,
        *,
        fallback: Callable[[], str],
        clock: Callable[[], float],
    ) -> None:
        """Take the parts over.

        Args:
            core: Knows what fires.
            deliverer: Knows who fails.
            dispatch: Raises alerts.
            tally: Counts.
            fallback: The receiver that gets what others refuse; "" is not set.
            clock: Unix seconds.
        """
        self._pages = OwnPages(NAME, core, dispatch)
        self._deliverer = deliverer
        self._tally = tally
        self._fallback = fallback
        self._clock = clock
        self._known: dict[str, Failing] = {}
        self._until: dict[str, float] = {}
        self._no_way_at: dict[str, float] = {}

    def look(self) -> None:
        """Raise, renew and end what is to be said of each integration.

        Raises:
            DatabaseError: It cannot be written.
        """
        now = self._clock()
        failing = {one.target: one for one in self._deliverer.failing()}
        self._known |= failing
        self._until |= dict.fromkeys(failing, now + HOLD_S)
        for labels in self._pages.open():
            # Said before a restart: nothing is known of it yet but that it was.
            self._until.setdefault(f"{labels.get('receiver')}/{labels.get('integration')}", now + HOLD_S)
        there = set(self._deliverer.integrations)
        self._until = {target: until for target, until in self._until.items() if until > now and target in there}
        self._pages.keep([post for target in self._until if (post := self._post(target, set(failing), now))])

    def _post(self, target: str, failing: set[str], now: float) -> Posted | None:
        receiver, integration = receiver_of(target), target[len(receiver_of(target)) + 1 :]
        labels = {"alertname": NAME, "severity": "page", "receiver": receiver, "integration": integration}
        via = other_ways(target, targets=self._deliverer.integrations, failing=failing, fallback=self._fallback())
        if not via:
            self._say_that_nobody_knows(target, now)
            return None
        known = self._known.get(target)
        if known is None:
            return Posted(labels=labels, via=via)
        said = f"{target} has taken no notification since {rfc3339(known.since)}"
        annotations = {
            "summary": f"{said} ({known.reason}), {known.waiting} wait: {known.last_error}",
            "last_error": known.last_error,
            "reason": known.reason,
            "waiting": str(known.waiting),
            "description": "What it refuses goes to the fallback receiver; what it does not answer is tried for 24 h.",
        }
        return Posted(labels=labels, annotations=annotations, starts_at=known.since, via=via)

    def _say_that_nobody_knows(self, target: str, now: float) -> None:
        if now < self._no_way_at.get(target, now):
            return
        self._no_way_at[target] = now + _SAY_AGAIN_S
        self._tally.no_way += 1
        remedy = "nobody else is there to be told: add a second receiver, and name it in fallback_receiver"
        _log.error("delivery.failing", target=target, error=remedy)
