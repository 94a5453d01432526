"""Play: a scenario's steps -> all that the engine and the notifier decide on them.

They are those that serve, driven as the service drives them: events arrive, time
goes on, and a restart is a snapshot that is read again.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from math import inf
from operator import itemgetter

import msgspec
from claxon.event import Event, EventError, complete

from ..decisions import Decision, Transition
from ..decisions import Step as Decided
from ..engine_state import EngineState
from ..evaluator import Engine
from ..lifecycle import Value
from ..notification import Notification
from ..notifier import Notifier
from ..notifier_state import NotifierState
from ..policy import Policy
from ..problems import Path
from .records import Restart, Scenario, Series, Stands, Step

PAUSE_S = 60.0
"""After a longer pause nobody could be heard: the service's own limit, for which it calls `resume`."""

_URL = "http://127.0.0.1:5290"


@dataclass(slots=True, kw_only=True)
class Record:
    """All that was decided; instants are Unix seconds.

    Attributes:
        transitions: Of alerts, in order.
        notifications: That went out, in order.
        decisions: The ledger's rows, in order.
        refused: (when, why, the series' path) of events that were not taken.
        values: What each alert measured at the instants that expectations ask about, by fingerprint.
    """

    transitions: list[Transition] = field(default_factory=list)
    notifications: list[Notification] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    refused: list[tuple[float, str, Path]] = field(default_factory=list)
    values: dict[float, dict[str, Value]] = field(default_factory=dict)


_Arrival = tuple[float, int, int, Step]
"""When, the step's place in the file, the event's number in it, the step."""


def play(scenario: Scenario) -> Record:
    """Return what is decided on a scenario, up to its end."""
    player = _Player(scenario)
    for instant, group in groupby(_arrivals(scenario), key=itemgetter(0)):
        player.look_until(instant)
        player.arrive(instant, list(group))
    player.look_until(inf)
    player.tick(scenario.start + scenario.end)
    return player.record


def _arrivals(scenario: Scenario) -> Iterator[_Arrival]:
    """Yield what arrives, in order; at one instant in the order of the file."""
    return heapq.merge(
        *(_arrivals_of(step, index, scenario.start) for index, step in enumerate(scenario.steps)),
        key=itemgetter(0, 1, 2),
    )


def _arrivals_of(step: Step, index: int, start: float) -> Iterator[_Arrival]:
    if isinstance(step, Restart):
        yield start + step.at, index, 0, step
        return
    for n in range(step.size):
        at = step.at + n // step.burst * step.every
        yield start + (at + step.delay if step.observed_at is None else step.observed_at), index, n, step


class _Player:
    def __init__(self, scenario: Scenario) -> None:
        self.record = Record()
        self._start = scenario.start
        self._rules = scenario.setup.rules
        self._engine = Engine(self._rules)
        policy = Policy(route=scenario.setup.route, inhibit_rules=scenario.setup.inhibit_rules, external_url=_URL)
        self._notifier = Notifier(policy=policy)
        self._looks = sorted({scenario.start + e.at for e in scenario.expect if isinstance(e, Stands)}, reverse=True)
        self._known: set[tuple[str, str]] = set()
        self._back_at = -inf
        self.tick(scenario.start)

    def tick(self, instant: float) -> None:
        """Let time go on."""
        self._decide(self._engine.tick(max(instant, self._back_at)))

    def look_until(self, instant: float) -> None:
        """Note the alerts' numbers at each instant before this one that expectations ask about."""
        while self._looks and self._looks[-1] < instant:
            look = self._looks.pop()
            self.tick(look)
            # The engine itself looks only when something may change.
            seen = map(self._engine.seen, self._engine.alerts())
            self.record.values[look] = {alert.fingerprint: dict(alert.value) for alert in seen}

    def arrive(self, instant: float, arrivals: list[_Arrival]) -> None:
        """Take what arrives at one instant: events in one batch, but for a restart between them."""
        now = max(instant, self._back_at)
        events: list[Event] = []
        for _, _, n, step in arrivals:
            if isinstance(step, Restart):
                self._observe(events, now)
                events = []
                self._restart(step)
                now = max(now, self._back_at)
            else:
                events += self._event(step, n, now)
        self._observe(events, now)

    def _event(self, series: Series, n: int, now: float) -> list[Event]:
        """Return an event as the service takes it; none where it is refused, or known."""
        template = series.usual
        # Evenly, and the same on every machine: the n-th fails when it makes the share whole.
        if series.failing is not None and int((n + 1) * series.share) > int(n * series.share):
            template = series.failing
        made = template.make(n + 1, self._start + series.at + n // series.burst * series.every)
        try:
            event = complete(made, received_at=now)
        except EventError as fault:
            self.record.refused.append((now, str(fault), series.path))
            return []
        if event.event_id is not None:
            name = (event.app, event.event_id)
            if name in self._known:
                return []
            self._known.add(name)
        return [event]

    def _observe(self, events: list[Event], now: float) -> None:
        if events:
            self._decide(self._engine.observe(events, now))

    def _restart(self, restart: Restart) -> None:
        self.tick(self._start + restart.at)
        engine = msgspec.msgpack.decode(msgspec.msgpack.encode(self._engine.state), type=EngineState)
        self._notifier.state = NotifierState(self._notifier.state.rows())
        self._engine = Engine(self._rules, engine)
        self._back_at = max(self._back_at, self._start + restart.ends_at)
        go_on = self._engine.resume if restart.pause > PAUSE_S else self._engine.tick
        self._decide(go_on(self._back_at))

    def _decide(self, step: Decided) -> None:
        notifications, told = self._notifier.step(step.transitions, self._engine.rules, self._engine.find)
        self.record.transitions += step.transitions
        self.record.decisions += step.decisions + told
        self.record.notifications += notifications
        notifications, told = self._notifier.tick(self._engine.now, self._engine.rules, self._engine.find)
        self.record.decisions += told
        self.record.notifications += notifications
