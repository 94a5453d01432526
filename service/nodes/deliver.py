"""The part of a node that delivers, elected or not: it sends what the outbox holds, beside others that do.

≠ what is decided: whoever is elected does that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI

from ..config_file import ConfigFileError, Loaded, load_config
from ..delivery import Deliverer
from ..difference import receivers_to_use
from ..metrics.exposition import Family
from ..metrics.leases import LeaseSample
from ..roles import Role
from ..settings import Settings
from ..storage.database import open_beside
from ..web import reload_on_hangup
from .deliver_metrics import families
from .delivery_office import DeliveryOffice

if TYPE_CHECKING:
    from ..app import Service

DRAIN_S = 8.0
"""How long a node that ends waits for what is on its way; what is not answered by then another one sends again."""

ELECTED_DRAIN_S = 3.0
"""How long the elected one does: nobody else is elected before it has ended."""

_log = structlog.get_logger(__name__)


class DeliverPart:
    """Delivers from its start to its end.

    Attributes:
        office: Has the outbox.
        deliverer: Sends.
    """

    role = Role.DELIVER

    def __init__(self, settings: Settings, loaded: Loaded) -> None:
        """Take the settings over.

        Args:
            settings: Of this run.
            loaded: The configuration, with the receivers.
        """
        self._settings = settings
        self._loaded = loaded
        self._one_at_a_time = asyncio.Lock()
        self._drain_s = DRAIN_S
        self._stop_listening: Callable[[], None] = lambda: None
        self.office = DeliveryOffice(
            lambda: open_beside(settings.data),
            node=settings.address,
            targets=lambda: self.deliverer.integrations,
        )
        self.deliverer = Deliverer(
            self.office, loaded.receivers, clock=self.office.clock, fallback=loaded.config.fallback_receiver
        )

    def install(self, app: FastAPI) -> None:
        """Add nothing."""

    def families(self) -> Iterator[Family]:
        """Return what is counted here."""
        return families(self.deliverer, self._sample())

    def _sample(self) -> LeaseSample:
        leases = self.office.leases
        return LeaseSample(nodes=leases.nodes, held=len(leases.held), lost=leases.lost, away=bool(self.office.why))

    async def start(self) -> None:
        """Begin; the database need not be there."""
        self.office.start()
        self.deliverer.start()
        self._stop_listening = reload_on_hangup(self)

    def unready(self) -> str:
        """Return why nothing can be sent now; "" if it can."""
        if self.office.why:
            return self.office.why
        return "" if self.office.alive and self.deliverer.alive else "a worker has ended: restart Claxon"

    async def lead(self, service: Service) -> None:
        """Take note that this node is elected: it is told at once of what there is to send."""
        self._drain_s = ELECTED_DRAIN_S
        await self.reload()
        service.metrics.leases = self._sample
        service.deliverer.count_by(self.deliverer.deliveries)
        service.core.on_outbox = self.office.on_outbox
        service.configuration.on_reloaded = self.reload

    async def reload(self) -> None:
        """Read the configuration again, and send by it; one that is wrong changes nothing."""
        async with self._one_at_a_time:
            try:
                loaded = await asyncio.to_thread(load_config, self._settings.config)
            except ConfigFileError as fault:
                _log.error("config.refused", problems=fault.problems)
                return
            receivers, unused = receivers_to_use(loaded, self._loaded, present=self.deliverer.receivers)
            self._loaded = loaded
            before = self.deliverer.adopt(receivers, fallback=loaded.config.fallback_receiver)
            for receiver in unused:
                await receiver.close()
            await self.deliverer.settle(before)
            _log.info("delivery.reloaded")

    async def stop(self) -> None:
        """Wait for what is on its way, and let others send the rest."""
        self._stop_listening()
        await self.deliverer.stop(within=self._drain_s)
        await asyncio.to_thread(self.office.stop)
