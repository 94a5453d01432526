"""The explorer's page: failures by filter, newest first, and when there were how many of each category.

≠ how they are found.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf, isfinite
from typing import Any
from urllib.parse import urlencode

from claxon.event import Event, to_wire
from claxon.taxonomy import Category

from ..instants import InstantError, parse_instant
from ..search.looking import Answer, Found
from ..search.places import Cursor, parse_cursor
from ..search.wanted import Outcome, Wanted
from . import axis, tally

ROWS = 50
"""Events of one page; a link leads to the older ones."""

COUNTED = 2000
"""Of the newest so many the categories are counted."""

VALUES = ("app", "environment", "model", "path", "error_type", "request_id", "call_id")
_NAMES = (*VALUES, "category", "status", "outcome", "since", "until", "alert")
_LONG = 200
_LONG_CURSOR = 200

OUTCOMES = (("", "that failed"), (Outcome.ALL.value, "that failed or not"), (Outcome.OK.value, "that succeeded"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the form asks for.

    Attributes:
        fields: As they were written, for the form to show again.
        wanted: The same as a question; what could not be understood is left out.
        after: Where the page before ended; None is the newest.
        problems: What could not be understood.
    """

    fields: dict[str, str]
    wanted: Wanted
    after: Cursor | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def query(self) -> dict[str, str]:
        """The fields that say something."""
        return {name: value for name, value in self.fields.items() if value}


def read(query: Mapping[str, str], *, now: float) -> Asked:
    """Return what a query asks for; an empty field asks for nothing."""
    fields = {name: query.get(name, "").strip()[:_LONG] for name in _NAMES}
    problems: list[str] = []
    values: dict[str, Any] = {name: fields[name] or None for name in VALUES}
    wanted = Wanted(**values)
    wanted = replace(wanted, status=_status(fields["status"], problems), category=_category(fields, problems))
    wanted = replace(wanted, outcome=_outcome(fields, wanted, problems))
    since, until = (_instant(name, fields[name], now=now, problems=problems) for name in ("since", "until"))
    if since is not None and until is not None and since > until:
        problems.append("since: after until: exchange the two")
        since = until = None
    wanted = replace(wanted, since=-inf if since is None else since, until=inf if until is None else until)
    return Asked(fields=fields, wanted=wanted, after=_cursor(query.get("cursor", ""), problems), problems=problems)


def _status(text: str, problems: list[str]) -> int | None:
    if not text:
        return None
    if text.isascii() and text.isdecimal() and len(text) == 3 and 100 <= int(text) <= 599:
        return int(text)
    problems.append(f"status: {text[:40]!r}: write a number from 100 to 599")
    return None


def _category(fields: Mapping[str, str], problems: list[str]) -> str | None:
    text = fields["category"]
    if not text or text in set(Category):
        return text or None
    problems.append(f"category: {text[:40]!r}: there is none of this name; choose one of the list")
    return None


def _outcome(fields: Mapping[str, str], wanted: Wanted, problems: list[str]) -> Outcome:
    text = fields["outcome"]
    if text and text not in set(Outcome):
        problems.append(f"outcome: {text[:40]!r}: write failed, ok or all")
        text = ""
    if text:
        return Outcome(text)
    return Outcome.OK if wanted.category == "ok" else Outcome.FAILED


def _instant(name: str, text: str, *, now: float, problems: list[str]) -> float | None:
    try:
        return parse_instant(text, now=now)
    except InstantError as fault:
        problems.append(f"{name}: {fault}")
        return None


def _cursor(text: str, problems: list[str]) -> Cursor | None:
    try:
        return parse_cursor(text[:_LONG_CURSOR]) if text else None
    except ValueError as fault:
        problems.append(f"cursor: {text[:40]!r}: {fault}; this is the newest page")
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was found.

    Attributes:
        page: The events of this page; None if they could not be looked for.
        newest: Those that are counted; None on the pages after the first.
        firing: How many alerts fire in all.
        alert: The alert behind which was looked, in words; "" is none.
        fault: Why nothing could be looked for; "" is nothing.
    """

    page: Answer | None
    newest: Answer | None
    firing: int
    alert: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One row of the table."""

    id: str
    event: Event
    fields: list[tuple[str, str]]


def context(seen: Seen, asked: Asked, *, clock: float) -> dict[str, Any]:
    """Return what the template needs."""
    page = seen.page
    return {
        "nav": "explorer",
        "now": clock,
        "firing": seen.firing,
        "asked": asked.fields,
        "alert": seen.alert,
        "problems": asked.problems,
        "fault": seen.fault,
        "filtered": bool(asked.query),
        "first_page": asked.after is None,
        "newest": urlencode(asked.query),
        "wider": urlencode({name: value for name, value in asked.query.items() if name not in ("since", "until")}),
        "call": asked.fields["call_id"] and asked.wanted.outcome is Outcome.FAILED,
        "whole_call": urlencode({"call_id": asked.fields["call_id"], "outcome": "all"}),
        "rows": [_shown(found) for found in page.found] if page is not None else [],
        "older": urlencode(asked.query | {"cursor": page.next.text()}) if page is not None and page.next else "",
        "stopped_at": page.stopped_at if page is not None else None,
        "categories": [category.value for category in Category if category is not Category.OK],
        "outcomes": OUTCOMES,
        "over_time": _over_time(seen.newest, asked.wanted, clock) if seen.newest is not None else None,
    }


def _shown(found: Found) -> Shown:
    return Shown(id=f"e-{found.offset}-{found.index}", event=found.event, fields=fields_of(found.event))


def fields_of(event: Event) -> list[tuple[str, str]]:
    """Return all that is known of an event, by name; what has parts is a line for each of them."""
    lines: list[tuple[str, str]] = []
    for name, value in to_wire(event).items():
        if isinstance(value, dict):
            lines += [(f"{name}.{part}", _text(one)) for part, one in value.items()]
        else:
            lines.append((name, _text(value)))
    if event.provisional:
        lines.append(("provisional", "true: a later attempt of its call may have taken it back"))
    return lines


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _over_time(answer: Answer, wanted: Wanted, clock: float) -> dict[str, Any] | None:
    events = [found.event for found in answer.found]
    if not events:
        return None
    oldest, newest = min(event.at for event in events), max(event.at for event in events)
    # What lies before the oldest that was counted is not known.
    whole = answer.next is None
    left = max(0.0, wanted.since) if whole and isfinite(wanted.since) else oldest
    over = axis.fit(left, max(min(wanted.until, clock), newest))
    return {"rows": tally.over_time(events, over), "axis": over, "n": len(events), "whole": whole}
