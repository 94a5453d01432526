"""Policy: by what the notifier decides who is told, from the configuration.

≠ how the file is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .config import Config, EscalationConfig
from .incidents import SYMPTOMS
from .inhibition import DEFAULT_INHIBIT_RULES, InhibitRule
from .routes import Route
from .time_intervals import TimeInterval

ALL: tuple[bool | None, ...] = (None,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """All that is not state.

    Attributes:
        route: Who is told of what.
        inhibit_rules: Which alert mutes which.
        external_url: Where people reach this Claxon.
        time_intervals: By name, for the routes' `mute_time_intervals` and `active_time_intervals`.
        escalations: Who is told when nobody looks after it; the first that matches.
        receivers: Those that are there; None: nobody knows, so all of the routes.
        lanes: Of a receiver whose integrations differ in `send_resolved`: both; else absent.
        ack_expires_s: After how long a page that was acknowledged, and still fires, is told again; 0 is never.
        silence_max_s: How long a silence may last; 0 is for ever.
        resolve_timeout_s: When a posted alert ends of which nobody says when.
        symptoms: The pages of one app that are one page while they overlap, by `alertname`.
        ack_url: The link by which a person acknowledges an alert's (fingerprint, episode); None: its page.
    """

    route: Route
    inhibit_rules: tuple[InhibitRule, ...] = DEFAULT_INHIBIT_RULES
    external_url: str = ""
    time_intervals: Mapping[str, TimeInterval] = field(default_factory=dict)
    escalations: tuple[EscalationConfig, ...] = ()
    receivers: frozenset[str] | None = None
    lanes: Mapping[str, tuple[bool, ...]] = field(default_factory=dict)
    ack_expires_s: float = 1800.0
    silence_max_s: float = 30 * 86_400.0
    resolve_timeout_s: float = 300.0
    symptoms: frozenset[str] = SYMPTOMS
    ack_url: Callable[[str, int], str] | None = None

    def knows(self, receiver: str) -> bool:
        """Whether a receiver is there."""
        return self.receivers is None or receiver in self.receivers

    def lanes_of(self, receiver: str) -> tuple[bool | None, ...]:
        """Return for which kinds of integrations of a receiver is told by itself."""
        return self.lanes.get(receiver, ALL)


def policy_of(
    config: Config,
    *,
    external_url: str = "",
    lanes: Mapping[str, tuple[bool, ...]] | None = None,
    ack_url: Callable[[str, int], str] | None = None,
) -> Policy:
    """Return the policy of a configuration."""
    return Policy(
        route=config.route,
        inhibit_rules=config.inhibit_rules,
        external_url=external_url or config.external_url,
        time_intervals=config.time_intervals,
        escalations=config.escalations,
        receivers=frozenset(receiver.name for receiver in config.receivers),
        lanes=lanes or {},
        ack_expires_s=config.ack_expires_s,
        silence_max_s=config.silence_max_s,
        resolve_timeout_s=config.resolve_timeout_s,
        ack_url=ack_url,
    )
