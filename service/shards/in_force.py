"""The rules that the elected node has put in force, as the shards of a node know them.

≠ what a rule means.
"""

from __future__ import annotations

from collections.abc import Callable

from ..storage import reports
from ..storage.connecting import Connection
from ..storage.errors import EngineError

EVERY_S = 0.5
"""How often they are asked for."""


class InForce:
    """Asks for them now and then; one thread uses it."""

    def __init__(self, *, steady: Callable[[], float]) -> None:
        """Know none yet."""
        self._steady = steady
        self._text: str | None = None
        self._asked_at = float("-inf")

    def text(self, connection: Connection) -> str:
        """Return their text, of a moment ago.

        Raises:
            EngineError: There are none yet.
        """
        if self._text is None or self._steady() - self._asked_at >= EVERY_S:
            self._text = reports.rules_in_force(connection)
            self._asked_at = self._steady()
        if self._text is None:
            raise EngineError("rules: none are in force yet: a node that is elected puts them there")
        return self._text
