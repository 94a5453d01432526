"""The front page: what is said of all alerts and apps together.

≠ how it was gathered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from alerts.wording import where

from ..views import AlertView, AppView, Chosen, NowView
from .chart import Chart, draw
from .format import ago, count, percent, span
from .gather import Now

GROUPS = 12
"""Apps whose alerts are told in full; the others' get a line each."""

BESIDE = 8
"""Alerts told below the gravest one of their app."""

LINES = 100
APPS = 25
"""Unless all are asked for."""

_LAGS_S = 15.0  # evaluation has stopped when it is so far behind
_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The one sentence for somebody who was just woken.

    Attributes:
        tone: page, ticket, unheard or quiet.
    """

    tone: str
    title: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """Something about Claxon itself that must not be overlooked."""

    title: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What fires in one app and environment: one fault often fires several rules, and is one thing to look at.

    Attributes:
        where: "checkout (prod)".
        key: (app, environment); the fingerprint for an alert of no app.
        lead: The gravest.
        beside: The others.
    """

    where: str
    key: tuple[str, ...]
    lead: AlertView
    beside: list[AlertView]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppRow:
    """One app and environment.

    Attributes:
        heard: The minute of its last call, Unix seconds; None is not in this hour.
    """

    app: AppView
    share: float | None
    heard: int | None
    chart: Chart


def context(found: Now, *, clock: float, everything: bool) -> dict[str, Any]:
    """Return what the template needs."""
    view = found.view
    firing = sorted(view.firing, key=_urgency)
    groups, rest = grouped(firing)
    lines, shown = (rest, view.apps) if everything else (rest[:LINES], view.apps[:APPS])
    return {
        "nav": "now",
        "now": clock,
        "firing": len(firing),
        "verdict": verdict(found, clock),
        "warnings": warnings(found, clock),
        "groups": groups,
        "charts": _charts(groups, found, clock),
        "lines": lines,
        "more_alerts": len(rest) - len(lines),
        "names": {v.alert.fingerprint: v.alert.labels.get("alertname", "another") for v in firing},
        "silences": found.silences,
        "silenced": sum(1 for v in firing if v.silences),
        "apps": [_row(app, clock, found.threshold) for app in shown],
        "more_apps": len(view.apps) - len(shown),
        "resolved": view.resolved,
        "first_event": not view.apps and not firing,
    }


def chosen(view: NowView, *, everything: bool) -> Chosen:
    """Return what is told in full: what a person may want to read of the first screens, and of the rest on demand."""
    groups, rest = grouped(sorted(view.firing, key=_urgency))
    lines, shown = (rest, view.apps) if everything else (rest[:LINES], view.apps[:APPS])
    led = [one for group in groups for one in (group.lead, *group.beside)]
    # Where nothing is heard the page says when the last call was, of whatever app.
    apps = shown if any(app.calls for app in view.apps) else view.apps
    keys = {(app.app, app.environment) for app in apps}
    return Chosen(alerts=[*led, *lines], apps=keys | {g.key for g in groups if len(g.key) == 2})


def _urgency(view: AlertView) -> tuple[bool, bool, bool, bool]:
    """Pages first; among them what nothing holds back, and then what nobody looks after yet."""
    page = view.alert.labels.get("severity") == "page"
    return (not page, bool(view.held_back_by), bool(view.silences), view.ack is not None)


def grouped(firing: list[AlertView]) -> tuple[list[Group], list[AlertView]]:
    """Return the alerts by app and environment, in the order of each one's gravest, and those that found no room."""
    groups: dict[tuple[str, ...], Group] = {}
    rest: list[AlertView] = []
    for view in firing:
        labels = view.alert.labels
        # An alert of no app stands for itself.
        key = (labels["app"], labels.get("environment", "")) if "app" in labels else (view.alert.fingerprint,)
        group = groups.get(key)
        if group is not None and len(group.beside) < BESIDE:
            group.beside.append(view)
        elif group is None and len(groups) < GROUPS:
            groups[key] = Group(where=where(view.alert), key=key, lead=view, beside=[])
        else:
            rest.append(view)
    return list(groups.values()), rest


def verdict(found: Now, clock: float) -> Verdict:
    """Return what is the matter in one sentence; silence is not called quiet."""
    firing = found.view.firing
    if firing:
        return _fires(firing)
    calls = sum(app.calls for app in found.view.apps)
    failed = sum(app.failed for app in found.view.apps)
    if calls:
        share = percent(failed / calls)
        said = f"No alert fires. Last 5 minutes: {_of(calls, 'call')}, {count(failed)} failed ({share})."
        return Verdict(tone="quiet", title="All is quiet", detail=said)
    if not found.view.apps:
        return Verdict(tone="quiet", title="All is quiet", detail="No alert fires, and no event has arrived yet.")
    heard = max((minutes[-1][0] for app in found.view.apps if (minutes := app.minutes)), default=None)
    last = f"The last call ended {ago(heard, clock)}." if heard is not None else "No call has ended in the last hour."
    return Verdict(
        tone="unheard",
        title="Nothing fires, but nothing is heard",
        detail=f"{last} No news is not good news: do the apps run, and do their events reach Claxon?",
    )


def _fires(firing: list[AlertView]) -> Verdict:
    pages = sum(1 for v in firing if v.alert.labels.get("severity") == "page")
    others = len(firing) - pages
    parts = [_of(n, word) for n, word in ((pages, "page"), (others, "ticket")) if n]
    # What is held back by a page whose own alert has ended is what still is wrong.
    fires = {v.alert.fingerprint for v in firing}
    held = sum(1 for v in firing if v.held_back_by in fires)
    silenced = sum(1 for v in firing if v.silences and v.held_back_by not in fires)
    open_ = [v for v in firing if v.ack is None and v.held_back_by not in fires and not v.silences]
    detail = f"{' and '.join(parts)}. "
    if open_:
        detail += f"{len(open_)} not acknowledged."
    else:
        detail += "All acknowledged." if silenced < len(firing) else "All silenced."
    if held:
        detail += f" {held} held back by another."
    if 0 < silenced < len(firing):
        detail += f" {silenced} silenced."
    title = f"{count(len(firing))} alert{'s fire' if len(firing) != 1 else ' fires'}"
    return Verdict(tone="page" if pages else "ticket", title=title, detail=detail)


def _of(n: int, word: str) -> str:
    return f"{count(n)} {word}{'' if n == 1 else 's'}"


def warnings(found: Now, clock: float) -> list[Warned]:
    """Return what is wrong with Claxon itself."""
    said: list[Warned] = []
    lag = clock - found.view.at
    if found.view.at > 0 and lag > _LAGS_S:
        said.append(
            Warned(
                title=f"Evaluation is {span(lag)} behind",
                lines=("What you see may be old, and new alerts come late. Read Claxon's log.",),
            )
        )
    troubles = found.troubles
    if troubles.undelivered:
        lines = tuple(
            f"{row.target}: {_of(row.attempts, 'try').replace('trys', 'tries')}"
            f"{', the last answer: ' + row.answer if row.answer else ''}"
            for row in troubles.waiting[:_NAMED]
        )
        title = f"{_of(troubles.undelivered, 'notification')} not delivered yet; Claxon goes on trying"
        said.append(Warned(title=title, lines=lines))
    if troubles.given_up:
        lines = tuple(f"{row.target}, {ago(row.ended_at, clock)}: {row.answer}" for row in troubles.given_up[:_NAMED])
        title = f"{_of(len(troubles.given_up), 'notification')} given up in the last day: Claxon does not try again"
        said.append(Warned(title=title, lines=lines))
    return said


def _charts(groups: list[Group], found: Now, clock: float) -> dict[tuple[str, ...], Chart]:
    """Return the charts of the apps in which something fires, and that were heard in this hour."""
    keys = {group.key for group in groups}
    return {
        (app.app, app.environment): draw(app.minutes, now=clock, threshold=found.threshold)
        for app in found.view.apps
        if (app.app, app.environment) in keys and app.minutes
    }


def _row(app: AppView, clock: float, threshold: float) -> AppRow:
    return AppRow(
        app=app,
        share=app.failed / app.calls if app.calls else None,
        heard=app.minutes[-1][0] if app.minutes else None,
        chart=draw(app.minutes, now=clock, threshold=threshold),
    )
