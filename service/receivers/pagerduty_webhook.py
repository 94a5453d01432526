"""What PagerDuty tells us: its webhooks, version 3, so that an acknowledgement there is one here.

≠ HTTP, what becomes of it.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from .text import clean

HEADER = "X-PagerDuty-Signature"
MAX_SIGNATURES = 8
"""PagerDuty sends one, and two while a secret is exchanged."""

_VERSION = "v1="
_PEOPLE = ("user_reference", "user")


class Kind(StrEnum):
    """What happened to an incident, as far as it means something here."""

    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    RESOLVED = "resolved"
    OTHER = "other"


_KINDS = {f"incident.{kind.value}": kind for kind in Kind if kind is not Kind.OTHER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One message of PagerDuty.

    Attributes:
        event_id: The same when it is sent again; PagerDuty tries for two days.
        kind: What happened.
        dedup_key: Of the notification that made the incident; "" where nobody's key is known.
        by: The person who did it, as PagerDuty names them; "" where it was none: what we
            resolve there ourselves comes back too.
        occurred_at: When, RFC 3339 in UTC, so that texts compare as instants; messages may come in another order.
    """

    event_id: str
    kind: Kind
    dedup_key: str
    by: str
    occurred_at: str = ""


class _Agent(msgspec.Struct):
    summary: str | None = None
    type: str | None = None


class _Incident(msgspec.Struct):
    incident_key: str | None = None


class _Event(msgspec.Struct):
    id: str
    event_type: str
    occurred_at: str | None = None
    agent: msgspec.Raw = msgspec.Raw(b"null")
    data: msgspec.Raw = msgspec.Raw(b"null")


class _Message(msgspec.Struct):
    event: _Event


def verify(secret: str, body: bytes, header: str) -> bool:
    """Whether PagerDuty, or somebody else who knows the secret, wrote the body.

    Args:
        secret: The webhook subscription's; an empty one verifies nothing.
        body: As it came, before anything decoded it.
        header: X-PagerDuty-Signature: "v1=<hex>", several with commas between while a secret is exchanged.
    """
    if not secret:
        return False
    ours = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()
    genuine = False
    for signature in header.split(",", MAX_SIGNATURES)[:MAX_SIGNATURES]:
        version, theirs = signature.strip()[: len(_VERSION)], signature.strip()[len(_VERSION) :]
        # Every one is compared, so that the time tells nothing.
        genuine |= version == _VERSION and hmac.compare_digest(ours, theirs.encode("utf-8", "replace"))
    return genuine


def parse(body: bytes) -> Seen:
    """Return what a verified message says; what means nothing here is `Kind.OTHER`.

    Raises:
        ValueError: It is no message of PagerDuty's webhooks v3.
    """
    try:
        event = msgspec.json.decode(body, type=_Message).event
        kind = _KINDS.get(event.event_type, Kind.OTHER)
        if kind is Kind.OTHER:  # whose data may be of any shape, such as a ping's
            return Seen(event_id=event.id, kind=kind, dedup_key="", by="")
        incident = msgspec.json.decode(event.data, type=_Incident | None) or _Incident()
        agent = msgspec.json.decode(event.agent, type=_Agent | None) or _Agent()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError("not a message of PagerDuty's webhooks v3") from error
    by = agent.summary if agent.type in _PEOPLE else ""
    key, at = incident.incident_key or "", event.occurred_at or ""
    return Seen(event_id=event.id, kind=kind, dedup_key=key, by=clean(by or ""), occurred_at=at)
