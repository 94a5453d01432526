"""Places: where a search goes on. A cursor says it, and people hand it back as it is.

≠ what was asked.
"""

from __future__ import annotations

import base64
import binascii
from math import inf
from typing import TypeAlias

import msgspec

Place: TypeAlias = tuple[float, int, int]
"""An event's instant, its row of the log, its index there: what failures are ordered by."""

START: Place = (inf, 2**62, 0)
"""Before the newest."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Where the next page begins.

    Attributes:
        at: The instant of the last event that was shown; None once the log is read row by row.
        offset: Its row of the log.
        index: Its place there.
        unindexed: Up to which row the index held nothing when the search began: what is added later is not shown twice.
    """

    at: float | None
    offset: int
    index: int
    unindexed: int

    def text(self) -> str:
        """Return it as people get it."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")


def parse_cursor(text: str) -> Cursor:
    """Return the cursor that a text says.

    Raises:
        ValueError: It says none.
    """
    try:
        said = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        return msgspec.json.decode(said, type=Cursor)
    except (binascii.Error, UnicodeError, msgspec.MsgspecError) as fault:
        raise ValueError("not a cursor: send `next` of the page before as it was") from fault
