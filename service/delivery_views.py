"""The outbox as people see it, and how each integration does; every function runs in the core's thread.

≠ HTTP, HTML, when something is sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from .core import Core
from .delivery import Deliverer
from .delivery.failing import Failing
from .storage import attempts, outbox, outbox_search
from .storage.attempts import Health
from .storage.outbox import Waiting
from .storage.outbox_search import LastTaken, Sent, Sought


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """One integration, and how it does.

    Attributes:
        target: "receiver/kind/index".
        known: Whether the configuration names it still.
        failing: Why it counts as failing; None if it does not.
        trouble: Its tries since it took something last; None if that was the last.
        waiting: What waits for it.
        taken: The last thing it took; None is nothing yet.
    """

    target: str
    known: bool
    failing: Failing | None
    trouble: Health | None
    waiting: Waiting
    taken: LastTaken | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbox:
    """What the page shows.

    Attributes:
        rows: Newest first.
        more: Whether there are older ones.
        integrations: Those of the configuration, then those that are gone.
        pending: How many notifications wait in all.
        firing: How many alerts fire in all.
    """

    rows: list[Sent]
    more: bool
    integrations: list[Integration]
    pending: int
    firing: int


def look(core: Core, deliverer: Deliverer, sought: Sought, *, limit: int) -> Outbox:
    """Return a part of the outbox, and all integrations."""
    connection = core.connection
    rows = outbox_search.find(connection, sought, limit=limit + 1)
    failing = {one.target: one for one in deliverer.failing()}
    names = known_targets(core, deliverer)
    return Outbox(
        rows=rows[:limit],
        more=len(rows) > limit,
        integrations=[_integration(core, name, deliverer, failing.get(name)) for name in names],
        pending=outbox.pending(connection),
        firing=len(core.notifier.state.firing),
    )


def known_targets(core: Core, deliverer: Deliverer) -> list[str]:
    """Return the integrations of the configuration, in its order, then those that the outbox still names."""
    return list(dict.fromkeys([*deliverer.integrations, *outbox_search.targets(core.connection)]))


def _integration(core: Core, target: str, deliverer: Deliverer, failing: Failing | None) -> Integration:
    return Integration(
        target=target,
        known=target in deliverer.receivers,
        failing=failing,
        trouble=attempts.health(core.connection, target),
        waiting=outbox.waiting(core.connection, target),
        taken=outbox_search.last_taken(core.connection, target),
    )
