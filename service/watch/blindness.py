"""ClaxonBlind: Claxon cannot do its work, and says so past the outbox, which may be what fails.

≠ whether it is blind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from alerts.labels import Labels, fingerprint
from alerts.notification import AlertMessage, Notification, NotifyReason, Status, facts

from ..receivers import DeliveryError, Receiver
from ..targets import receiver_of
from .saying import Saying
from .tally import WatchTally

LABELS: Labels = {"alertname": "ClaxonBlind", "severity": "page"}

REPEAT_S = 1800.0
RETRY_S = 15.0
"""An integration that did not take it is tried again after so long."""

_log = Saying(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """Who is told; not what the service sends with, for that belongs to its event loop, which may be stuck.

    Attributes:
        receivers: By "receiver/kind/index".
        external_url: Where people reach this Claxon.
    """

    receivers: Mapping[str, Receiver]
    external_url: str


@dataclass(slots=True)
class _Episode:
    """One blindness.

    Attributes:
        began_at: Unix seconds.
        why: What is wrong, a sentence each.
        told: Who knows that Claxon is blind.
        again_at: When each integration is told, or told again, by the clock that never jumps.
        ended_at: Unix seconds; None while it lasts.
    """

    began_at: float
    why: list[str]
    told: set[str]
    again_at: dict[str, float] = field(default_factory=dict)
    ended_at: float | None = None


class Blindness:
    """Tells of the beginning, again every half hour, and of the end those who were told of the beginning."""

    def __init__(self, tally: WatchTally) -> None:
        self._tally = tally
        self._episode: _Episode | None = None

    async def look(self, wrong: list[str], *, calm: bool, now: float, wall: float, ways: Ways) -> None:
        """Tell what is to be told.

        Args:
            wrong: What blinds, a sentence each.
            calm: Whether nothing has been wrong for a while.
            now: Of the clock that never jumps.
            wall: Unix seconds.
            ways: Who is told.
        """
        episode = self._episode
        if wrong and (episode is None or episode.ended_at is not None):
            # Whoever was not told of the last end is told of this one.
            self._episode = episode = _Episode(wall, wrong, told=episode.told if episode else set())
            _log.critical("claxon.blind", wrong=wrong)
        elif wrong and episode is not None:
            episode.why = wrong
        elif calm and episode is not None and episode.ended_at is None:
            _log.warning("claxon.sees", blind_for_s=round(wall - episode.began_at))
            episode.ended_at, episode.again_at = wall, {}
        self._tally.blind = episode is not None and episode.ended_at is None
        if episode is None:
            return
        if episode.ended_at is None:
            await self._tell(episode, now, wall, ways)
        elif episode.told:
            await self._tell_the_end(episode, now, wall, ways)
        else:
            self._episode = None

    async def _tell(self, episode: _Episode, now: float, wall: float, ways: Ways) -> None:
        due = [target for target in ways.receivers if now >= episode.again_at.get(target, now)]
        reason = NotifyReason.REPEAT if episode.again_at.keys() & episode.told else NotifyReason.FIRST
        took = await self._send(ways, due, lambda name: _notification(episode, name, ways.external_url, reason, wall))
        episode.told |= took
        for target in due:
            episode.again_at[target] = now + (REPEAT_S if target in took else RETRY_S)

    async def _tell_the_end(self, episode: _Episode, now: float, wall: float, ways: Ways) -> None:
        episode.told = {name for name in episode.told if name in ways.receivers and ways.receivers[name].send_resolved}
        due = [target for target in episode.told if now >= episode.again_at.get(target, now)]
        reason = NotifyReason.RESOLVED
        took = await self._send(ways, due, lambda name: _notification(episode, name, ways.external_url, reason, wall))
        episode.told -= took
        for target in due:
            episode.again_at[target] = now + RETRY_S

    async def _send(self, ways: Ways, targets: list[str], said: Callable[[str], Notification]) -> set[str]:
        """Send to integrations, all at once; return those that took it."""
        sends = [self._send_one(target, ways.receivers[target], said(receiver_of(target))) for target in targets]
        took = await asyncio.gather(*sends)
        return {target for target, taken in zip(targets, took, strict=True) if taken}

    async def _send_one(self, target: str, receiver: Receiver, notification: Notification) -> bool:
        try:
            answer = await receiver.send(notification)
        except DeliveryError as fault:
            self._tally.blind_pages["failed"] += 1
            _log.error("claxon.blind_not_told", target=target, error=str(fault))
            return False
        except Exception:  # noqa: BLE001 — one that stumbles must not keep it from the others
            self._tally.blind_pages["failed"] += 1
            _log.exception("claxon.blind_not_told", target=target)
            return False
        self._tally.blind_pages["delivered"] += 1
        _log.info("claxon.blind_told", target=target, status=notification.status.value, answer=answer.status)
        return True


def _notification(episode: _Episode, receiver: str, external_url: str, reason: NotifyReason, at: float) -> Notification:
    # Its own name in the key: two Claxons may page the same people, and a new process goes on with the old page.
    name = fingerprint({**LABELS, "url": external_url})
    ended_at = episode.ended_at
    status = Status.FIRING if ended_at is None else Status.RESOLVED
    message = AlertMessage(
        status=status,
        labels=LABELS,
        annotations={"description": "; ".join(episode.why)},
        starts_at=episode.began_at,
        ends_at=ended_at,
        url=external_url,
        ack_url=external_url,
        fingerprint=name,
        episode=1,
        summary=f"Claxon cannot see, and nobody is paged meanwhile: {episode.why[0]}",
        since=episode.began_at,
        measured="",
        errors="",
        blame="",
        advice="Read Claxon's log, free disk space if it is full, restart it.",
        request_ids=[],
        resolve_reason="it sees again" if ended_at is not None else "",
        rule_hash="",
    )
    return Notification(
        status=status,
        receiver=receiver,
        group_key='{}:{alertname="ClaxonBlind"}',
        group_labels=LABELS,
        common_labels=LABELS,
        common_annotations=facts(message),
        external_url=external_url,
        reason=reason.value,
        dedup_key=f"claxon/ClaxonBlind/{name}",
        at=at,
        alerts=[message],
    )
