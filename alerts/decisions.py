"""Decision: one row of the ledger. Why something was, or was not, told to people."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from .labels import Labels
from .lifecycle import Alert, Change, Value


class What(StrEnum):
    """What was decided; a closed set."""

    PENDING = "pending"
    CALMED = "calmed"
    FIRED = "fired"
    KEPT = "kept"
    HELD = "held"
    RESOLVED = "resolved"
    LONE_429 = "lone_429"
    LONE_500 = "lone_500"
    ABSORBED = "absorbed_by_retry"
    LATE = "late"
    INHIBITED = "inhibited"
    NOTIFIED = "notified"
    ACKNOWLEDGED = "acknowledged"
    DELIVERED = "delivered"
    FAILED = "failed"


class Decision(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One decision with its numbers.

    Attributes:
        at: When, Unix seconds.
        what: What was decided.
        subject: The alert's fingerprint, or "" for what concerns no alert.
        labels: The alert's, or those of the event.
        value: The numbers it was decided on.
        note: What the numbers do not say.
    """

    at: float
    what: What
    subject: str = ""
    labels: Labels = msgspec.field(default_factory=dict)
    value: Value = msgspec.field(default_factory=dict)
    note: str = ""


class Transition(msgspec.Struct, kw_only=True):
    """An alert as it was right after it changed."""

    change: Change
    at: float
    alert: Alert


class Step(msgspec.Struct):
    """All that one `observe` or `tick` decided, in order."""

    transitions: list[Transition] = msgspec.field(default_factory=list)
    decisions: list[Decision] = msgspec.field(default_factory=list)
