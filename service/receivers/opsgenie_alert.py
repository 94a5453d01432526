"""A notification as an alert of Opsgenie and Jira Service Management, within their limits.

≠ keys, sending.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alerts.labels import common
from alerts.notification import Notification

from .headline import line, ordered, size, title
from .notices import flag
from .plain import plain
from .text import brief, leading_error, width

MAX_ALIAS = 512
MAX_MESSAGE = 130
MAX_DESCRIPTION = 15_000
MAX_DETAILS = 8_000
MAX_RESPONDERS = 50
MAX_TAGS = 20
MAX_TAG = 50
MAX_ACTIONS = 10
MAX_ACTION = 50
MAX_ENTITY = 512
MAX_SOURCE = 100
MAX_NOTE = 25_000

PRIORITIES = ("P1", "P2", "P3", "P4", "P5")
USER = "Claxon"

_PRIORITY_OF = {"page": "P1", "critical": "P1", "error": "P2", "warning": "P3", "ticket": "P3", "info": "P5"}
_UNRANKED = "P3"  # the vendor's own default
_MAX_DETAIL = 500
_MAX_DETAIL_NAME = 100
# What a path carries unquoted; a quoted "/" in it is undone or refused by many a gateway.
_ODD = re.compile(r"[^A-Za-z0-9._~:-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What an entry of the configuration adds to each alert; "" and () add nothing.

    Attributes:
        priority: P1 to P5; "" takes it from the gravest alert's severity.
        source: Who sent it; "" is Claxon's own address.
        entity: What it is about; "" is the gravest alert's app.
        note: Of the creation.
        tags: At most 20 of 50 characters.
        actions: At most 10 of 50 characters.
        details: Beside the labels.
        responders: Who is paged, in the vendor's form.
    """

    priority: str = ""
    source: str = ""
    entity: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    details: tuple[tuple[str, str], ...] = ()
    responders: tuple[Mapping[str, str], ...] = ()


def creation(notification: Notification, words: Words) -> dict[str, Any]:
    """Return the body that creates the alert, or counts one more on the open alert of its alias."""
    first = ordered(notification)[0]
    told: dict[str, Any] = {
        "message": message(notification),
        "alias": alias(notification.dedup_key),
        "description": plain(notification, limit=MAX_DESCRIPTION),
        "priority": words.priority or _PRIORITY_OF.get(first.labels.get("severity", ""), _UNRANKED),
        "source": _source(notification, words),
        "user": USER,
        "entity": brief(words.entity or first.labels.get("app", ""), MAX_ENTITY),
        "note": brief(words.note, MAX_NOTE),
        "tags": _tags(notification, words),
        "actions": list(words.actions),
        "details": _details(notification, words),
        "responders": [dict(responder) for responder in words.responders],
    }
    return {field: value for field, value in told.items() if value}


def closing(notification: Notification, words: Words) -> dict[str, Any]:
    """Return the body that closes the alert, with why it ended as its note."""
    return {
        "source": _source(notification, words),
        "user": USER,
        "note": plain(notification, limit=MAX_DESCRIPTION),
    }


def alias(dedup_key: str) -> str:
    """Return the dedup key as it may stand in an address: "/" is ":", and what is odder a hash.

    The same key always gives the same alias, and keys that differ give others.
    """
    plain_key = dedup_key.replace("/", ":")
    if ":" not in dedup_key and len(plain_key) <= MAX_ALIAS and not _ODD.search(plain_key):
        return plain_key
    digest = hashlib.sha256(dedup_key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{_ODD.sub('-', plain_key)[: MAX_ALIAS - len(digest) - 1]}-{digest}"


def message(notification: Notification) -> str:
    """Return the line that people are called with: what is wrong, and how many more there are; that is never cut.

    The priority says how grave it is, so only what is unusual about the page stands before that.
    """
    whole = line(notification) if flag(notification) else title(notification)
    others = size(notification) - 1
    tail = f" (and {others:,} more)" if others else ""
    return brief(whole.removesuffix(tail), MAX_MESSAGE - len(tail)) + tail


def _source(notification: Notification, words: Words) -> str:
    return brief(words.source or notification.external_url, MAX_SOURCE) or USER


def _tags(notification: Notification, words: Words) -> list[str]:
    return [tag for tag in (flag(notification), *words.tags) if tag][:MAX_TAGS]


def _details(notification: Notification, words: Words) -> dict[str, str]:
    """Return the pairs that fit: those of the configuration, then what nobody may miss, labels, other facts."""
    first = ordered(notification)[0]
    pairs = [
        *words.details,
        ("undelivered", notification.undelivered),
        ("alert", first.url if width(first.url) <= MAX_DETAILS // 4 else ""),
        ("request_ids", " ".join(first.request_ids)),
        *common(alert.labels for alert in notification.alerts).items(),
        ("error", leading_error(first.errors)),
        ("blame", first.blame),
        ("acked_by", first.acked_by),
        ("muted_by", first.muted_by),
        ("fingerprint", first.fingerprint),
        ("rule_hash", first.rule_hash),
        ("reason", notification.reason),
        ("dedup_key", notification.dedup_key),
    ]
    details: dict[str, str] = {}
    room = MAX_DETAILS
    for label, text in pairs:
        key = brief(label, _MAX_DETAIL_NAME)
        value = text if label == "alert" else brief(text, _MAX_DETAIL)
        taken = width(key) + width(value)
        if key and value and key not in details and taken <= room:
            details[key] = value
            room -= taken
    return details
