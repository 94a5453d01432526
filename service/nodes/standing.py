"""Standing: what a node knows of itself and of the election, for those who ask it.

≠ how an election goes, HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from ..roles import READY, STANDBY, Role
from .part import Part


class Stage(StrEnum):
    """How far a node is."""

    WAITING = "waiting"
    STARTING = "starting"
    ELECTED = "elected"


@dataclass(slots=True)
class Standing:
    """Changed by the node alone.

    Attributes:
        roles: The node's.
        parts: What it does whether or not it is elected.
        stage: How far it is on its way to be the elected one.
        why: What is wrong with the database; "" while nothing is.
        elected: Where the elected node is found; "" while nobody knows.
    """

    roles: frozenset[Role]
    parts: Sequence[Part] = ()
    stage: Stage = Stage.WAITING
    why: str = "the database was not asked yet"
    elected: str = ""

    def by_role(self, service_unready: str = "") -> dict[str, str]:
        """Return of each role `ready`, `standby`, or why it cannot work.

        Args:
            service_unready: Why the elected one's service takes nothing; "" where it does, or there is none.
        """
        said = {part.role: part.unready() or READY for part in self.parts}
        rest = service_unready or self._rest
        return {role.value: said.get(role, rest) for role in Role if role in self.roles}

    @property
    def _rest(self) -> str:
        if self.stage is Stage.ELECTED:
            return READY
        if self.stage is Stage.STARTING:
            return "it was elected, and reads what was before: in a moment"
        return self.why or STANDBY
