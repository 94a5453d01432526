"""The failures behind one alert, looked for in a moment, and once for all who look at its page.

≠ how they are found, HTML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from claxon.event import Event

from ..pages.alert import Behind
from ..pages.around import stretch
from ..search.asking import Busy
from ..search.behind import narrowed
from ..search.looking import Answer
from ..search.scanning import UnreadableRow
from ..search.wanted import Wanted
from ..storage.database import StorageError
from ..storage.errors import DatabaseError
from ..views import AlertPage

if TYPE_CHECKING:
    from ..app import Service

COUNTED = 2000
"""Of the newest so many is said what they have in common."""

LOOK_S = 0.25
"""An alert's page is shown without them rather than late."""

_TURN_S = 0.5

_UNREAD = "The log cannot be read now; the rest of this page is true."
_BUSY = "Others search; reload after a second. The rest of this page is true."


async def failures_behind(service: Service, page: AlertPage, *, clock: float) -> Behind | None:
    """Return the failures behind an alert; None of one that somebody posted, for what is behind that is not known."""
    if page.rule is None:
        return None
    alert = page.current.alert

    async def find() -> Behind:
        return await _find(service, page, clock=clock)

    name = ("behind", alert.fingerprint, alert.episode)
    found: Behind = await service.shared.ask(name, find)
    return found


async def _find(service: Service, page: AlertPage, *, clock: float) -> Behind:
    alert, rule = page.current.alert, page.rule
    assert rule is not None
    axis = stretch(alert, rule, now=clock)
    wanted = narrowed(Wanted(), alert, rule)
    try:
        newest = await _ask(service, wanted)
        near = await _ask(service, replace(wanted, since=axis.start, until=axis.end))
    except Busy:
        return Behind(axis=axis, fault=_BUSY)
    except (DatabaseError, StorageError, UnreadableRow):
        return Behind(axis=axis, fault=_UNREAD)
    return Behind(
        newest=_events(newest),
        more=newest.next is not None,
        near=_events(near),
        whole=near.next is None,
        axis=axis,
    )


async def _ask(service: Service, wanted: Wanted) -> Answer:
    return await service.searcher.ask(wanted, limit=COUNTED, at_most_s=LOOK_S, patience_s=_TURN_S)


def _events(answer: Answer) -> Sequence[Event]:
    return [found.event for found in answer.found]
