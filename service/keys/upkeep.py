"""What is done for keys now and then, in the core's thread: their use is noted, what is old is forgotten.

≠ when.
"""

from __future__ import annotations

from ..storage import audit
from ..storage import keys as rows
from ..storage.connecting import Connection
from ..storage.database import Transaction
from .in_force import Keys

KEEP_DEAD_S = 30 * 86_400.0
"""How long a key is listed after its end."""

KEEP_USES_S = 365 * 86_400.0
KEEP_AUDIT_S = 365 * 86_400.0


def note_uses(connection: Connection, keys: Keys) -> None:
    """Write when keys were used last; nothing where none was since."""
    known = rows.uses(connection)
    # In an order that all nodes have: two of them may write the same keys.
    newer = {digest: at for digest, at in sorted(keys.uses().items()) if at > known.get(digest, 0.0)}
    if newer:
        with Transaction(connection):
            rows.note_uses(connection, newer)


def prune(connection: Connection, *, now: float) -> None:
    """Forget keys that are long dead, and what is too old in the audit log."""
    with Transaction(connection):
        rows.prune(connection, before=now - KEEP_DEAD_S, uses_before=now - KEEP_USES_S)
        audit.prune(connection, before=now - KEEP_AUDIT_S)
