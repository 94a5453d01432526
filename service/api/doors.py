"""What the ways in use of a service, or of an ingest node.

≠ what a body says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..intake import Intake
from ..keys.in_force import Keys
from ..rejects import Rejects
from ..work import Taker
from .bodies import Budget


class Doors(Protocol):
    """The parts behind the doors; a request finds them as `app.state.service`."""

    @property
    def taker(self) -> Taker:
        """Who takes batches."""

    @property
    def keys(self) -> Keys:
        """The keys in force."""

    @property
    def bodies(self) -> Budget:
        """How much of bodies may be held."""

    @property
    def intake(self) -> Intake:
        """What is counted."""

    @property
    def rejects(self) -> Rejects:
        """What is kept of what was refused."""

    @property
    def clock(self) -> Callable[[], float]:
        """Unix seconds."""
