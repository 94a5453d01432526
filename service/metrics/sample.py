"""Sample: the numbers of one scrape, copied in the core's thread so that they belong together.

≠ names, formats.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from alerts.conditions import Parked
from alerts.counters import Model, Totals
from alerts.keyring import OVERFLOW
from alerts.lifecycle import Alert, State
from alerts.reading import Reading

from ..core import Core
from ..delivery import Deliverer
from ..intake import Intake
from ..keys.in_force import Keys
from ..measures import MAX_MODELS, OTHERS, Hop, Measured
from ..receivers import Reason
from ..reloading import Reloads
from ..scheduler import Scheduler
from ..storage import outbox, retention
from ..storage.retention import Size
from ..watch.tally import WatchTally
from ..work import Tally
from . import people
from .alert_states import alert_states
from .budgets import Budgets, Counts, budgets, counts_of
from .costs import Costs, add_costs
from .people import People

if TYPE_CHECKING:
    from .election import ElectionSample
    from .inbox import InboxSample
    from .leases import LeaseSample
    from .partitions import PartitionSample

MAX_APPS = 1_000
"""(app, environment) with series of their own; the others share one."""

MAX_FIRING = 1_000
"""Firing alerts with a series of their own: pages first, then the newest."""

FIRING_LABELS = ("alertname", "severity", "app", "environment", "model", "path")

OUTCOMES = ("delivered", *(reason.value for reason in Reason))

Labels: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What one scrape shows.

    Attributes:
        at: When it was taken, Unix seconds.
        models: Totals by (app, environment, model), at most `MAX_MODELS`.
        more_models: Totals of the others.
        before: What the totals were when the process started.
        costs: What tokens cost; empty until `with_the_rest`.
        measured: What no rule counts, by (app, environment, model).
        hops: Attempts with another model, by (app, environment, model, model that failed first).
        parked: Calls that sleep, by (app, environment).
        recent: (calls, failed calls) of the last 5 minutes by (app, environment).
        alerts: How many alerts, by (alertname, severity, state); every rule is there.
        firing: When each firing alert fired, by the values of `FIRING_LABELS`.
        unlisted: Firing alerts that are not in `firing`.
        states: Alerts by what became of them, by the values of `labels.ALERT`.
        budget_counts: What the budget rules count.
        budgets: The error budgets; empty until `with_the_rest`.
        keys: How much the engine remembers, by kind.
        decisions: What the engine has decided.
        overflowed: Keys that were counted under `(overflow)`.
        tally: What the core has done.
        reloads: How the configuration was taken last.
        intake: What the door has seen.
        waiting: What is queued for the core.
        lag_s: How far the engine is behind the clock; None before it was told the time.
        notifications: Attempts to deliver by (receiver, kind, outcome); every outcome is there.
        handed_over: Messages that went to another receiver, by (receiver, kind) of the one that did not take them.
        lost: Messages that nobody took, by (receiver, kind).
        undelivered: Notifications in the outbox.
        troubles: Timers that did not run as planned by (timer, trouble).
        watch: What Claxon's watch over itself has done.
        failing: Whether each (receiver, kind, index) fails.
        people: What people did, and what waits for them.
        denied: Requests without a key that counts, by why.
        limited: Requests that a key's limit did not let pass, by (key, limit).
        size: Of the database.
        oldest_at: When the oldest row of the log was taken; None while it is empty.
        scrape_s: How long the last scrape took; None before the first.
        pushed: Pushes by OTLP, by outcome.
        election: Who is elected; None where there is no other node.
        inbox: What waits there; None where there is no other node.
        leases: Who delivers; None where there is no other node.
        partitions: What this node owns of a log in partitions; None where there is none.
    """

    at: float
    models: dict[Model, Totals]
    more_models: list[tuple[Model, Totals]]
    before: dict[Model, Totals]
    costs: Costs
    measured: dict[Model, Measured]
    hops: Mapping[Hop, int]
    parked: dict[Labels, int]
    recent: dict[tuple[str, str], tuple[int, int]]
    alerts: dict[Labels, int]
    firing: dict[Labels, float]
    unlisted: int
    states: list[Labels]
    budget_counts: list[Counts]
    budgets: Budgets
    keys: dict[str, int]
    decisions: int
    overflowed: int
    tally: Tally
    reloads: Reloads
    intake: Intake
    waiting: int
    lag_s: float | None
    notifications: dict[Labels, int]
    handed_over: dict[Labels, int]
    lost: dict[Labels, int]
    undelivered: int
    troubles: dict[tuple[str, str], int]
    watch: WatchTally
    failing: dict[Labels, int]
    people: People
    denied: dict[str, int]
    limited: dict[Labels, int]
    size: Size
    oldest_at: float | None
    scrape_s: float | None = None
    pushed: dict[str, int] = field(default_factory=dict)
    election: ElectionSample | None = None
    inbox: InboxSample | None = None
    leases: LeaseSample | None = None
    partitions: PartitionSample | None = None


def take(
    core: Core,
    deliverer: Deliverer,
    intake: Intake,
    scheduler: Scheduler,
    reloads: Reloads,
    watch: WatchTally,
    keys: Keys,
) -> Sample:
    """Return a sample of the parts as they are now; runs in the core's thread."""
    engine = core.engine
    totals = engine.totals
    firing = engine.firing()
    listed = nsmallest(MAX_FIRING, firing, key=_urgency)
    lag_s = core.lag_s
    recent = _recent(engine)
    return Sample(
        at=engine.now,
        models={model: _copied(totals[model]) for model in islice(totals, MAX_MODELS)},
        # Not copied: there may be tens of thousands. Their counters only grow, so a sum
        # that another thread makes while one of them moves is right for its moment.
        more_models=list(islice(totals.items(), MAX_MODELS, None)),
        before=core.measures.before,
        costs=Costs(),
        measured=core.measures.snapshot(),
        hops=dict(core.measures.hops),
        parked=_parked(engine, recent),
        recent=recent,
        alerts=_count_alerts(engine),
        firing={_firing_labels(alert): alert.fired_at or 0.0 for alert in listed},
        unlisted=len(firing) - len(listed),
        states=alert_states(core.notifier, [*listed, *_pending(engine)], engine.now)[:MAX_FIRING],
        budget_counts=counts_of(engine),
        budgets=Budgets(),
        keys=engine.sizes(),
        decisions=engine.decided,
        overflowed=engine.overflowed,
        tally=copy.deepcopy(core.tally),
        reloads=copy.copy(reloads),
        intake=copy.deepcopy(intake),
        waiting=core.waiting,
        lag_s=lag_s if isfinite(lag_s) else None,
        notifications=notifications(deliverer),
        handed_over=by_receiver(deliverer, deliverer.deliveries.handed_over),
        lost=by_receiver(deliverer, deliverer.deliveries.lost),
        undelivered=outbox.pending(core.connection),
        troubles=dict(scheduler.troubles),
        watch=copy.deepcopy(watch),
        failing=_failing(deliverer),
        people=people.count(core.notifier.state, engine.now),
        denied={why.value: n for why, n in keys.denied.items()},
        limited={(name, limit.value): n for (name, limit), n in dict(keys.limited).items()},
        size=retention.size(core.connection),
        oldest_at=retention.oldest_at(core.connection),
    )


def with_the_rest(sample: Sample) -> Sample:
    """Return the sample with its other models as one, what all cost, and the budgets.

    Beside the core's thread, for they may be many.
    """
    costs = Costs()
    add_costs(costs, sample.models.items(), sample.before)
    add_costs(costs, sample.more_models, sample.before, name=OTHERS)
    rest = {OTHERS: _merged(totals for _, totals in sample.more_models)} if sample.more_models else {}
    return dataclasses.replace(
        sample,
        models=sample.models | rest,
        more_models=[],
        costs=costs,
        budgets=budgets(sample.budget_counts, sample.at, most=MAX_APPS),
    )


def _merged(many: Iterable[Totals]) -> Totals:
    whole = Totals()
    for one in many:
        whole.add(one)
    return whole


def _copied(totals: Totals) -> Totals:
    return msgspec.structs.replace(totals, attempts=dict(totals.attempts), failed_at={})


def _recent(engine: Reading) -> dict[tuple[str, str], tuple[int, int]]:
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for key, counts in engine.recent().items():
        name = key if len(found) < MAX_APPS else (OVERFLOW, OVERFLOW)
        calls, failed = found.get(name, (0, 0))
        found[name] = (calls + counts[0], failed + counts[1])
    return found


def _parked(engine: Reading, apps: Iterable[tuple[str, str]]) -> dict[Labels, int]:
    """Return how many calls sleep; of an app about which several rules say it, the most."""
    rules = [rule for rule in engine.rules.values() if isinstance(rule.condition, Parked)]
    found: dict[Labels, int] = dict.fromkeys(apps, 0) if rules else {}
    for rule in rules:
        counts: dict[Labels, int] = {}
        for key, asleep in engine.asleep(rule).items():
            labels = dict(zip(rule.by, key, strict=True))
            app = (labels.get("app", ""), labels.get("environment", ""))
            if app not in found and len(found) >= MAX_APPS:
                app = (OVERFLOW, OVERFLOW)
            counts[app] = counts.get(app, 0) + asleep
        found.update({app: max(n, found.get(app, 0)) for app, n in counts.items()})
    return found


def _pending(engine: Reading) -> Iterable[Alert]:
    return (alert for alert in engine.alerts() if alert.state is State.PENDING)


def _count_alerts(engine: Reading) -> dict[Labels, int]:
    found: dict[Labels, int] = {
        (rule.alert, rule.severity, state.value): 0
        for rule in engine.rules.values()
        for state in (State.PENDING, State.FIRING)
    }
    for alert in engine.alerts():
        if alert.state is not State.INACTIVE:
            name = (alert.labels["alertname"], alert.labels.get("severity", ""), alert.state.value)
            found[name] = found.get(name, 0) + 1
    return found


def _urgency(alert: Alert) -> tuple[bool, float]:
    return alert.labels.get("severity") != "page", -(alert.fired_at or 0.0)


def _firing_labels(alert: Alert) -> Labels:
    return tuple(alert.labels.get(name, "") for name in FIRING_LABELS)


def notifications(deliverer: Deliverer) -> dict[Labels, int]:
    """Return how often each thing came of a try of this process, by (receiver, kind, outcome); all are there."""
    found: dict[Labels, int] = {
        (*_receiver_of(target), outcome): 0 for target in deliverer.integrations for outcome in OUTCOMES
    }
    # The event loop counts meanwhile; a copy of a dict is made in one go.
    for (target, outcome), n in dict(deliverer.deliveries.outcomes).items():
        name = (*_receiver_of(target), outcome)
        found[name] = found.get(name, 0) + n
    return found


def by_receiver(deliverer: Deliverer, counted: dict[str, int]) -> dict[Labels, int]:
    """Return what is counted by integration, by (receiver, kind); all are there."""
    found: dict[Labels, int] = {_receiver_of(target): 0 for target in deliverer.integrations}
    for target, n in dict(counted).items():
        found[_receiver_of(target)] = found.get(_receiver_of(target), 0) + n
    return found


def _failing(deliverer: Deliverer) -> dict[Labels, int]:
    found: dict[Labels, int] = {tuple(target.rsplit("/", 2)): 0 for target in deliverer.integrations}
    return found | {tuple(one.target.rsplit("/", 2)): 1 for one in deliverer.failing()}


def _receiver_of(target: str) -> tuple[str, str]:
    """Return the receiver's name and kind of "receiver/kind/index"; the name may hold a slash."""
    name, kind, _ = target.rsplit("/", 2)
    return name, kind
