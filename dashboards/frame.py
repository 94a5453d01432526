"""What all dashboards have: variables, annotations, the way from one to the next and to the on-call page, rows.

≠ panels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders.dashboard import (
    AnnotationQuery,
    Dashboard,
    DashboardLink,
    DatasourceVariable,
    QueryVariable,
    Row,
    TextBoxVariable,
)
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from .style import DATASOURCE, ORANGE, RED, Panel
from .ways import CLAXON
from .words import ALERTS, APPS

TAG = "claxon"

SCHEMA_VERSION = 39
"""Grafana 11.0's own; 12 and 13 migrate it when they load it."""

URL = "http://127.0.0.1:5290"
"""Where a Claxon is reached that nobody configured."""

_FIRED = "claxon_alert_fired_timestamp_seconds"

Sections = Mapping[str, Sequence[Panel]]
"""Panels by the title of their row; "" is the top, which has none."""


def framed(title: str, uid: str, description: str, sections: Sections, *, of_apps: bool = True) -> Dashboard:
    """Return a dashboard.

    Args:
        title: Behind "Claxon / ".
        uid: What links name; it never changes.
        description: One sentence.
        sections: All its panels.
        of_apps: Whether app, environment and model can be chosen.
    """
    board = (
        Dashboard(f"Claxon / {title}")
        .uid(uid)
        .description(description)
        .tags([TAG])
        .timezone("browser")
        .time("now-3h", "now")
        .refresh("30s")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .link(_on_call())
        .link(_others())
    )
    for variable in _variables(of_apps=of_apps):
        board = board.with_variable(variable)
    for annotation in _annotations(of_apps=of_apps):
        board = board.annotation(annotation)
    identity = 0
    for row, panels in sections.items():
        if row:
            identity += 1
            board = board.with_row(Row(row).id(identity))
        for panel in panels:
            identity += 1
            board = board.with_panel(panel.id(identity))
    return board


# ── links ─────────────────────────────────────────────────────────────────────


def _on_call() -> DashboardLink:
    return (
        DashboardLink("On-call page")
        .type(DashboardLinkType.LINK)
        .icon("external link")
        .tooltip("Claxon's own page: what fires, why, and what to do")
        .url(f"{CLAXON}/")
        .target_blank(True)
    )


def _others() -> DashboardLink:
    """Return the links to all dashboards of Claxon, with the same apps and the same time."""
    return DashboardLink("Claxon").type(DashboardLinkType.DASHBOARDS).tags([TAG]).include_vars(True).keep_time(True)


# ── what a dashboard asks before anything else ────────────────────────────────


def _variables(*, of_apps: bool) -> list[DatasourceVariable | QueryVariable | TextBoxVariable]:
    of_claxon: list[DatasourceVariable | QueryVariable | TextBoxVariable] = [
        DatasourceVariable("datasource").label("Data source").type("prometheus"),
        _url(),
    ]
    if not of_apps:
        return of_claxon
    return [
        *of_claxon,
        _values("app", "claxon_attempts_total"),
        _values("environment", 'claxon_attempts_total{app=~"$app"}'),
        _values("model", f"claxon_attempts_total{{{APPS}}}"),
    ]


def _url() -> TextBoxVariable:
    return (
        TextBoxVariable("claxon_url")
        .label("Claxon's URL")
        .description("Where people reach Claxon's on-call page, without a slash at its end: links lead there.")
        .default_value(URL)
        .current(VariableOption(selected=True, text=URL, value=URL))
        .options([VariableOption(selected=True, text=URL, value=URL)])
    )


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


def _annotations(*, of_apps: bool) -> list[AnnotationQuery]:
    chosen = f", {ALERTS}" if of_apps else ""
    return [
        _annotation("Pages", RED, f'severity="page"{chosen}'),
        _annotation("Tickets", ORANGE, f'severity!="page"{chosen}').enable(False),
    ]


def _annotation(name: str, color: str, selector: str) -> AnnotationQuery:
    """Return marks at the moments when alerts fired."""
    query = f"max by (alertname, app, environment, model, path) ({_FIRED}{{{selector}}}) * 1000"
    return _Moments(name).datasource(DATASOURCE).enable(True).icon_color(color).expr(query)


class _Moments(AnnotationQuery):
    """An annotation whose series have the moment itself as their value, in milliseconds."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._internal = _Annotation(name=name)


class _Annotation(models.AnnotationQuery):
    """What the Prometheus data source reads beside the published schema."""

    def to_json(self) -> dict[str, object]:
        """Return what is written."""
        return super().to_json() | {
            "titleFormat": "{{alertname}}",
            "textFormat": "{{app}} {{environment}} {{model}} {{path}}",
            "useValueForTime": True,
        }
