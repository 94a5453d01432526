"""The last 7 days as strips: one row an app, a bar wherever an alert of it fired.

≠ HTML, which alerts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor

from ..storage.episodes import Stretch
from .axis import HEIGHT, Axis
from .format import count, span

DAYS = 7
MOST = 12
"""Apps that have a row; the others share one."""

_HOUR_S = 3600
_LEAST = 0.7  # of an hour: what was short can be seen
_TICKET = 55.0  # a ticket's bar is lower: never colour alone


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """One row.

    Attributes:
        app: "" are the apps that have no row of their own, where `others` says how many.
        others: 0 for a row of one app.
        n: How many alerts fired.
        pages: Path of the pages' bars.
        rest: Path of the others' bars.
        words: The same for those who do not see it.
    """

    app: str
    environment: str
    others: int
    n: int
    pages: str
    rest: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """All rows, and what they are drawn over."""

    axis: Axis
    strips: tuple[Strip, ...]


def draw(stretches: Iterable[Stretch], *, now: float) -> Week:
    """Return the strips up to the present hour; the apps with most alerts first."""
    hours = DAYS * 24
    axis = Axis(start=float((floor(now / _HOUR_S) + 1 - hours) * _HOUR_S), step_s=_HOUR_S, n=hours)
    by_app: dict[tuple[str, str], list[Stretch]] = {}
    for one in stretches:
        if one.fired_at <= now and (one.ended_at is None or one.ended_at >= axis.start):
            by_app.setdefault((one.app, one.environment), []).append(one)
    ranked = sorted(by_app, key=lambda key: (-len(by_app[key]), key))
    if len(ranked) > MOST:
        shown, rest = ranked[: MOST - 1], ranked[MOST - 1 :]
    else:
        shown, rest = ranked, []
    strips = [_strip(*key, by_app[key], axis, now=now) for key in shown]
    if rest:
        together = [one for key in rest for one in by_app[key]]
        strips.append(_strip("", "", together, axis, now=now, others=len(rest)))
    return Week(axis=axis, strips=tuple(strips))


def _strip(app: str, environment: str, found: list[Stretch], axis: Axis, *, now: float, others: int = 0) -> Strip:
    pages = [one for one in found if one.severity in ("page", "")]
    rest = [one for one in found if one.severity not in ("page", "")]
    longest = max((one.ended_at or now) - one.fired_at for one in found)
    firing = sum(one.ended_at is None for one in found)
    words = f"{_many(len(pages), 'page')}, {_many(len(rest), 'other')} in 7 days, the longest {span(longest)}"
    return Strip(
        app=app,
        environment=environment,
        others=others,
        n=len(found),
        pages=_bars(pages, axis, now=now, top=0.0),
        rest=_bars(rest, axis, now=now, top=_TICKET),
        words=words + (f"; {count(firing)} still firing" if firing else ""),
    )


def _many(n: int, word: str) -> str:
    return f"{count(n)} {word}{'' if n == 1 else 's'}"


def _bars(found: list[Stretch], axis: Axis, *, now: float, top: float) -> str:
    """Return the path of some stretches; those that touch are one bar."""
    merged: list[list[float]] = []
    for one in sorted(found, key=lambda one: one.fired_at):
        left = max(0.0, axis.place(one.fired_at))
        right = min(float(axis.n), max(axis.place(min(one.ended_at or now, now)), left + _LEAST))
        if merged and left <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], right)
        else:
            merged.append([left, right])
    return "".join(f"M{left:g} {HEIGHT:g}V{top:g}H{right:g}V{HEIGHT:g}z" for left, right in merged)
