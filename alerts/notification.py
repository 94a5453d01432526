"""Notification: what one receiver is told of one group of alerts.

≠ vendors' formats. Everything a page says is decided here, once; receivers only
lay it out.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from .labels import Labels


class Status(StrEnum):
    """Whether an alert, or any alert of a group, still fires."""

    FIRING = "firing"
    RESOLVED = "resolved"


class NotifyReason(StrEnum):
    """Why something is told now, in Alertmanager's words (`notification_reason`)."""

    FIRST = "first notification"
    NEW = "new alerts added"
    SOME_RESOLVED = "some alerts resolved"
    RESOLVED = "all alerts resolved"
    REPEAT = "repeat interval elapsed"


class AlertMessage(msgspec.Struct, frozen=True, kw_only=True):
    """One alert as a page tells it.

    Attributes:
        status: Firing or resolved.
        labels: With `alertname` and `severity`.
        annotations: The rule's own, rendered, and the page's facts (see `facts`).
        starts_at: When it began to fire, Unix seconds.
        ends_at: When it resolved; None while it fires.
        url: The alert's page.
        ack_url: The page with the acknowledge button; a GET never acknowledges.
        fingerprint: 16 hex digits, of the labels.
        episode: 1 for the alert's first time, one more each time it fires anew.
        summary: One line: what is wrong, where.
        since: When the first evidence occurred, Unix seconds; before `starts_at`.
        measured: "9 of 61 calls failed in 5m (14.8 %)": k of n, or the streak, or the burn.
        errors: "overloaded_error (529) 7, api_error (500) 2": what failed, most first.
        blame: provider, key, account, request, network or nobody.
        advice: What the most frequent error asks a person to do.
        request_ids: Up to 5, to give to the provider's support.
        resolve_reason: Why it ended; "" while it fires.
        rule_hash: 12 hex digits that name the rule's exact text.
        acked_by: Who acknowledged it; "" while nobody did.
        muted_by: The silence or inhibition that holds it back, though it was told; "" without one.
    """

    status: Status
    labels: Labels
    annotations: Labels
    starts_at: float
    ends_at: float | None
    url: str
    ack_url: str
    fingerprint: str
    episode: int
    summary: str
    since: float
    measured: str
    errors: str
    blame: str
    advice: str
    request_ids: list[str]
    resolve_reason: str
    rule_hash: str
    acked_by: str = ""
    muted_by: str = ""


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one receiver.

    Attributes:
        status: Firing when any alert of the group fires.
        receiver: The receiver's name in the configuration.
        group_key: Names the group for its whole life.
        group_labels: What the group's alerts were grouped by.
        common_labels: What all its alerts share.
        common_annotations: What all its alerts share.
        external_url: Where people reach this Claxon.
        reason: Why it is sent now, in Alertmanager's words ("first notification", ...).
        dedup_key: The same for the firing and the resolve of one episode, so that a
            repeated delivery folds into one at the receiver. At most 255 characters.
        at: When it was decided, Unix seconds.
        alerts: At least one.
        truncated_alerts: How many more there were.
        send_resolved: Only for integrations with this `send_resolved`; None is all of them.
        undelivered: On what the fallback receiver gets: who did not take it, and why ("pager: answered 401 ...").
        test: A fire drill: nothing is wrong.
    """

    status: Status
    receiver: str
    group_key: str
    group_labels: Labels
    common_labels: Labels
    common_annotations: Labels
    external_url: str
    reason: str
    dedup_key: str
    at: float
    alerts: list[AlertMessage]
    truncated_alerts: int = 0
    send_resolved: bool | None = None
    undelivered: str = ""
    test: bool = False


def facts(message: AlertMessage) -> Labels:
    """Return what a page says beside the rule's own annotations, as annotations.

    A webhook's reader has only labels and annotations; nothing may be missing there.
    """
    told = {
        "summary": message.summary,
        "measured": message.measured,
        "errors": message.errors,
        "blame": message.blame,
        "advice": message.advice,
        "request_ids": " ".join(message.request_ids),
        "acknowledge": message.ack_url,
        "rule_hash": message.rule_hash,
        "resolve_reason": message.resolve_reason,
        "acknowledged_by": message.acked_by,
        "muted_by": message.muted_by,
    }
    return {name: text for name, text in told.items() if text} | message.annotations
