"""Elsewhere: what other nodes deliver, as the elected one sees it. In the core's thread.

≠ what is delivered here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..storage import attempts, deliverers
from ..storage.connecting import Connection


class Elsewhere:
    """Looks at what others wrote.

    Attributes:
        news: How often there was something new.
    """

    def __init__(self, connection: Connection, targets: Callable[[], Iterable[str]]) -> None:
        """Take the parts over.

        Args:
            connection: The database; where one process does all, there is no other.
            targets: The integrations of the configuration.
        """
        self.news = 0
        self._connection = connection
        self._targets = targets
        self._newest = 0
        self._nodes = 0

    def look(self) -> None:
        """See who delivers, and whether anybody has tried to deliver anything since."""
        self._nodes = len(deliverers.delivering(self._connection) or ())
        newest = attempts.newest(self._connection)
        if newest != self._newest:
            self._newest = newest
            self.news += 1

    @property
    def nodes(self) -> int:
        """How many nodes deliver, as it was looked at last."""
        return self._nodes

    def trouble(self) -> str:
        """Return why something may wait that nobody sends; "" where every integration is some node's."""
        found = deliverers.delivering(self._connection)
        if found is None:
            return ""
        if not found:
            return "no node delivers: start one by `claxon serve --role deliver`"
        known = {target for one in found for target in one.targets}
        lacks = [target for target in self._targets() if target not in known]
        return f"no node that delivers knows {', '.join(lacks)}: give them this configuration" if lacks else ""
