"""What people did, and what waits for them: silences, groups, acknowledgements, escalations, posted alerts.

≠ names, formats.
"""

from __future__ import annotations

from dataclasses import dataclass

from alerts.notifier_state import NotifierState
from alerts.silences import SilenceState


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Counts of what the notifier remembers.

    Attributes:
        silences: By state: pending or active.
        groups: Of alerts that are told together.
        acknowledged: Alerts that fire and that somebody looks after.
        escalations: Alerts whose escalation has steps left.
        posted: Alerts that fire and no rule decided.
    """

    silences: dict[str, int]
    groups: int
    acknowledged: int
    escalations: int
    posted: int


def count(state: NotifierState, now: float) -> People:
    """Return the counts as they are now; runs in the core's thread."""
    silences = {SilenceState.PENDING.value: 0, SilenceState.ACTIVE.value: 0}
    for silence in state.silences.values():
        of = silence.state(now).value
        if of in silences:
            silences[of] += 1
    return People(
        silences=silences,
        groups=len(state.groups),
        acknowledged=sum(name in state.firing for name in state.acks),
        escalations=sum(bool(one.steps) for one in state.escalations.values()),
        posted=sum(name in state.firing for name in state.received),
    )
