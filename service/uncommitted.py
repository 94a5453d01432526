"""What was decided and no transaction holds yet.

≠ when it is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from alerts.decisions import Decision, Transition
from alerts.lifecycle import Change
from alerts.notification import Notification

from .audit import Entry
from .storage import audit, ledger, outbox, state
from .storage.connecting import Connection
from .storage.deciding import decide

DELIVER_FOR_S = 86_400.0
"""How long a notification is tried."""

_AT_ONCE = frozenset({Change.FIRED, Change.RESOLVED})


@dataclass(slots=True)
class Uncommitted:
    """Rows of the ledger may wait for the next commit; state changes and notifications never do.

    Attributes:
        audit: Who changed what; written with the rest, and one list for good.
        targets: The integrations for which `write` added something.
    """

    decisions: list[Decision] = field(default_factory=list)
    changed: list[Transition] = field(default_factory=list)
    to_tell: list[Notification] = field(default_factory=list)
    audit: list[Entry] = field(default_factory=list)
    targets: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self.decisions or self.changed or self.to_tell or self.audit)

    @property
    def urgent(self) -> bool:
        """Whether it must be committed now; a replay would decide the rest again."""
        return bool(self.to_tell) or any(t.change in _AT_ONCE for t in self.changed)

    def add(
        self,
        *,
        decisions: Iterable[Decision] = (),
        changed: Iterable[Transition] = (),
        to_tell: Iterable[Notification] = (),
    ) -> None:
        """Add what was just decided."""
        self.decisions += decisions
        self.changed += changed
        self.to_tell += to_tell

    def write(self, connection: Connection, targets: Callable[[Notification], list[str]], *, now: float) -> int:
        """Write it all inside the caller's transaction; return how many rows the ledger got."""
        for transition in self.changed:
            if transition.alert.episode:
                state.save_episode(connection, transition.alert)
        decide(connection, [notification.dedup_key for notification in self.to_tell])
        for notification in self.to_tell:
            for target in targets(notification):
                self.targets.add(target)
                outbox.add(connection, target, notification, deadline=now + DELIVER_FOR_S)
        audit.add(connection, self.audit)
        return ledger.add(connection, self.decisions)

    def clear(self) -> None:
        """Forget it, for it is committed."""
        self.decisions, self.changed, self.to_tell, self.targets = [], [], [], set()
        self.audit.clear()
