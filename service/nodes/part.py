"""A part of a node: what it does whether or not it is elected, such as to take events, or to deliver.

≠ what the elected one does alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from fastapi import FastAPI

from ..metrics.exposition import Family
from ..roles import Role

if TYPE_CHECKING:
    from ..app import Service


class Part(Protocol):
    """All of it runs on the node's event loop."""

    @property
    def role(self) -> Role:
        """Which of the node's roles it is."""

    def install(self, app: FastAPI) -> None:
        """Add what it answers to the application that is on while the node is not elected."""

    async def start(self) -> None:
        """Begin; the database need not be there."""

    def families(self) -> Iterable[Family]:
        """Return what it counts, for a node that is not elected."""

    def unready(self) -> str:
        """Return why it cannot work now; "" if it can."""

    async def lead(self, service: Service) -> None:
        """Take note that this node is elected: its service has just begun."""

    async def stop(self) -> None:
        """End; of an elected node's service before the service does."""
