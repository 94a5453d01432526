"""The two tables of a screen: alerts and models, in as many columns as there is room for.

≠ how many rows are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..pages.format import span
from .cells import Line, Style, cell, harmless, width
from .view import AlertRow, ModelRow, Sort
from .words import errors, few, held, left, pace, place, severity_style, state

WIDE = 140
"""From so many cells on, an alert's numbers stand in its line, and need none of their own."""

_ROOMY, _NARROW = 110, 80
_BEFORE = 20
"""Cells before an alert's app: mark, severity, since."""


# ── alerts ────────────────────────────────────────────────────────────────────


def _alert_widths(cells: int) -> tuple[int, int]:
    """Return how wide app/environment and the alert's name are."""
    return (24, 30) if cells >= _NARROW else (16, max(10, cells - _BEFORE - 17))


def alerts_head(cells: int) -> Line:
    """Return the names of the columns."""
    app, name = _alert_widths(cells)
    line = Line().add(f"{'':<10}{'SINCE':<8}  {cell('APP/ENVIRONMENT', app)} {cell('ALERT', name)}", Style.DIM)
    return line.add(" WHAT" if cells >= WIDE else "", Style.DIM)


def alert_lines(alert: AlertRow, *, cells: int, now: float, chosen: bool, short: bool) -> list[Line]:
    """Return one alert: with its numbers in a second line, unless that is not wanted or they fit beside it."""
    app, name = _alert_widths(cells)
    style = severity_style(alert)
    first = Line(base=Style.CHOSEN if chosen else Style.PLAIN)
    first.add("> " if chosen else "  ")
    first.add(cell(harmless(alert.severity or "-"), 7), Style.PLAIN if chosen else style)
    first.add(f" {cell(_since(alert, now), 8)}  ")
    first.add(f"{cell(place(alert.app, alert.environment), app)} {cell(harmless(alert.alertname), name)}")
    if short or cells >= WIDE:
        return [first.add(f" {_said(alert)}" if _beside(cells) else "")]
    return [first, Line().add(f"{'':<{_BEFORE}}{_said(alert)}", Style.DIM if state(alert) else Style.PLAIN)]


def _beside(cells: int) -> bool:
    return cells >= _ROOMY


def _said(alert: AlertRow) -> str:
    became = state(alert)
    numbers = harmless("; ".join(filter(None, (alert.measured or alert.summary, alert.errors))))
    return f"[{became}] {numbers}" if became else numbers


def _since(alert: AlertRow, now: float) -> str:
    """Return "3 min" of "3 min 20 s": the seconds would change all the time; but "1 h 5m"."""
    if alert.since is None:
        return ""
    if now - alert.since < 1:
        return "now"
    words = span(now - alert.since).split()
    if len(words) < 4 or words[1] == "min":
        return " ".join(words[:2])
    return f"{words[0]} {words[1]} {words[2]}{words[3][0]}"


# ── models ────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column of numbers.

    Attributes:
        narrowest: Left out where there are fewer cells.
        sort: What sorts the rows by it.
    """

    title: str
    width: int
    narrowest: int = 0
    sort: Sort | None = None


_FAILED_FROM = 100

_COLUMNS = (
    _Column(title="ATT/S", width=6, sort=Sort.RATE),
    _Column(title="FAILED", width=6, narrowest=_FAILED_FROM, sort=Sort.ERRORS),
    _Column(title="ABSORB", width=6, narrowest=72),
    _Column(title="EXH", width=4, narrowest=72, sort=Sort.EXHAUSTED),
    _Column(title="BUDGET", width=7, sort=Sort.BUDGET),
    _Column(title="HELD", width=5, narrowest=80),
)


def _columns(cells: int) -> Sequence[_Column]:
    return [column for column in _COLUMNS if cells >= column.narrowest]


def _names(cells: int) -> tuple[int, int]:
    """Return how wide app/environment and model are."""
    if cells >= _ROOMY:
        return 24, 22
    return (16, 12) if cells >= _NARROW else (14, 10)


def models_head(cells: int, sort: Sort) -> Line:
    """Return the names of the columns; that which sorts them is bold."""
    app, model = _names(cells)
    line = Line()
    line.add(cell("  APP/ENVIRONMENT", app + 2), Style.BOLD if sort is Sort.NAME else Style.DIM)
    line.add(f" {cell('MODEL', model)}", Style.DIM)
    for column in _columns(cells):
        chosen = column.sort is sort
        line.add(f" {cell(column.title, column.width, right=True)}", Style.BOLD if chosen else Style.DIM)
    here = sort is Sort.ERRORS and cells < _FAILED_FROM
    return line.add("  ERRORS", Style.BOLD if here else Style.DIM)


def model_line(row: ModelRow, *, cells: int) -> Line:
    """Return one model."""
    app, model = _names(cells)
    numbers = {
        "ATT/S": pace(row.per_s),
        "FAILED": _none(row.failed),
        "ABSORB": _none(row.absorbed),
        "EXH": _none(row.exhausted),
        "BUDGET": left(row.budget_left),
        "HELD": held(row.throttled_s) if row.throttled_s >= 0.5 else "-",
    }
    line = Line()
    room = cells - app - model - 5 - sum(column.width + 1 for column in _columns(cells))
    line.add("! " if row.firing else "  ", Style.RED)
    line.add(f"{cell(place(row.app, row.environment), app)} {cell(_model(row.model, model), model)}")
    for column in _columns(cells):
        line.add(f" {cell(numbers[column.title], column.width, right=True)}", _style(column, row))
    return line.add("  " + errors(row, room), Style.YELLOW if row.failed else Style.PLAIN)


def _model(name: str, cells: int) -> str:
    """Return a model's name; where there is no room, without what all have: the version must be seen."""
    name = harmless(name)
    return name if width(name) <= cells else name.removeprefix("claude-")


def _none(n: int) -> str:
    return few(n) if n else "-"


def _style(column: _Column, row: ModelRow) -> Style:
    if column.sort is Sort.EXHAUSTED and row.exhausted:
        return Style.RED
    if column.sort is Sort.BUDGET and row.budget_left is not None and row.budget_left <= 0:
        return Style.RED
    return Style.YELLOW if column.sort is Sort.ERRORS and row.failed else Style.PLAIN
