"""The delivery's page: what waits, what was sent, each try and what the receiver answered.

≠ how it was gathered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from ..delivery_views import Integration, Outbox
from ..storage.outbox_search import STATES, Sought
from ..targets import receiver_of
from .words import delivery_words

ROWS = 50
"""Rows of one page; a link leads to the older ones."""

_LONG = 128
_NAMES = ("receiver", "outcome", "alert")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the form asks for.

    Attributes:
        fields: As they were written, for the form to show again.
        sought: The same as a question; what could not be understood is left out.
        problems: What could not be understood.
    """

    fields: dict[str, str]
    sought: Sought
    problems: list[str] = field(default_factory=list)

    @property
    def query(self) -> dict[str, str]:
        """The fields that say something."""
        return {name: value for name, value in self.fields.items() if value}


def read(query: Mapping[str, str], *, targets: list[str]) -> Asked:
    """Return what a query asks for; an empty field asks for nothing.

    Args:
        query: Of the address.
        targets: The integrations that there are, or were.
    """
    fields = {name: query.get(name, "").strip()[:_LONG] for name in _NAMES}
    problems: list[str] = []
    chosen: tuple[str, ...] | None = None
    if receiver := fields["receiver"]:
        chosen = tuple(name for name in targets if receiver in (name, receiver_of(name))) or None
        if chosen is None:
            problems.append(f"receiver: {receiver[:40]!r}: there is none of this name, and never was")
    state = fields["outcome"] or None
    if state is not None and state not in STATES:
        problems.append(f"outcome: {state[:40]!r}: write one of {', '.join(STATES)}")
        state = None
    before = _before(query.get("before", "").strip(), problems)
    sought = Sought(targets=chosen, state=state, fingerprint=fields["alert"] or None, before=before)
    return Asked(fields=fields, sought=sought, problems=problems)


def _before(text: str, problems: list[str]) -> int | None:
    if not text:
        return None
    if text.isascii() and text.isdecimal() and len(text) < 18:
        return int(text)
    problems.append(f"before: {text[:40]!r}: not the number of a row; this is the newest page")
    return None


def context(found: Outbox, asked: Asked, *, places: Mapping[str, str], clock: float) -> dict[str, Any]:
    """Return what the template needs."""
    return {
        "nav": "delivery",
        "now": clock,
        "firing": found.firing,
        "pending": found.pending,
        "failing": sum(one.failing is not None for one in found.integrations),
        "integrations": found.integrations,
        "places": places,
        "health": health,
        "rows": found.rows,
        "asked": asked.fields,
        "problems": asked.problems,
        "filtered": bool(asked.query),
        "first_page": asked.sought.before is None,
        "newest": urlencode(asked.query),
        "older": urlencode(asked.query | {"before": str(found.rows[-1].id)}) if found.more else "",
        "receivers": _choices(found.integrations),
        "outcomes": [(state, delivery_words(state)) for state in STATES],
    }


def health(one: Integration) -> tuple[str, str]:
    """Return how an integration does: the class of its colour, and words."""
    if one.failing is not None:
        return "failed", "failing"
    if one.trouble is not None:
        return "pending", "its last try failed"
    if not one.known:
        return "gone", "not in the configuration"
    return ("delivered", "works") if one.taken is not None else ("unused", "nothing sent yet")


def _choices(integrations: list[Integration]) -> list[str]:
    """Return what the form offers: each receiver, and each integration of those that have several."""
    by_receiver: dict[str, list[str]] = {}
    for one in integrations:
        by_receiver.setdefault(receiver_of(one.target), []).append(one.target)
    choices: list[str] = []
    for receiver, targets in by_receiver.items():
        choices += [receiver, *(targets if len(targets) > 1 else [])]
    return choices
