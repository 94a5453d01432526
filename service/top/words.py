"""The words of a screen: an alert's state, a pace, a budget, Claxon itself.

≠ where they stand.
"""

from __future__ import annotations

from ..pages.format import UNKNOWN, count, percent, span
from .cells import Style, cut, harmless, width
from .view import AlertRow, ClaxonView, ModelRow

_HINT = 2
"""Cells of " …"."""


def place(app: str, environment: str) -> str:
    """Return app/environment; an app without a name is a dash."""
    return harmless(f"{app or UNKNOWN}/{environment}" if environment else app or UNKNOWN)


def pace(per_s: float | None) -> str:
    """Return a pace: 0.25, 12.3, 1,204."""
    if per_s is None:
        return UNKNOWN
    if per_s >= 100:
        return f"{per_s:,.0f}" if per_s < 99_999 else few(per_s)
    return f"{per_s:.1f}" if per_s >= 10 else f"{per_s:.2f}"


def few(n: float) -> str:
    """Return a number in four cells at most: 999, 1.2k, 45k, 3.1M. A number that is cut says another one."""
    for unit in ("", "k", "M", "G"):
        if n < 999.5 or unit == "G":
            return f"{n:.1f}{unit}" if unit and n < 9.95 else f"{n:.0f}{unit}"
        n /= 1000
    return ""


def held(seconds: float) -> str:
    """Return a time in four cells: 231s, 38m, 5h."""
    for size, unit in ((1, "s"), (60, "m"), (3600, "h")):
        if seconds / size < 999.5:
            return f"{seconds / size:.0f}{unit}"
    return f"{few(seconds / 86_400)}d"


def left(share: float | None) -> str:
    """Return what is left of a budget; never more digits than fit."""
    if share is None:
        return UNKNOWN
    return "<-999 %" if share < -9.99 else percent(share)


def errors(row: ModelRow, cells: int) -> str:
    """Return failures by category, most first, in so many cells: numbers are whole, and an ellipsis is for the rest."""
    said: list[str] = []
    for i, (category, n) in enumerate(row.errors.items()):
        room = cells - (_HINT if i < len(row.errors) - 1 else 0)
        name, number = harmless(category), count(n)
        if not said:
            name = cut(name, max(1, room - len(number) - 1))
        elif width(" ".join([*said, name, number])) > room:
            return " ".join([*said, "…"])
        said.append(f"{name} {number}")
    return " ".join(said)


def state(alert: AlertRow) -> str:
    """Return what became of an alert beside firing; "" is nothing."""
    found = []
    if alert.state == "pending":
        found.append("pending")
    if alert.ack is not None:
        found.append(f"acked by {harmless(alert.ack.by)}")
    if alert.silences:
        found.append("silenced")
    kind = alert.held_back.partition(" ")[0]
    if kind and kind != "silenced":
        found.append({"inhibited": "held back"}.get(kind, harmless(kind)))
    return ", ".join(found)


def severity_style(alert: AlertRow) -> Style:
    """Return how an alert looks: what nobody has to look at is dim."""
    if state(alert):
        return Style.DIM
    return Style.RED if alert.severity == "page" else Style.YELLOW


def standing(claxon: ClaxonView, now: float) -> list[tuple[str, Style]]:
    """Return how Claxon is, the most important first."""
    found = [("READY", Style.GREEN)] if claxon.ready else [(f"NOT READY: {harmless(claxon.fault)}", Style.RED)]
    if claxon.blind:
        found.append(("BLIND", Style.RED))
    late = claxon.lag_s is not None and claxon.lag_s > 5
    lag = f"{claxon.lag_s:.1f} s" if claxon.lag_s is not None else UNKNOWN
    found.append((f"lag {lag}", Style.RED if late else Style.PLAIN))
    found.append((f"{pace(claxon.events_per_s)} events/s", Style.PLAIN))
    found.append((f"outbox {count(claxon.outbox)}", Style.YELLOW if claxon.outbox else Style.PLAIN))
    found.append((f"queue {count(claxon.queue)}", Style.PLAIN))
    found.append((f"up {span(now - claxon.started_at)}", Style.PLAIN))
    if claxon.silences:
        found.append((f"silences {count(claxon.silences)}", Style.YELLOW))
    return found
