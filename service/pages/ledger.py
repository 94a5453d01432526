"""The ledger's page: what was decided, told or not, and the questions one may ask of it.

≠ how it was gathered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from alerts.decisions import What

from ..instants import InstantError, parse_instant
from ..storage.ledger import Wanted
from .gather import Ledger
from .words import decision_words

ROWS = 200
"""Rows of one page; a link leads to the older ones."""

_LONG = 128
_NAMES = ("app", "what", "subject", "environment", "rule", "since", "until")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the form asks for.

    Attributes:
        fields: As they were written, for the form to show again.
        wanted: The same as a question to the ledger.
        problem: What could not be understood; "" is nothing.
    """

    fields: dict[str, str]
    wanted: Wanted
    problem: str


def read(query: Mapping[str, str], *, now: float) -> Asked:
    """Return what a query asks for; an empty field asks for nothing."""
    fields = {name: query.get(name, "").strip()[:_LONG] for name in _NAMES}
    problem = ""
    times: dict[str, float | None] = {"since": None, "until": None}
    for name in times:
        try:
            times[name] = parse_instant(fields[name], now=now)
        except InstantError as fault:
            problem = f"{name}: {fault}"
    wanted = Wanted(
        app=fields["app"] or None,
        what=fields["what"] or None,
        subject=fields["subject"] or None,
        environment=fields["environment"] or None,
        rule=fields["rule"] or None,
        since=times["since"],
        until=times["until"],
    )
    return Asked(fields=fields, wanted=wanted, problem=problem)


def context(found: Ledger, asked: Asked, *, clock: float) -> dict[str, Any]:
    """Return what the template needs."""
    return {
        "nav": "ledger",
        "now": clock,
        "firing": found.firing,
        "rows": found.rows,
        "asked": asked.fields,
        "problem": asked.problem,
        "filtered": any(asked.fields.values()),
        "whats": [(what.value, decision_words(what)) for what in What],
        "older": _older(found, asked),
        "hash": found.hash,
        "decisions": found.decisions,
    }


def _older(found: Ledger, asked: Asked) -> str:
    """Return the query of the page before this one in time; "" if there is none."""
    if not found.more:
        return ""
    # Rows of one instant may lie on both sides of the edge: better twice than not at all.
    newest, oldest = found.rows[0].at, found.rows[-1].at
    until = oldest + 1e-6 if newest > oldest else oldest
    fields = {name: value for name, value in asked.fields.items() if value} | {"until": repr(until)}
    return urlencode(fields)
