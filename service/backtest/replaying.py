"""One rule set over a log: the engine and the notifier that the service runs, told the time by the events.

≠ files. The order of the events is the order in which they arrived; each arrives at the latest time so far.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import ceil, floor

from claxon.event import Event

from alerts.conditions import Consecutive
from alerts.config import Config
from alerts.decisions import Step
from alerts.evaluator import Engine
from alerts.lifecycle import State
from alerts.notifier import Notifier
from alerts.policy import policy_of
from alerts.rules import Rule

from .outcome import Book, Outcome


class Replay:
    """A configuration as it would have decided."""

    def __init__(self, config: Config, rules: Iterable[Rule]) -> None:
        given = {rule.id: rule for rule in rules}
        self._engine = Engine(given.values(), measure=False)
        self._notifier = Notifier(policy=policy_of(config))
        self._book = Book(given)

    @property
    def now(self) -> float:
        """The latest instant it was told; -inf before any."""
        return self._engine.now

    def observe(self, events: list[Event]) -> None:
        """Take events, in the order in which they arrived."""
        self._take(self._engine.replay(events))

    def arrive(self, events: list[Event], at: float) -> None:
        """Take events that arrived together, when the log says they did."""
        self._take(self._engine.observe(events, at))

    def resume(self, at: float) -> None:
        """Go on after a pause in which nobody could be heard."""
        self._take(self._engine.resume(at))

    def end(self, until: float | None) -> Outcome:
        """Let time go on without events, unless there were none, and return what came out."""
        if until is not None:
            self._take(self._engine.tick(until))
        for alert in self._engine.firing():
            self._book.see(alert)
        outcome = self._book.outcome
        outcome.ledger_hash, outcome.decided = self._engine.ledger_hash, self._engine.decided
        outcome.pending = sum(alert.state is State.PENDING for alert in self._engine.alerts())
        return outcome

    def settled(self) -> float:
        """Return when all that has arrived is decided: the next whole second, and what rules wait for it to settle."""
        settle = max((_settle(rule) for rule in self._engine.rules.values()), default=0)
        return floor(self._engine.now) + 1 + settle

    def _take(self, step: Step) -> None:
        notifications, weighed = self._notifier.step(step.transitions, self._engine.rules, self._engine.find)
        self._book.take(step.transitions, [*step.decisions, *weighed])
        self._book.tell(notifications)
        notifications, weighed = self._notifier.tick(self._engine.now, self._engine.rules, self._engine.find)
        self._book.take([], weighed)
        self._book.tell(notifications)


def _settle(rule: Rule) -> int:
    # One second more: what settles is ready at a whole second after its arrival, and is seen at the next.
    return ceil(rule.condition.settle_s) + 1 if isinstance(rule.condition, Consecutive) else 0
