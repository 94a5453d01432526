"""The screen: what a person looks at, as lines.

≠ the terminal, colours.
"""

from __future__ import annotations

from ..pages.format import UNKNOWN, clock, count, span
from .cells import Line, Style, cell, harmless, width, wrapped
from .shown import SAID_S, Part, Shown
from .tables import alert_lines, alerts_head, model_line, models_head
from .view import AlertRow, Top
from .words import place, severity_style, standing, state

LEAST_CELLS, LEAST_LINES = 40, 8
UNCUT = 1_000
"""So wide is what is no terminal: nothing is cut."""

_TITLE = 13
_WORDY = 72
_LITTLE = 4


def frame(shown: Shown, *, cells: int, lines: int, now: float) -> list[Line]:
    """Return exactly so many lines.

    Args:
        shown: What is shown.
        cells: How wide the terminal is.
        lines: How high.
        now: By the clock that never jumps.
    """
    if cells < LEAST_CELLS or lines < LEAST_LINES:
        return [Line().add(f"{cells}x{lines}: too small"), *[Line()] * (lines - 1)][:lines]
    head = _head(shown, cells, now)
    room = lines - len(head) - 1
    body = _alert(shown, cells, room, now) if shown.part is Part.ALERT else _all(shown, cells, room, now)
    return [*head, *body[:room], *[Line()] * (room - len(body)), _foot(shown, cells, now)]


def snapshot(shown: Shown, *, cells: int, now: float) -> list[Line]:
    """Return everything, however long it is, for what is no terminal."""
    top = shown.top
    if top is None:
        return []
    present = shown.at(now)
    found = [*_head(shown, cells, now), _alerts_title(top)]
    if top.alerts:
        found.append(alerts_head(cells))
    for alert in top.alerts:
        found += alert_lines(alert, cells=cells, now=present, chosen=False, short=False)
    found += [*_more(top.more_alerts, "alerts"), Line(), _models_title(shown, top)]
    if top.models:
        found += [models_head(cells, shown.sort), *(model_line(row, cells=cells) for row in top.models)]
    return [*found, *_more(top.more_models, "models")]


# ── above and below ───────────────────────────────────────────────────────────


def _head(shown: Shown, cells: int, now: float) -> list[Line]:
    top = shown.top
    version = f"claxon {top.claxon.version}  " if top is not None else "claxon  "
    right = clock(shown.at(now), shown.at(now)) if top is not None else ""
    url = harmless(shown.url)
    if cells < UNCUT:
        url = cell(url, max(0, cells - width(version) - width(right) - 2))
    head = [Line(base=Style.HEAD).add(version).add(url).add(f"  {right}")]
    if trouble := shown.trouble(now):
        since = f" for {span(now - shown.heard_at)}" if top is not None else ""
        why = harmless(trouble.removeprefix(f"{shown.url}: "))
        head.append(Line().add(f"NO ANSWER{since}: {why}", Style.RED))
    elif top is None:
        head.append(Line().add("asking ..."))
    else:
        line = Line()
        for i, (text, style) in enumerate(standing(top.claxon, shown.at(now))):
            line.add("  " if i else "").add(text, style)
        head.append(line)
    if top is not None and top.claxon.failing:
        names = ", ".join(map(harmless, top.claxon.failing))
        head.append(Line().add(f"FAILING: {names}: take nothing", Style.RED))
    return [*head, Line()]


def _foot(shown: Shown, cells: int, now: float) -> Line:
    if shown.asking is not None:
        alert = shown.asking
        what = f"{harmless(alert.alertname)} of {place(alert.app, alert.environment)}"
        return Line(base=Style.HEAD).add(f"Acknowledge {what} as {harmless(shown.name)}? y/n")
    if shown.said and now - shown.said_at < SAID_S:
        return Line(base=Style.HEAD).add(harmless(shown.said))
    if shown.part is Part.ALERT:
        return Line().add("q quit  enter back  j/k down/up  a acknowledge", Style.DIM)
    if cells < _WORDY:
        return Line().add(f"q quit  j/k  enter  a acknowledge  s sort: {shown.sort.value}", Style.DIM)
    return Line().add(f"q quit  j/k choose  enter details  a acknowledge  s sort: {shown.sort.value}", Style.DIM)


# ── everything ────────────────────────────────────────────────────────────────


def _all(shown: Shown, cells: int, room: int, now: float) -> list[Line]:
    top = shown.top
    if top is None:
        return []
    wanted = len(top.models) + 3 if top.models else 2
    mine = max(room - wanted, room * 3 // 5)
    alerts = _alerts(shown, top, cells, min(mine, room), now)
    return [*alerts, Line(), *_models(shown, top, cells, room - len(alerts) - 1)]


def _alerts_title(top: Top) -> Line:
    n = top.counts
    if not n.firing and not n.pending:
        return Line().add("ALERTS  ", Style.BOLD).add("none fires", Style.GREEN)
    line = Line().add("ALERTS  ", Style.BOLD)
    pages = f" ({count(n.pages)} page{'' if n.pages == 1 else 's'})" if n.firing else ""
    line.add(f"{count(n.firing)} firing{pages}", Style.RED if n.pages else Style.YELLOW)
    return line.add(f", {count(n.pending)} pending" if n.pending else "")


def _alerts(shown: Shown, top: Top, cells: int, room: int, now: float) -> list[Line]:
    found = [_alerts_title(top)]
    if not top.alerts:
        return found
    found.append(alerts_head(cells))
    room -= 2
    fits = _fits(len(top.alerts), top.more_alerts, room)
    place_of = next((i for i, row in enumerate(top.alerts) if row.fingerprint == shown.chosen), 0)
    first = max(0, min(place_of - fits // 2, len(top.alerts) - fits))
    seen = top.alerts[first : first + fits]
    left_out = top.more_alerts + len(top.alerts) - len(seen) if fits < room else 0
    # Second lines for as many as there is room for, from the gravest on.
    second = room - len(seen) - (left_out > 0)
    for i, alert in enumerate(seen):
        chosen = alert.fingerprint == shown.chosen
        found += alert_lines(alert, cells=cells, now=shown.at(now), chosen=chosen, short=i >= second)
    return [*found, *_more(left_out, "alerts")]


def _models_title(shown: Shown, top: Top) -> Line:
    known = span(min(300.0, top.window_s)) if top.window_s >= 1 else "a moment"
    quiet = f", {count(top.quiet_models)} quiet" if top.quiet_models else ""
    total = len(top.models) + top.more_models
    text = f"{count(total)} with attempts in the last {known}{quiet}, by {shown.sort.value}"
    return Line().add("MODELS  ", Style.BOLD).add(text)


def _models(shown: Shown, top: Top, cells: int, room: int) -> list[Line]:
    found = [_models_title(shown, top)]
    if not top.models:
        return found
    found.append(models_head(cells, shown.sort))
    room -= len(found)
    fits = _fits(len(top.models), top.more_models, room)
    seen = top.models[:fits]
    found += [model_line(row, cells=cells) for row in seen]
    return [*found, *_more(top.more_models + len(top.models) - len(seen) if fits < room else 0, "models")]


def _fits(rows: int, left_out: int, room: int) -> int:
    """Return how many rows are shown; in little room, a row says more than that there are others: so does the title."""
    if rows + (left_out > 0) <= room:
        return rows
    return room - 1 if room >= _LITTLE else max(1, room)


def _more(n: int, what: str) -> list[Line]:
    return [Line().add(f"  and {count(n)} more {what}", Style.DIM)] if n > 0 else []


# ── one alert ─────────────────────────────────────────────────────────────────


def _alert(shown: Shown, cells: int, room: int, now: float) -> list[Line]:
    alert = shown.alert
    if alert is None:
        return []
    lines = _facts(alert, cells, shown.at(now))
    shown.down = min(shown.down, max(0, len(lines) - room))
    return lines[shown.down :]


def _facts(alert: AlertRow, cells: int, now: float) -> list[Line]:
    began = f"{clock(alert.since, now)}, {span(now - alert.since)}" if alert.since is not None else UNKNOWN
    silences = "; ".join(f"by {one.by} until {clock(one.until, now)}: {one.comment}" for one in alert.silences)
    acked = f"{alert.ack.by}, {clock(alert.ack.at, now)}" if alert.ack is not None else ""
    told = (
        ("since", began),
        ("state", state(alert) or "firing, nobody looks after it"),
        ("measured", alert.measured),
        ("errors", alert.errors),
        ("blame", alert.blame),
        ("advice", alert.advice),
        ("labels", " ".join(f"{name}={value}" for name, value in sorted(alert.labels.items()))),
        ("acked by", acked),
        ("silenced", silences),
        ("held back", alert.held_back),
        ("request ids", " ".join(alert.request_ids)),
        ("open", alert.url),
        ("fingerprint", alert.fingerprint),
    )
    lines = [Line().add(text, severity_style(alert)) for text in wrapped(harmless(alert.summary), cells)]
    lines.append(Line())
    for name, text in told:
        for i, part in enumerate(wrapped(harmless(text), cells - _TITLE)) if text else ():
            lines.append(Line().add(cell("" if i else name, _TITLE), Style.DIM).add(part))
    return lines
