"""Gathers what GET /v1/top answers, from the parts of a running service.

≠ HTTP, how it is shown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf, isfinite
from typing import TYPE_CHECKING, TypeAlias

from alerts.lifecycle import State
from alerts.silences import SilenceState

from ..lately import Lately
from ..metrics.budgets import Counts as BudgetCounts
from ..metrics.budgets import budgets, counts_of
from ..metrics.engine_room import version_of_claxon
from ..storage import outbox
from ..views import AlertView
from .view import AlertRow, ClaxonView, Counts, ModelRow, Sort, Top

if TYPE_CHECKING:
    from ..app import Service

_MOST_APPS = 1_000

App: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What belongs to one instant.

    Attributes:
        firing: Alerts by (app, environment).
        known: How many models the engine knows.
    """

    at: float
    claxon: ClaxonView
    counts: Counts
    alerts: list[AlertRow]
    lately: Lately
    firing: Mapping[App, int]
    budgets: list[BudgetCounts]
    known: int


def gather(service: Service, *, most_alerts: int) -> Gathered:
    """Gather; runs in the core's thread."""
    core = service.core
    engine, notifier = core.engine, core.notifier
    shown = service.views.standing(most=most_alerts)
    lately = service.noted.lately()
    firing = list(notifier.state.firing.values())
    rows = list(map(_alert, shown))
    return Gathered(
        at=service.views.present,
        claxon=_claxon(service, lately),
        counts=Counts(
            firing=len(firing),
            pages=sum(alert.labels.get("severity") == "page" for alert in firing),
            pending=sum(alert.state is State.PENDING for alert in engine.alerts()),
            acknowledged=sum(row.ack is not None for row in rows if row.state == "firing"),
        ),
        alerts=rows,
        lately=lately,
        firing=Counter((a.labels.get("app", ""), a.labels.get("environment", "")) for a in firing),
        budgets=counts_of(engine),
        known=len(engine.totals),
    )


def top(found: Gathered, *, sort: Sort, most_models: int) -> Top:
    """Return what is shown; beside the core's thread, for the models may be many."""
    left = budgets(found.budgets, found.at, most=_MOST_APPS).remaining
    rows = sorted(_models(found, left), key=_ORDERS[sort])
    return Top(
        at=found.at,
        window_s=round(found.lately.window_s, 3),
        claxon=found.claxon,
        counts=found.counts,
        alerts=found.alerts,
        more_alerts=found.counts.firing + found.counts.pending - len(found.alerts),
        models=rows[:most_models],
        more_models=max(0, len(rows) - most_models),
        quiet_models=found.known - len(rows),
    )


def _claxon(service: Service, lately: Lately) -> ClaxonView:
    core = service.core
    dead = service.dead_parts()
    fault = f"{', '.join(dead)}: not running" if dead else service.unready()
    now = service.views.present
    return ClaxonView(
        version=version_of_claxon(),
        started_at=service.started_at,
        ready=not fault,
        fault=fault,
        blind=service.watch_tally.blind,
        lag_s=core.lag_s if isfinite(core.lag_s) else None,
        events_per_s=lately.events_per_s,
        queue=core.waiting,
        outbox=outbox.pending(core.connection),
        failing=[one.target for one in service.deliverer.failing()],
        silences=sum(one.state(now) is SilenceState.ACTIVE for one in core.notifier.state.silences.values()),
    )


def _alert(view: AlertView) -> AlertRow:
    alert, said = view.alert, view.message
    return AlertRow(
        fingerprint=alert.fingerprint,
        state=view.state,
        alertname=alert.labels.get("alertname", ""),
        severity=alert.labels.get("severity", ""),
        app=alert.labels.get("app", ""),
        environment=alert.labels.get("environment", ""),
        labels=alert.labels,
        summary=said.summary,
        since=alert.fired_at if view.state == "firing" else alert.active_at,
        measured=said.measured,
        errors=said.errors,
        blame=said.blame,
        advice=said.advice,
        request_ids=said.request_ids,
        url=said.url,
        held_back=view.held_back,
        ack=view.ack,
        silences=view.silences,
    )


def _models(found: Gathered, left: Mapping[App, float]) -> Iterable[ModelRow]:
    for (app, environment, model), recent in found.lately.models.items():
        yield ModelRow(
            app=app,
            environment=environment,
            model=model,
            attempts=recent.attempts,
            per_s=recent.per_s,
            errors=dict(sorted(recent.errors.items(), key=lambda one: (-one[1], one[0]))),
            failed=sum(recent.errors.values()),
            absorbed=recent.absorbed,
            exhausted=recent.exhausted,
            throttled_s=recent.throttled_s,
            budget_left=left.get((app, environment)),
            firing=found.firing.get((app, environment), 0),
        )


def _name(row: ModelRow) -> App:
    return row.app, f"{row.environment}\0{row.model}"


_ORDERS = {
    Sort.ERRORS: lambda row: (-row.failed, -row.attempts, _name(row)),
    Sort.RATE: lambda row: (-(row.per_s or 0.0), -row.attempts, _name(row)),
    Sort.EXHAUSTED: lambda row: (-row.exhausted, -row.failed, _name(row)),
    Sort.BUDGET: lambda row: (row.budget_left if row.budget_left is not None else inf, -row.failed, _name(row)),
    Sort.NAME: _name,
}
