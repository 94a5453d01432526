"""House style of the panels: one data source variable, lines where the rules have them, zero-based axes, a way out.

≠ what is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from grafana_foundation_sdk.builders import common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphTresholdsStyleMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DynamicConfigValue,
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from .ways import Way

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

GREEN, ORANGE, RED = "green", "orange", "red"

PER_SECOND = "cps"
SHARE = "percentunit"
SECONDS = "s"
BYTES = "bytes"
NUMBER = "short"
DOLLARS = "currencyUSD"
TIMES = "none"
FROM_NOW = "dateTimeFromNow"

Query = tuple[str, str]
"""An expression and its legend."""

Panel = stat.Panel | table.Panel | timeseries.Panel
P = TypeVar("P", stat.Panel, table.Panel, timeseries.Panel)


def number(
    title: str,
    description: str,
    *queries: Query,
    unit: str = NUMBER,
    steps: Sequence[tuple[float, str]] = (),
    good_from: Sequence[tuple[float, str]] = (),
    no_value: str = "no data",
    width: int = 4,
    way: Way | None = None,
) -> stat.Panel:
    """Return a panel with one number for each query.

    Args:
        title: What it is.
        description: What it means.
        queries: Each with its legend.
        unit: Grafana's name of it.
        steps: From which value on it has which colour, green below.
        good_from: The same of what is better when it is more, red below.
        no_value: What is said when there is none.
        width: Of 24.
        way: Where a click leads.
    """
    coloured = bool(steps or good_from)
    panel = (
        stat.Panel()
        .height(4)
        .span(width)
        .color_mode(BigValueColorMode.BACKGROUND if coloured else BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(good_from, below=RED) if good_from else _thresholds(steps))
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .no_value(no_value)
    )
    # Instant: over a range, the last number would stay for hours after Claxon went away.
    return _dressed(panel, title, description, queries, unit=unit, way=way, instant=True)


def graph(
    title: str,
    description: str,
    *queries: Query,
    unit: str,
    line_at: float | None = None,
    line_below: float | None = None,
    stacked: bool = False,
    negative: bool = False,
    width: int = 12,
    way: Way | None = None,
) -> timeseries.Panel:
    """Return a graph from zero up, with a red dashed line where a rule has its threshold.

    Args:
        title: What it is.
        description: What it means.
        queries: Each with its legend.
        unit: Grafana's name of it.
        line_at: Over this is bad.
        line_below: Under this is bad.
        stacked: Whether the lines lie on one another.
        negative: Whether it may be below zero.
        width: Of 24.
        way: Where a click leads.
    """
    panel = (
        timeseries.Panel()
        .height(8)
        .span(width)
        .line_width(1)
        .fill_opacity(60 if stacked else 10)
        .show_points(VisibilityMode.AUTO)
        .color_scheme(FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
        .legend(
            common.VizLegendOptions()
            .display_mode(LegendDisplayMode.TABLE)
            .placement(LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(["lastNotNull", "max"])
        )
        .tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    if not negative:
        panel = panel.min(0)
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if line_below is not None:
        panel = _lined(panel.max(1) if unit == SHARE else panel, _thresholds([(line_below, GREEN)], below=RED))
    if line_at is not None:
        # The line is to be seen on a good day too.
        panel = _lined(panel, _thresholds([(line_at, RED)])).axis_soft_max(2 * line_at)
    return _dressed(panel, title, description, queries, unit=unit, way=way)


def rows(title: str, description: str, *queries: str, no_value: str, height: int = 7) -> table.Panel:
    """Return a table of what queries give now."""
    panel = table.Panel().height(height).span(24).show_header(True).no_value(no_value)
    panel = panel.title(title).description(description).datasource(DATASOURCE)
    for name, query in zip("ABCDEFGH", queries, strict=False):
        target = prometheus.Dataquery().expr(query).instant().format(PromQueryFormat.TABLE).ref_id(name)
        panel = panel.with_target(target.datasource(DATASOURCE))
    return panel


def fixed(color: str) -> DynamicConfigValue:
    """Return the property that paints a series in one colour."""
    return DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})


def link(way: Way) -> DynamicConfigValue:
    """Return the property that leads from a value to the on-call page."""
    return DynamicConfigValue(id_val="links", value=[{"title": way.title, "url": way.url, "targetBlank": True}])


def _lined(panel: timeseries.Panel, thresholds: ThresholdsConfig) -> timeseries.Panel:
    style = common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED)
    return panel.thresholds(thresholds).thresholds_style(style)


def _dressed(
    panel: P,
    title: str,
    description: str,
    queries: Sequence[Query],
    *,
    unit: str,
    way: Way | None,
    instant: bool = False,
) -> P:
    panel = panel.title(title).description(description).unit(unit).datasource(DATASOURCE)
    for name, (expression, legend) in zip("ABCDEFGH", queries, strict=False):
        target = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(name)
        target = target.instant() if instant else target.range()
        panel = panel.with_target(target.datasource(DATASOURCE))
    return panel if way is None else panel.override_by_field_type("number", [link(way)])


def _thresholds(steps: Sequence[tuple[float, str]], *, below: str = GREEN) -> ThresholdsConfig:
    first = Threshold(value=None, color=below)
    more = [Threshold(value=value, color=color) for value, color in steps]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([first, *more])
