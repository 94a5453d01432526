"""The JSON of API v2: what is posted, and what is answered. The names are Alertmanager's.

≠ what it means.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from alerts.labels import Labels
from alerts.overview import Grouped, Standing
from alerts.silences import Silence

from .sent import Instant, moment


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join("URL" if part == "url" else part.capitalize() for part in others)


class PostableAlert(msgspec.Struct, rename=_camel, kw_only=True):
    """An alert as it is posted; null and the year 1 are as if nothing were said."""

    labels: Labels
    annotations: Labels | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    generator_url: str | None = None


class Matcher(msgspec.Struct, rename=_camel, kw_only=True):
    """One matcher of a silence.

    Attributes:
        name, value: Of the label.
        is_regex: Whether the value is a regular expression for all of it.
        is_equal: False: what does not match.
    """

    name: str
    value: str
    is_regex: bool
    is_equal: bool | None = True


class PostableSilence(msgspec.Struct, rename=_camel, kw_only=True):
    """A silence as it is posted; one with an id changes that one."""

    matchers: Annotated[list[Matcher], msgspec.Meta(min_length=1, max_length=100)]
    starts_at: Instant
    ends_at: Instant
    created_by: str
    comment: str
    annotations: Labels | None = None
    id: str | None = None


class Named(msgspec.Struct, frozen=True):
    """A receiver.

    Attributes:
        name: As in the configuration.
    """

    name: str


class AlertStatus(msgspec.Struct, rename=_camel, kw_only=True):
    """What holds an alert back.

    Attributes:
        state: "active" or "suppressed".
        silenced_by: Ids of silences.
        inhibited_by: Fingerprints of alerts.
        muted_by: Names of time intervals.
    """

    state: str
    silenced_by: tuple[str, ...]
    inhibited_by: tuple[str, ...]
    muted_by: tuple[str, ...]


class GettableAlert(msgspec.Struct, rename=_camel, kw_only=True, omit_defaults=True):
    """An alert as it is answered.

    Attributes:
        labels, annotations: Its own.
        starts_at: When it began to fire.
        ends_at: When it is over if nothing more is heard of it.
        updated_at: When it was last heard of.
        fingerprint: 16 hex digits of the labels.
        receivers: Who is told of it.
        status: What holds it back.
        generator_url: Where its cause is seen; left out where nobody said.
    """

    annotations: Labels
    ends_at: str
    fingerprint: str
    receivers: tuple[Named, ...]
    starts_at: str
    status: AlertStatus
    updated_at: str
    generator_url: str = ""
    labels: Labels


class AlertGroup(msgspec.Struct, rename=_camel, kw_only=True):
    """Alerts that one receiver is told of together.

    Attributes:
        alerts: By fingerprint.
        labels: What they share.
        receiver: Who is told.
        route_labels: Empty: routes have no labels.
    """

    alerts: list[GettableAlert]
    labels: Labels
    receiver: Named
    route_labels: Labels


class SilenceStatus(msgspec.Struct):
    """Where a silence is in its life.

    Attributes:
        state: pending, active or expired.
    """

    state: str


class GettableSilence(msgspec.Struct, rename=_camel, kw_only=True):
    """A silence as it is answered.

    Attributes:
        id: A UUID.
        status: Where it is in its life.
        matchers: All must match.
        starts_at, ends_at: From when, until when.
        updated_at: When it was made or changed last.
        created_by: Who made it.
        comment: Why.
        annotations: Left out where there are none, as Alertmanager does.
    """

    id: str
    status: SilenceStatus
    updated_at: str
    annotations: Labels | msgspec.UnsetType
    comment: str
    created_by: str
    ends_at: str
    matchers: list[Matcher]
    starts_at: str


def alert_form(one: Standing) -> GettableAlert:
    """Return an alert as it is answered."""
    return GettableAlert(
        annotations=one.annotations,
        ends_at=moment(one.ends_at),
        fingerprint=one.fingerprint,
        receivers=tuple(map(Named, one.receivers)),
        starts_at=moment(one.starts_at),
        status=AlertStatus(
            state="suppressed" if one.suppressed else "active",
            silenced_by=one.silenced_by,
            inhibited_by=one.inhibited_by,
            muted_by=one.muted_by,
        ),
        updated_at=moment(one.updated_at),
        generator_url=one.generator_url,
        labels=one.labels,
    )


def group_form(group: Grouped) -> AlertGroup:
    """Return a group as it is answered."""
    return AlertGroup(
        alerts=[alert_form(one) for one in group.alerts],
        labels=group.labels,
        receiver=Named(group.receiver),
        route_labels={},
    )


def silence_form(silence: Silence, now: float) -> GettableSilence:
    """Return a silence as it is answered."""
    return GettableSilence(
        id=silence.id,
        status=SilenceStatus(silence.state(now).value),
        updated_at=moment(silence.updated_at),
        annotations=silence.annotations or msgspec.UNSET,
        comment=silence.comment,
        created_by=silence.created_by,
        ends_at=moment(silence.ends_at),
        matchers=[
            Matcher(name=m.name, value=m.value, is_regex=m.is_regex, is_equal=m.is_equal) for m in silence.matchers
        ],
        starts_at=moment(silence.starts_at),
    )
