"""Alerts as Alertmanager's API v2 takes them, each episode after the one before it.

≠ sending.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from alerts.labels import Labels
from alerts.notification import AlertMessage, Notification, Status

from .notices import as_annotations
from .text import rfc3339

MAX_KNOWN = 100_000
"""Label sets whose newest episode is remembered; of more, those told longest ago are forgotten."""

Name: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Posted:
    """One alert on its way.

    Attributes:
        message: What is told.
        notification: What it is a part of.
    """

    message: AlertMessage
    notification: Notification

    @property
    def labels(self) -> Labels:
        """The labels that name it over there; empty ones count as absent."""
        return {name: text for name, text in self.message.labels.items() if text}

    @property
    def name(self) -> Name:
        """The labels, to compare by."""
        return tuple(sorted(self.labels.items()))

    def body(self, ends_at: float) -> dict[str, Any]:
        """Return the JSON of the alert.

        Args:
            ends_at: When it ends over there if it is not told again; its own end counts where it has one.
        """
        told = self.message
        end = told.ends_at if told.status is Status.RESOLVED and told.ends_at is not None else ends_at
        whole: dict[str, Any] = {
            "labels": self.labels,
            "annotations": as_annotations(told, self.notification),
            "startsAt": rfc3339(told.starts_at),
            # An end before the beginning would be refused; a clock that was set back makes one.
            "endsAt": rfc3339(max(end, told.starts_at)),
        }
        return whole | ({"generatorURL": told.url} if told.url else {})


def in_order(notifications: Iterable[Notification]) -> list[Posted]:
    """Return each episode of each alert once, as it was told last, those that began first before others.

    Over there an alert is its labels: what is posted last of two episodes is what stands.
    """
    by_time = sorted(notifications, key=lambda notification: notification.at)
    posted = (Posted(message, notification) for notification in by_time for message in notification.alerts)
    last = {(one.name, one.message.starts_at): one for one in posted}
    return sorted(last.values(), key=lambda one: one.message.starts_at)


class Told:
    """The newest episode of each alert that the others know, so that an older one does not end it over there.

    An end may come late, or be told again, when the alert fires anew already.
    """

    def __init__(self) -> None:
        self._newest: OrderedDict[Name, float] = OrderedDict()

    def newer(self, posted: Iterable[Posted]) -> list[Posted]:
        """Return what is no older than what was told."""
        return [one for one in posted if one.message.starts_at >= self._newest.get(one.name, float("-inf"))]

    def note(self, posted: Sequence[Posted]) -> None:
        """Remember what was taken."""
        for one in posted:
            self._newest[one.name] = one.message.starts_at
            self._newest.move_to_end(one.name)
        while len(self._newest) > MAX_KNOWN:
            self._newest.popitem(last=False)
