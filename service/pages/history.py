"""The history's page: what fired and how it ended, and the questions one may ask of it.

≠ how it was gathered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any
from urllib.parse import urlencode

from alerts.decisions import What

from ..history import Found, Past
from ..instants import InstantError, parse_instant
from ..reasons import reason
from ..storage.episodes import Place, Sought
from . import week
from .words import decision_words

ROWS = 50
"""Episodes of one page; a link leads to the older ones."""

SEVERITIES = ("page", "ticket")

_NAMES = ("app", "environment", "rule", "severity", "since", "until")
_LONG = 200
_FINGERPRINT = re.compile(r" [0-9a-f]{16}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the form asks for.

    Attributes:
        fields: As they were written, for the form to show again.
        sought: The same as a question; what could not be understood is left out.
        before: Where the page before ended; None is the newest.
        problems: What could not be understood.
    """

    fields: dict[str, str]
    sought: Sought
    before: Place | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def query(self) -> dict[str, str]:
        """The fields that say something."""
        return {name: value for name, value in self.fields.items() if value}


def read(query: Mapping[str, str], *, now: float) -> Asked:
    """Return what a query asks for; an empty field asks for nothing."""
    fields = {name: query.get(name, "").strip()[:_LONG] for name in _NAMES}
    problems: list[str] = []
    since, until = (_instant(name, fields[name], now=now, problems=problems) for name in ("since", "until"))
    if since is not None and until is not None and since > until:
        problems.append("since: after until: exchange the two")
        since = until = None
    sought = Sought(
        app=fields["app"] or None,
        environment=fields["environment"] or None,
        rule=fields["rule"] or None,
        severity=fields["severity"] or None,
        since=since,
        until=until,
    )
    return Asked(fields=fields, sought=sought, before=_before(query.get("cursor", ""), problems), problems=problems)


def _instant(name: str, text: str, *, now: float, problems: list[str]) -> float | None:
    try:
        return parse_instant(text, now=now)
    except InstantError as fault:
        problems.append(f"{name}: {fault}")
        return None


def cursor(place: Place) -> str:
    """Return a place as a query has it."""
    return f"{place[0]!r}_{place[1]}_{place[2]}"


def _before(text: str, problems: list[str]) -> Place | None:
    if not text:
        return None
    try:
        at, fingerprint, episode = text[:_LONG].split("_")
        found = (float(at), fingerprint, int(episode))
        # SQLite's integers end there.
        if not isfinite(found[0]) or not 0 <= found[2] < 2**63:
            raise ValueError
    except ValueError:
        problems.append(f"cursor: {text[:40]!r}: not one of ours; this is the newest page")
        return None
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One row of the table.

    Attributes:
        summary: What it was, in one line.
        peak: What it came to at its worst.
        end: Why it ended; "" while it fires.
        nobody: Why nobody was told; "" where somebody was, or nothing says why.
        held_by: The fingerprint of the alert that held it back; "" is none.
        known: Whether its rule is known, and its page there.
    """

    past: Past
    summary: str
    peak: str
    end: str
    nobody: str
    held_by: str
    known: bool


def context(found: Found | None, asked: Asked, *, firing: int, clock: float, fault: str = "") -> dict[str, Any]:
    """Return what the template needs; `found` is None where the history could not be read."""
    rows = [_shown(past) for past in found.rows] if found is not None else []
    more = found is not None and found.more
    return {
        "nav": "history",
        "now": clock,
        "firing": firing,
        "fault": fault,
        "problems": asked.problems,
        "asked": asked.fields,
        "severities": _severities(asked.fields["severity"]),
        "filtered": bool(asked.query),
        "first_page": asked.before is None,
        "newest": urlencode(asked.query),
        "older": urlencode(asked.query | {"cursor": cursor(found.rows[-1].place)}) if found and more else "",
        "rows": rows,
        "week": week.draw(found.week, now=clock) if found is not None else None,
        "cut": found is not None and found.cut,
    }


def _severities(asked: str) -> Sequence[str]:
    return SEVERITIES if asked in ("", *SEVERITIES) else (*SEVERITIES, asked)


def _shown(past: Past) -> Shown:
    said, alert = past.said, past.alert
    nobody = held_by = ""
    if not past.told and past.held is not None:
        why = past.held.note
        nobody = f"{decision_words(past.held.what)} {why}" if why else reason(past.held)
        if past.held.what is What.INHIBITED and (named := _FINGERPRINT.search(nobody)):
            held_by, nobody = named[0].strip(), nobody.replace(named[0], "")
    return Shown(
        past=past,
        summary=said.summary if said is not None else alert.labels.get("alertname", "an alert without a name"),
        peak=said.measured if said is not None else "",
        end=said.resolve_reason if said is not None else alert.resolve_reason,
        nobody=nobody,
        held_by=held_by,
        known=said is not None,
    )
