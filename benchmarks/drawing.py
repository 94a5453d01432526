"""Drawing: lines and dots -> an SVG that reads on light and on dark pages, with axes, units and no script.

Ours, because what the pages need is two kinds of picture: a library for them would bring a dozen packages into the
lock file, and its pictures change with its version, where a test compares these byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH = 430.0
HEIGHT = 290.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 100.0, 58.0, 46.0
LINE_HEIGHT = 14.0
STYLE = """
.paper { fill: #ffffff; } .grid { stroke: #e4e8ec; stroke-width: 1; } .axis { stroke: #8c959f; stroke-width: 1; }
text { font: 12px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #57606a; }
.title { font-size: 14px; font-weight: 600; fill: #1f2328; } .said { fill: #1f2328; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; } .band { fill: #6e7781; fill-opacity: 0.14; }
.bound { stroke: #8c959f; stroke-width: 1; stroke-dasharray: 4 4; }
.s0 { stroke: #0969da; } .s1 { stroke: #bc4c00; } .s2 { stroke: #1a7f37; } .s3 { stroke: #8c959f; }
.d0 { fill: #0969da; } .d1 { fill: #bc4c00; } .d2 { fill: #1a7f37; } .d3 { fill: #8c959f; }
@media (prefers-color-scheme: dark) {
  .paper { fill: #0d1117; } .grid { stroke: #21262d; } .axis { stroke: #6e7681; } .bound { stroke: #6e7681; }
  text { fill: #9198a1; } .title, .said { fill: #f0f6fc; }
  .s0 { stroke: #58a6ff; } .s1 { stroke: #f0883e; } .s2 { stroke: #3fb950; } .s3 { stroke: #6e7681; }
  .d0 { fill: #58a6ff; } .d1 { fill: #f0883e; } .d2 { fill: #3fb950; } .d3 { fill: #6e7681; }
}
"""

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One axis.

    Attributes:
        label: What it is, with its unit.
        log: Whether each step multiplies; else it begins at 0.
        ticks: Where it is marked; none: where it is round.
        most: Up to where it goes at least.
    """

    label: str
    log: bool = False
    ticks: tuple[float, ...] = ()
    most: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Line:
    """Values that belong together; the name stands at its end.

    Attributes:
        name: What they are.
        points: In the order of x.
        colour: 0 to 3; 3 is for what is only compared with.
        dots: Whether each point was measured by itself.
    """

    name: str
    points: Points
    colour: int = 0
    dots: bool = True


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Lines over two axes; the title says what a single one is.

    Attributes:
        title: What it shows.
        x: Along.
        y: Up.
        lines: Drawn in order.
        bound: A value of y that was promised, and its name.
        band: A stretch of x, and its name.
    """

    title: str
    x: Axis
    y: Axis
    lines: tuple[Line, ...]
    bound: tuple[float, str] | None = None
    band: tuple[float, float, str] | None = None


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A row of a picture of dots: a name and a value; colour as of a line."""

    name: str
    value: float
    colour: int = 0


def number(value: float) -> str:
    """Return a number as an axis says it: 250k, 1.5M, 0.2."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def panels(title: str, many: Sequence[Panel]) -> str:
    """Return a picture of panels, two a row.

    Args:
        title: For who cannot see it.
        many: One at least.
    """
    columns = min(2, len(many))
    rows = ceil(len(many) / columns)
    parts = [
        f'<g transform="translate({i % columns * WIDTH:g} {i // columns * HEIGHT:g})">{_panel(panel)}</g>'
        for i, panel in enumerate(many)
    ]
    return _svg(title, columns * WIDTH, rows * HEIGHT, parts)


def dots(title: str, rows: Sequence[Dot], *, axis: str) -> str:
    """Return a picture of one value a row, over an axis of powers of ten: for what differs by factors of a thousand."""
    left, width, row_height, top = 270.0, 860.0, 26.0, 62.0
    end = width - 90.0
    ticks = _powers([row.value for row in rows])
    place = _scale(ticks[0], ticks[-1], left, end, log=True)
    bottom = top + row_height * len(rows)
    parts = [_text(16, 26, title, "title"), _text(left, 48, axis)]
    for tick in ticks:
        parts.append(_rule(place(tick), top - 4, place(tick), bottom, "grid"))
        parts.append(_text(place(tick), bottom + 18, number(tick), anchor="middle"))
    for i, row in enumerate(rows):
        y = top + row_height * (i + 0.5)
        parts.append(_text(left - 14, y + 4, row.name, "said", anchor="end"))
        parts.append(f'<circle class="d{row.colour}" cx="{place(row.value):.1f}" cy="{y:.1f}" r="5.5"/>')
        parts.append(_text(place(row.value) + 11, y + 4, f"{row.value:,.0f}", "said"))
    return _svg(title, width, bottom + 34, parts)


def _panel(panel: Panel) -> str:
    xs = [x for line in panel.lines for x, _ in line.points]
    ys = [y for line in panel.lines for _, y in line.points]
    # The axis ends above a bound, so that its line does not look like the picture's edge.
    ys += [panel.bound[0] * 1.05] if panel.bound is not None else []
    x_ticks, y_ticks = _ticks(panel.x, xs), _ticks(panel.y, ys)
    low = min(xs + list(x_ticks)) if panel.x.log else 0.0
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    along = _scale(low, max(xs + list(x_ticks)), LEFT, right, log=panel.x.log)
    up = _scale(y_ticks[0], y_ticks[-1], bottom, TOP, log=panel.y.log)
    parts = [_text(16, 24, panel.title, "title"), _text(16, 44, panel.y.label)]
    if panel.band is not None:
        begin, end, name = panel.band
        parts.append(
            f'<rect class="band" x="{along(begin):.1f}" y="{TOP:g}" width="{along(end) - along(begin):.1f}" '
            f'height="{bottom - TOP:g}"/>'
        )
        parts.append(_text((along(begin) + along(end)) / 2, TOP + 15, name, anchor="middle"))
    for tick in y_ticks:
        parts.append(_rule(LEFT, up(tick), right, up(tick), "grid"))
        parts.append(_text(LEFT - 8, up(tick) + 4, number(tick), anchor="end"))
    parts.append(_rule(LEFT, bottom, right, bottom, "axis"))
    parts += [_text(along(tick), bottom + 17, number(tick), anchor="middle") for tick in x_ticks]
    parts.append(_text((LEFT + right) / 2, bottom + 36, panel.x.label, anchor="middle"))
    if panel.bound is not None:
        value, name = panel.bound
        parts.append(_rule(LEFT, up(value), right, up(value), "bound"))
        parts.append(_text(LEFT + 6, up(value) + 14, name))
    for line in panel.lines:
        parts += _line(line, along, up)
    # A single line is what the title says.
    parts += _names(panel.lines, up, right) if len(panel.lines) > 1 else []
    return "".join(parts)


def _line(line: Line, along: Callable[[float], float], up: Callable[[float], float]) -> list[str]:
    path = " ".join(f"{along(x):.1f},{up(y):.1f}" for x, y in line.points)
    parts = [f'<polyline class="line s{line.colour}" points="{path}"/>']
    if line.dots:
        parts += [
            f'<circle class="d{line.colour}" cx="{along(x):.1f}" cy="{up(y):.1f}" r="3.5"/>' for x, y in line.points
        ]
    return parts


def _names(lines: Sequence[Line], up: Callable[[float], float], right: float) -> list[str]:
    """Return the names at the ends of their lines, moved apart where they would cover each other."""
    parts: list[str] = []
    last = float("inf")
    for line in sorted(lines, key=lambda line: up(line.points[-1][1]), reverse=True):
        y = min(up(line.points[-1][1]), last - LINE_HEIGHT)
        last = y
        parts.append(_rule(right + 8, y, right + 20, y, f"line s{line.colour}"))
        parts.append(_text(right + 24, y + 4, line.name, "said"))
    return parts


def _ticks(axis: Axis, values: Sequence[float]) -> tuple[float, ...]:
    if axis.ticks:
        return axis.ticks
    if axis.log:
        return _powers(values)
    most = max([*values, axis.most])
    step = 10.0 ** floor(log10(most)) if most > 0 else 1.0
    step *= next(part for part in (0.2, 0.5, 1.0, 2.0, 5.0) if most / (step * part) <= 6)
    return tuple(step * i for i in range(ceil(most / step - 1e-9) + 1))


def _powers(values: Sequence[float]) -> tuple[float, ...]:
    above = [value for value in values if value > 0]
    first, last = floor(log10(min(above)) + 1e-9), ceil(log10(max(above)) - 1e-9)
    return tuple(10.0**i for i in range(first, max(last, first + 1) + 1))


def _scale(low: float, high: float, begin: float, end: float, *, log: bool) -> Callable[[float], float]:
    if log:
        width = log10(high / low)
        return lambda value: begin + (end - begin) * log10(max(value, low) / low) / width
    return lambda value: begin + (end - begin) * (value - low) / (high - low)


def _text(x: float, y: float, said: str, kind: str = "", *, anchor: str = "start") -> str:
    kind = f' class="{kind}"' if kind else ""
    place = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{kind}{place}>{escape(said)}</text>'


def _rule(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _svg(title: str, width: float, height: float, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img">'
    paper = f'<rect class="paper" width="{width:g}" height="{height:g}" rx="8"/>'
    return "\n".join([head, f"<title>{escape(title)}</title>", f"<style>{STYLE}</style>", paper, *parts, "</svg>", ""])
