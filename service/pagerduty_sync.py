"""What somebody does to an incident in PagerDuty, done here too: acknowledged there is acknowledged here.

≠ HTTP, PagerDuty's format and signature (receivers/pagerduty_webhook.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import partial

import structlog

from .audit import Actor
from .core import Core
from .dispatch import Dispatch
from .receivers import Receiver
from .receivers.pagerduty import PagerDutyReceiver
from .receivers.pagerduty_webhook import Kind, Seen, parse, verify
from .storage import claims
from .storage.database import Transaction
from .storage.told_alerts import told_alerts
from .targets import receiver_of

PATIENCE_S = 3.0
"""PagerDuty waits 5 s for an answer."""

REMEMBER_MORE_S = 2 * 86_400.0
"""Ids are remembered for a day; PagerDuty tries for two, so they are noted as of later."""

_BY = "PagerDuty: "
_KEYS = 1000
"""Of so many incidents it is remembered when somebody last did something."""

_SOMEBODY = "somebody"

_log = structlog.get_logger(__name__)


class Outcome(StrEnum):
    """What became of a message."""

    TAKEN = "taken"
    UNKNOWN_RECEIVER = "unknown receiver"
    UNSIGNED = "unsigned"
    UNREADABLE = "unreadable"


class PagerDutySync:
    """Takes PagerDuty's webhooks for the receivers of the configuration."""

    def __init__(self, core: Core, dispatch: Dispatch, *, receivers: Callable[[], Mapping[str, Receiver]]) -> None:
        """Take the parts over.

        Args:
            core: Its thread does the work.
            dispatch: Acknowledges.
            receivers: Those in force, by "receiver/kind/index"; asked anew each time, for a reload changes them.
        """
        self._core = core
        self._dispatch = dispatch
        self._receivers = receivers
        self._newest: dict[str, str] = {}

    async def take(self, receiver: str, body: bytes, *, signature: str) -> Outcome:
        """Do what a message says; the same message again changes nothing.

        Returns within 3 s: what the core has not done by then it does when it comes to it.
        """
        entries = self._entries(receiver)
        secrets = [entry.webhook_secret for entry in entries.values() if entry.webhook_secret is not None]
        if not secrets:
            return Outcome.UNKNOWN_RECEIVER
        # Every secret is tried, so that the time does not tell which one fitted.
        genuine = [verify(secret.reveal(), body, signature) for secret in secrets]
        if not any(genuine):
            return Outcome.UNSIGNED
        try:
            seen = parse(body)
        except ValueError:
            return Outcome.UNREADABLE
        if seen.kind in (Kind.ACKNOWLEDGED, Kind.UNACKNOWLEDGED) and seen.dedup_key:
            done = asyncio.wrap_future(self._core.submit(partial(self._do, tuple(entries), seen)))
            await asyncio.wait({done}, timeout=PATIENCE_S)
            if done.done():
                done.result()
        return Outcome.TAKEN

    def _entries(self, receiver: str) -> dict[str, PagerDutyReceiver]:
        return {
            target: entry
            for target, entry in self._receivers().items()
            if receiver_of(target) == receiver and isinstance(entry, PagerDutyReceiver)
        }

    # ── in the core's thread ──────────────────────────────────────────────────

    def _do(self, targets: tuple[str, ...], seen: Seen) -> None:
        connection, name = self._core.connection, f"pagerduty\0{seen.event_id}"
        if claims.knows(connection, name):
            return
        by = f"{_BY}{seen.by or _SOMEBODY}"
        change = self._acknowledge if seen.kind is Kind.ACKNOWLEDGED else self._unacknowledge
        late = self._is_late(seen)
        episodes = told_alerts(connection, targets, seen.dedup_key) if not late else {}
        changed = [alert for alert, episode in episodes.items() if change(alert, episode, by)]
        if not late:
            self._remember(seen)
        # Noted when it is done: after a crash in between PagerDuty's next try finds it undone.
        with Transaction(connection):
            claims.claim(connection, [name], self._dispatch.now + REMEMBER_MORE_S)
        _log.info("pagerduty.told", kind=seen.kind.value, dedup_key=seen.dedup_key, late=late, alerts=len(changed))

    def _is_late(self, seen: Seen) -> bool:
        """Whether something was done to the incident after what a message tells: one that was tried again."""
        return bool(seen.occurred_at) and seen.occurred_at < self._newest.get(seen.dedup_key, "")

    def _remember(self, seen: Seen) -> None:
        self._newest.pop(seen.dedup_key, None)
        self._newest[seen.dedup_key] = seen.occurred_at
        while len(self._newest) > _KEYS:
            del self._newest[next(iter(self._newest))]

    def _acknowledge(self, name: str, episode: int, by: str) -> bool:
        return self._dispatch.acknowledge(name, by=by, episode=episode, actor=_actor(by)) is not None

    def _unacknowledge(self, name: str, episode: int, by: str) -> bool:
        ack = self._core.notifier.state.acks.get(name)
        # What somebody acknowledged here is not PagerDuty's to take back.
        if ack is None or ack.episode != episode or not ack.by.startswith(_BY):
            return False
        return self._dispatch.unacknowledge(name, by=by, actor=_actor(by))


def _actor(by: str) -> Actor:
    return Actor(who=by, via="webhook")
