"""How deliveries ended, counted for metrics."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Deliveries:
    """Counted since the process started; the event loop counts, any thread may read.

    Attributes:
        outcomes: Tries, by (target, outcome): `delivered`, or the reason it failed.
        handed_over: Messages that went to a stand-in, by the target that did not take them.
        lost: Messages that nobody took and nobody stood in for, by target.
    """

    outcomes: dict[tuple[str, str], int] = field(default_factory=dict)
    handed_over: dict[str, int] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)

    def count(self, target: str, outcome: str) -> None:
        """Count one attempt's outcome: `delivered`, or the reason it failed."""
        self.outcomes[target, outcome] = self.outcomes.get((target, outcome), 0) + 1

    def give_up(self, target: str, *, handed_over: bool) -> None:
        """Count one message that an integration will never get."""
        counted = self.handed_over if handed_over else self.lost
        counted[target] = counted.get(target, 0) + 1
