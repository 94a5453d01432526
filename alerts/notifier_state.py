"""What the notifier remembers, part by part; each entry is one row of the store.

≠ what it makes of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from .incidents import Incident
from .labels import Labels
from .lifecycle import Alert
from .notification import AlertMessage
from .parts import Part
from .silences import Silence


class Told(msgspec.Struct, kw_only=True):
    """Who was told of an alert's episode, by itself.

    Attributes:
        episode: Which one.
        receivers: Who was told.
        waiting: Who will be, when no time interval mutes the route any more.
        again: When each is told again if it still fires, by receiver.
        every: How often, in seconds.
    """

    episode: int
    receivers: list[str]
    waiting: list[str] = msgspec.field(default_factory=list)
    again: dict[str, float] = msgspec.field(default_factory=dict)
    every: dict[str, float] = msgspec.field(default_factory=dict)


class Log(msgspec.Struct, kw_only=True):
    """What the integrations of one kind know of a group: Alertmanager's notification log.

    Attributes:
        firing: Fingerprints that were told as firing, last.
        resolved: As resolved.
        at: When, Unix seconds.
        opened_at: When the group's page was opened: it names the page.
    """

    firing: list[str] = msgspec.field(default_factory=list)
    resolved: list[str] = msgspec.field(default_factory=list)
    at: float = 0.0
    opened_at: float = 0.0


class Group(msgspec.Struct, kw_only=True):
    """Alerts that are told together.

    Attributes:
        route: The id of its route; "storm" for what came too fast to be told one by one.
        receiver: Who is told.
        key: Alertmanager's name of the group.
        labels: What its alerts share.
        members: Fingerprints, those that fire and those whose end is not told yet, in the order in which they came.
        next_at: When it is looked at next.
        held: What holds back those of them that nobody was told of, by fingerprint; as `NotifierState.held_back`.
        log: By "all", or by "ends" and "no ends" where integrations differ in whether they want ends.
    """

    route: str
    receiver: str
    key: str
    labels: Labels
    members: list[str] = msgspec.field(default_factory=list)
    next_at: float
    held: dict[str, str] = msgspec.field(default_factory=dict)
    log: dict[str, Log] = msgspec.field(default_factory=dict)


class Received(msgspec.Struct, kw_only=True):
    """An alert that somebody posted, or Claxon itself raised, and no rule decided.

    Attributes:
        ends_at: When it ends unless it is posted again.
        timeout: Whether nobody said when it ends.
        generator_url: Where its cause can be seen.
        via: Who is told, whatever the routes say; empty: the routes decide.
        episode: How often it began.
        summary: What a page says first; "" takes it from the annotations.
    """

    labels: Labels
    annotations: Labels
    starts_at: float
    ends_at: float
    updated_at: float
    timeout: bool = False
    generator_url: str = ""
    via: list[str] = msgspec.field(default_factory=list)
    episode: int = 0


class Ack(msgspec.Struct, kw_only=True):
    """Who looks after an alert's episode.

    Attributes:
        until: When somebody has to be told again; None is never.
    """

    episode: int
    by: str
    at: float
    until: float | None = None


class Escalation(msgspec.Struct, kw_only=True):
    """The steps of an alert's escalation, frozen when it was told.

    Attributes:
        steps: (when, Unix seconds, who), in order; those that are done are gone.
        told: Who was told by a step.
    """

    episode: int
    steps: list[tuple[float, str]]
    told: list[str] = msgspec.field(default_factory=list)


class NotifierState:
    """All that is remembered.

    Attributes:
        firing: Alerts that fire, as they were when they began, or held again.
        kept: Those of them whose condition has stopped holding.
        ended: What the end of an alert says, while a group has not told it.
        told: Who was told of an alert by itself.
        held_back: What holds an alert back that would be told by itself: "inhibited <fingerprint>",
            "silenced <id>", "muted <interval>".
        incidents: The open pages that speak for several alerts, by the fingerprint of the one that was told.
        groups: By route, receiver and labels.
        received: Alerts that were posted.
        silences: By id.
        acks: By fingerprint.
        escalations: By fingerprint.
        paces: The latest beginnings of pages, by receiver.
    """

    def __init__(self, rows: Iterable[tuple[str, str, bytes]] = ()) -> None:
        """Begin empty, or with what `rows` returned."""
        self.firing: Part[Alert] = Part()
        self.kept: Part[bool] = Part()
        self.ended: Part[AlertMessage] = Part()
        self.told: Part[Told] = Part()
        self.held_back: Part[str] = Part()
        self.incidents: Part[Incident] = Part()
        self.groups: Part[Group] = Part()
        self.received: Part[Received] = Part()
        self.silences: Part[Silence] = Part()
        self.acks: Part[Ack] = Part()
        self.escalations: Part[Escalation] = Part()
        self.paces: Part[list[float]] = Part()
        for part, name, body in rows:
            # What a newer or older version remembered beside is of no use here.
            if part in _TYPES:
                getattr(self, part)[name] = msgspec.msgpack.decode(body, type=_TYPES[part])
        self.stored()

    def changes(self) -> Iterator[tuple[str, str, bytes | None]]:
        """Yield (part, name, value) of what has changed since `stored`, to be done in order.

        A value of None deletes. What is new comes after all that was there, what has
        changed stays where it was: rows that are read in that order are the same state.
        """
        for part in _TYPES:
            entries: Part[Any] = getattr(self, part)
            for name in sorted(entries.gone):
                yield part, name, None
            for name in entries.changed:
                yield part, name, msgspec.msgpack.encode(entries[name])

    def rows(self) -> list[tuple[str, str, bytes]]:
        """Return everything, as rows."""
        return [
            (part, name, msgspec.msgpack.encode(value))
            for part in _TYPES
            for name, value in getattr(self, part).items()
        ]

    def stored(self) -> None:
        """Note that the store holds all of this now."""
        for part in _TYPES:
            getattr(self, part).stored()


_TYPES: dict[str, Any] = {
    "firing": Alert,
    "kept": bool,
    "ended": AlertMessage,
    "told": Told,
    "held_back": str,
    "incidents": Incident,
    "groups": Group,
    "received": Received,
    "silences": Silence,
    "acks": Ack,
    "escalations": Escalation,
    "paces": list[float],
}
