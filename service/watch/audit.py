"""Audit: pages that fire and that nobody was told of, whatever the reason; somebody is told of that.

It trusts neither the notifier nor the outbox: what fires is compared with what was
delivered. Its alert is ClaxonPageUntold. All of it runs in the core's thread.

≠ receivers that fail: what waits for them is tried still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import msgspec
import structlog

from alerts.decisions import Decision, What
from alerts.desk import episode_key
from alerts.lifecycle import Alert
from alerts.notification import facts
from alerts.received import Posted

from ..core import Core
from ..delivery import Deliverer
from ..dispatch import Dispatch
from ..storage import reached
from ..targets import receiver_of
from . import failing
from .own_pages import OwnPages
from .tally import WatchTally
from .ways import PAGE, other_ways

NAME = "ClaxonPageUntold"

AFTER_S = 120.0
"""A page has so long to reach somebody, or at least to be on its way."""

OLD_S = 29 * 86_400.0
"""Of what fires for longer the outbox may know nothing any more."""

NOT_DECIDED = "no receiver was chosen"
NOT_DELIVERED = "every receiver refused it, or its deadline passed"
NOT_THERE = "nothing of it is in the outbox"

_OWN = frozenset({NAME, failing.NAME})

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """A page that somebody should know of.

    Attributes:
        alert: What fires.
        name: The fingerprint of the alert that was told: one may speak for others.
        episode: Its episode.
        key: The page's `dedup_key`, where it was told by itself; "" where it was not.
    """

    alert: Alert
    name: str
    episode: int
    key: str


class Auditor:
    """Looks once a minute."""

    def __init__(
        self,
        core: Core,
        deliverer: Deliverer,
        dispatch: Dispatch,
        tally: WatchTally,
        *,
        fallback: Callable[[], str],
    ) -> None:
        self._pages = OwnPages(NAME, core, dispatch)
        self._core = core
        self._deliverer = deliverer
        self._dispatch = dispatch
        self._tally = tally
        self._fallback = fallback
        # (fingerprint, episode) of what somebody got: that stays so.
        self._reached: set[tuple[str, int]] = set()
        self._noted: set[tuple[str, int]] = set()

    def look(self) -> None:
        """Find the pages that nobody was told of, and say so.

        Raises:
            DatabaseError: It cannot be read or written.
        """
        now = self._dispatch.now
        undecided = self._core.notifier.untold_pages(now, after_s=AFTER_S)
        untold = {alert.fingerprint: (alert, NOT_DECIDED) for alert in undecided if _is_of_others(alert)}
        untold |= {page.alert.fingerprint: (page.alert, why) for page, why in self._undelivered(now)}
        self._noted &= {(name, alert.episode) for name, (alert, _) in untold.items()}
        for alert, why in untold.values():
            self._note(alert, why, now)
        self._tally.untold = len(untold)
        self._pages.keep(self._posts(untold.values()))

    # ── what was decided, and did not arrive ──────────────────────────────────

    def _undelivered(self, now: float) -> list[tuple[_Page, str]]:
        old = [page for page in self._told_pages() if AFTER_S < now - _since(page.alert) < OLD_S]
        self._reached &= {(page.name, page.episode) for page in old}
        pages = [page for page in old if (page.name, page.episode) not in self._reached]
        found = {page.name: self._states_by_key(page) for page in pages}
        unclear = {name for name, states in found.items() if not states & {"delivered", "pending"}}
        if unclear:
            since = min(_since(page.alert) for page in pages if page.name in unclear)
            grouped = reached.in_groups(self._core.connection, since - 1.0, unclear)
            for name, states in grouped.items():
                found[name] |= states
        self._reached |= {(page.name, page.episode) for page in pages if "delivered" in found[page.name]}
        return [
            (page, NOT_DELIVERED if found[page.name] else NOT_THERE)
            for page in pages
            if not found[page.name] & {"delivered", "pending"}
        ]

    def _states_by_key(self, page: _Page) -> set[str]:
        return reached.states(self._core.connection, page.name, page.key) if page.key else set()

    def _told_pages(self) -> Iterable[_Page]:
        """Yield the pages of which the notifier says that somebody was told."""
        notifier = self._core.notifier
        state = notifier.state
        # A receiver without integrations takes what nobody wants to hear of, and that was wanted.
        there = set(map(receiver_of, self._deliverer.integrations))
        for name, alert in state.firing.items():
            is_page = alert.labels.get("severity") == PAGE and _is_of_others(alert)
            if is_page and there.intersection(notifier.told(name)):
                told = state.told.get(name)
                episode = told.episode if told is not None and told.receivers else alert.episode
                yield _Page(
                    alert=alert,
                    name=name,
                    episode=episode,
                    key=episode_key(msgspec.structs.replace(alert, episode=episode)),
                )
        for lead, incident in state.incidents.items():
            still = [state.firing[name] for name in incident.firing if name in state.firing]
            ended = incident.ended
            if ended is not None and lead not in state.firing and still and there.intersection(incident.receivers):
                yield _Page(alert=still[0], name=lead, episode=ended.episode, key=episode_key(ended))

    # ── what is said ──────────────────────────────────────────────────────────

    def _note(self, alert: Alert, why: str, now: float) -> None:
        name = (alert.fingerprint, alert.episode)
        if name in self._noted:
            return
        self._noted.add(name)
        note = f"a page that fires, and nobody was told: {why}"
        row = Decision(
            at=now, what=What.UNTOLD, subject=alert.fingerprint, labels=alert.labels, value=alert.value, note=note
        )
        row.rule, row.rule_hash = alert.rule, alert.rule_hash
        self._core.note(row)
        _log.error("page.untold", labels=alert.labels, why=why)

    def _posts(self, untold: Iterable[tuple[Alert, str]]) -> list[Posted]:
        fails = {one.target for one in self._deliverer.failing()}
        via = other_ways("", targets=self._deliverer.integrations, failing=fails, fallback=self._fallback())
        if not via:
            self._tally.no_way += self._tally.untold
            return []
        return [self._post(alert, why, via) for alert, why in untold]

    def _post(self, alert: Alert, why: str, via: list[str]) -> Posted:
        said = facts(self._core.notifier.desk.say(alert))
        # Not the labels of the page itself: what mutes that must not mute this.
        labels = {
            "alertname": NAME,
            "severity": PAGE,
            "page": alert.labels.get("alertname", ""),
            "fingerprint": alert.fingerprint,
        }
        annotations = said | {
            "summary": f"nobody was told of this page: {said.get('summary', '')}",
            "why": why,
            **{f"label_{name}": value for name, value in alert.labels.items()},
        }
        return Posted(labels=labels, annotations=annotations, starts_at=_since(alert), via=via)


def _is_of_others(alert: Alert) -> bool:
    return alert.labels.get("alertname") not in _OWN


def _since(alert: Alert) -> float:
    return alert.fired_at if alert.fired_at is not None else alert.last_at
