"""The outbox's rows of one fire drill, and what came of them.

≠ what a drill is.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from alerts.notification import Status

from . import attempts
from .attempts import Attempt
from .connecting import Connection

_ROWS = """
SELECT id, status, state, created_at, ended_at, answer, merged_into FROM outbox
WHERE target = ? AND dedup_key = ? AND origin = '' ORDER BY id
"""


class DrillRow(msgspec.Struct, frozen=True, kw_only=True):
    """One message to one integration.

    Attributes:
        target: "receiver/kind/index".
        status: firing or resolved.
        state: pending, delivered, failed or cancelled.
        created_at: Unix seconds.
        ended_at: Unix seconds; None while it waits.
        answer: What was heard last.
        last: The last try; None if it was not tried, or went with another message.
    """

    target: str
    status: Status
    state: str
    created_at: float
    ended_at: float | None
    answer: str
    last: Attempt | None


def rows(connection: Connection, targets: Iterable[str], dedup_key: str) -> list[DrillRow]:
    """Return the rows of these integrations under a key, in order."""
    found: list[DrillRow] = []
    for target in targets:
        for row, status, state, created_at, ended_at, answer, merged_into in connection.execute(
            _ROWS, (target, dedup_key)
        ):
            carrier = merged_into or row
            tries = attempts.of_rows(connection, [carrier])[carrier]
            found.append(
                DrillRow(
                    target=target,
                    status=Status(status),
                    state=state,
                    created_at=created_at,
                    ended_at=ended_at,
                    answer=answer,
                    last=tries[-1] if tries else None,
                )
            )
    return found
