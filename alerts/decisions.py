"""Decision: one row of the ledger. Why something was, or was not, told to people.

The engine's decisions form a chain of hashes: the same log gives the same chain,
live, after a crash and in a backtest.
"""

from __future__ import annotations

import hashlib
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
    BELOW_FLOOR = "below_floor"
    CHANCE = "chance"
    SHORT_RUN = "short_run"
    BELOW_THRESHOLD = "below_threshold"
    LONE_429 = "lone_429"
    LONE_500 = "lone_500"
    ABSORBED = "absorbed_by_retry"
    LATE = "late"
    RULE_FAILED = "rule_failed"
    RULE_CHANGED = "rule_changed"
    OVERFLOW = "overflow"
    CLOCK_BACK = "clock_back"
    INHIBITED = "inhibited"
    SILENCED = "silenced"
    MUTED = "muted"
    GROUPED = "grouped"
    ESCALATED = "escalated"
    SILENCE = "silence"
    NOTIFIED = "notified"
    ACKNOWLEDGED = "acknowledged"
    ACK_EXPIRED = "acknowledgement_expired"
    UNTOLD = "untold"
    DELIVERED = "delivered"
    FAILED = "failed"


class Decision(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One decision with its numbers.

    Attributes:
        at: When, Unix seconds.
        what: What was decided.
        subject: The alert's fingerprint, or "" for what concerns no alert.
        rule: The rule's id, or "" for what concerns no rule.
        rule_hash: Of its exact text.
        labels: The alert's, or those of the event.
        value: The numbers it was decided on.
        note: What the numbers do not say.
    """

    at: float
    what: What
    subject: str = ""
    rule: str = ""
    rule_hash: str = ""
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


class Chain(msgspec.Struct):
    """The hash over all decisions so far.

    Attributes:
        digest: 32 hex digits; "" before the first decision.
        n: How many decisions it stands for.
    """

    digest: str = ""
    n: int = 0

    def extend(self, decisions: list[Decision]) -> None:
        """Take further decisions, in order."""
        for decision in decisions:
            said = self.digest.encode() + msgspec.json.encode(decision)
            self.digest = hashlib.blake2b(said, digest_size=16).hexdigest()
        self.n += len(decisions)
