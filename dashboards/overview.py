"""Claxon / Overview: is it us, is it them, is it one app; and is Claxon itself well.

≠ what the panels are.
"""

from __future__ import annotations

from grafana_foundation_sdk.builders.dashboard import (
    AnnotationQuery,
    Dashboard,
    DatasourceVariable,
    QueryVariable,
    Row,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from .apps import errors, firing, load, now
from .house import claxon
from .style import DATASOURCE, RED, Panel
from .words import ALERTS, APPS


def overview() -> Dashboard:
    """Return the dashboard."""
    board = (
        Dashboard("Claxon / Overview")
        .uid("claxon-overview")
        .description("Errors of the Claude API as the apps see them, the alerts, and Claxon itself.")
        .tags(["claxon"])
        .timezone("browser")
        .time("now-3h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .annotation(_pages())
    )
    for variable in _variables():
        board = board.with_variable(variable)
    identity = 0
    for title, panels in _sections().items():
        if title:
            identity += 1
            board = board.with_row(Row(title).id(identity))
        for panel in panels:
            identity += 1
            board = board.with_panel(panel.id(identity))
    return board


def _sections() -> dict[str, list[Panel]]:
    return {
        "": [*now(), firing()],
        "Is it us, is it them, is it one app?": errors(),
        "Load": load(),
        "Claxon itself": claxon(),
    }


# ── what the dashboard asks before anything else ──────────────────────────────


def _variables() -> list[DatasourceVariable | QueryVariable]:
    return [
        DatasourceVariable("datasource").label("Data source").type("prometheus"),
        _values("app", "claxon_attempts_total"),
        _values("environment", 'claxon_attempts_total{app=~"$app"}'),
        _values("model", f"claxon_attempts_total{{{APPS}}}"),
    ]


def _values(label: str, series: str) -> QueryVariable:
    query: dict[str, object] = {"query": f"label_values({series}, {label})", "refId": f"variable-{label}"}
    return (
        QueryVariable(label)
        .label(label.capitalize())
        .datasource(DATASOURCE)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        # Without it, All is a list of the values, and leaves out apps whose environment is empty.
        .all_value(".*")
        .current(VariableOption(selected=True, text=["All"], value=["$__all"]))
    )


def _pages() -> AnnotationQuery:
    return (
        AnnotationQuery()
        .name("Pages")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color(RED)
        .expr(f'max by (alertname, app, environment) (claxon_alert_firing{{severity="page", {ALERTS}}})')
    )
