"""The page behind a signed link: what fires, who looks after it, one button.

Whoever has the link was told of the alert. They may have no key, so the page says what the message said, and no more.

≠ HTTP, how a link is signed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ..core import Core
from ..links import Link
from ..views import AlertView, Views
from . import gather


class Stands(StrEnum):
    """How the episode stands that a link is for."""

    FIRES = "fires"
    OVER = "over"
    FIRES_AGAIN = "fires again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a link's page shows.

    Attributes:
        view: The alert as it is, or was last.
        stands: How the episode of the link stands.
        speaks_for: Names of the alerts that fire still, and whose page this one's is.
        firing: How many alerts fire in all.
    """

    view: AlertView
    stands: Stands
    speaks_for: list[str]
    firing: int


def look(core: Core, views: Views, *, link: Link) -> Found | None:
    """Return what a link's page shows; None for an alert that nobody remembers. Runs in the core's thread."""
    found = gather.one(core, views, fingerprint=link.fingerprint)
    if found is None:
        return None
    view = found.page.current
    fires = view.state == "firing"
    stands = Stands.FIRES if fires else Stands.OVER
    if view.alert.episode != link.episode:
        stands = Stands.FIRES_AGAIN if fires else Stands.OVER
        view = next((v for v in found.page.episodes if v.alert.episode == link.episode), view)
    return Found(view=view, stands=stands, speaks_for=[name for _, name in found.holds_back], firing=found.firing)


def context(found: Found, *, clock: float, token: str) -> dict[str, Any]:
    """Return what the template needs."""
    return {
        "now": clock,
        "firing": found.firing,
        "view": found.view,
        "stands": found.stands.value,
        "speaks_for": found.speaks_for,
        "token": token,
    }
