"""RejectLog: what waits in memory -> the database, once a second; and what is there, for whoever asks.

≠ HTTP, why anything is refused.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import structlog

from .core import Core
from .intake import Intake
from .rejects import Reject, Rejects
from .storage import rejects as rows
from .storage.database import Transaction
from .storage.errors import DatabaseError

_log = structlog.get_logger(__name__)
_ENCODER = msgspec.json.Encoder()


class RejectLog:
    """Writes and reads in the core's thread."""

    def __init__(self, core: Core, waiting: Rejects, intake: Intake, *, clock: Callable[[], float]) -> None:
        self._core = core
        self._waiting = waiting
        self._intake = intake
        self._clock = clock

    def write(self) -> None:
        """Write what waits, in one transaction; what cannot be written is not kept, and is counted."""
        if not self._waiting:
            return
        taken = self._waiting.take()
        try:
            with Transaction(self._core.connection):
                rows.add(self._core.connection, map(row_of, taken), now=self._clock())
        except DatabaseError as fault:
            self._intake.unkept += len(taken)
            _log.warning("rejects.unwritten", count=len(taken), error=str(fault))

    def find(self, *, app: str | None, since: float | None, limit: int) -> bytes:
        """Return {"rejects": [...]} as JSON, newest first, with those that waited."""
        self.write()
        oldest = self._clock() - rows.MAX_AGE_S
        found = rows.find(self._core.connection, app=app, since=max(since or oldest, oldest), limit=limit)
        return b'{"rejects":[' + ",".join(_numbered(number, row) for number, row in found).encode() + b"]}"


def row_of(reject: Reject) -> tuple[float, str, str]:
    """Return a reject as it is kept: at, app, JSON."""
    return reject.at, reject.app, _ENCODER.encode(reject).decode()


def _numbered(number: int, row: str) -> str:
    return f'{{"number":{number},{row[1:]}'
