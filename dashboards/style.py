"""House style of the panels: one data source variable, thresholds as in the rules, zero-based axes.

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

DATASOURCE = DataSourceRef(type_val="prometheus", uid="${datasource}")

GREEN, ORANGE, RED = "green", "orange", "red"

PER_SECOND = "cps"
SHARE = "percentunit"
SECONDS = "s"
BYTES = "bytes"
NUMBER = "short"

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
    no_value: str = "no data",
) -> stat.Panel:
    """Return a panel with one number for each query, coloured from each of the `steps` on."""
    panel = (
        stat.Panel()
        .height(4)
        .span(4)
        .color_mode(BigValueColorMode.BACKGROUND if steps else BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(steps))
        .color_scheme(FieldColor().mode(FieldColorModeId.THRESHOLDS))
        .no_value(no_value)
    )
    # Instant: over a range, the last number would stay for hours after Claxon went away.
    return _dressed(panel, title, description, queries, unit=unit, instant=True)


def graph(
    title: str,
    description: str,
    *queries: Query,
    unit: str,
    line_at: float | None = None,
    stacked: bool = False,
    width: int = 12,
) -> timeseries.Panel:
    """Return a graph from zero up, with a red dashed line where a rule has its threshold."""
    panel = (
        timeseries.Panel()
        .height(8)
        .span(width)
        .min(0)
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
    if stacked:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL))
    if line_at is not None:
        panel = (
            panel.thresholds(_thresholds([(line_at, RED)]))
            .thresholds_style(common.GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED))
            # The line is to be seen on a good day too.
            .axis_soft_max(2 * line_at)
        )
    return _dressed(panel, title, description, queries, unit=unit)


def rows(title: str, description: str, query: str, *, no_value: str) -> table.Panel:
    """Return a table of what a query gives now."""
    panel = table.Panel().height(7).span(24).show_header(True).no_value(no_value)
    target = prometheus.Dataquery().expr(query).instant().format(PromQueryFormat.TABLE).ref_id("A")
    return panel.title(title).description(description).datasource(DATASOURCE).with_target(target.datasource(DATASOURCE))


def fixed(color: str) -> DynamicConfigValue:
    """Return the property that paints a series in one colour."""
    return DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})


def _dressed(
    panel: P, title: str, description: str, queries: Sequence[Query], *, unit: str, instant: bool = False
) -> P:
    panel = panel.title(title).description(description).unit(unit).datasource(DATASOURCE)
    for name, (expression, legend) in zip("ABCDEFGH", queries, strict=False):
        target = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(name)
        target = target.instant() if instant else target.range()
        panel = panel.with_target(target.datasource(DATASOURCE))
    return panel


def _thresholds(steps: Sequence[tuple[float, str]]) -> ThresholdsConfig:
    first = Threshold(value=None, color=GREEN)
    more = [Threshold(value=value, color=color) for value, color in steps]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps([first, *more])
