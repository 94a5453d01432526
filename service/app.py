"""The composition root: builds every part, starts and stops them. The only file that knows all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import structlog
from fastapi import FastAPI

from alerts.config import KeyConfig
from alerts.default_rules import DEFAULT_RULES
from alerts.notification import Notification
from alerts.notifier import Notifier
from alerts.rules import Rule

from . import clock
from .api import alerts as alerts_api
from .api import events as events_api
from .api import page as page_api
from .api import status as status_api
from .api.auth import Keys, SameOrigin
from .api.problems import install_problems
from .config_file import Loaded
from .core import Core
from .delivery import Deliverer
from .intake import Intake
from .metrics import Metrics
from .scheduler import Scheduler
from .settings import Settings
from .storage import outbox
from .storage.database import open_database
from .views import Views

TICK_S = 0.5
SNAPSHOT_S = 30.0
PRUNE_S = 3600.0
KEEP_S = 30 * 86_400.0

_log = structlog.get_logger(__name__)


class Service:
    """All parts of one Claxon."""

    def __init__(self, settings: Settings, loaded: Loaded, *, rules: Iterable[Rule] = DEFAULT_RULES) -> None:
        self.settings = settings
        self.clock = clock.now
        url = loaded.config.external_url or settings.url
        notifier = Notifier(loaded.config.route, loaded.config.inhibit_rules, external_url=url)
        self.core = Core(open_database(settings.data), rules, notifier, clock=self.clock, targets=self._targets)
        self.deliverer = Deliverer(self.core, loaded.receivers, clock=self.clock)
        self.views = Views(self.core, external_url=url)
        self.intake = Intake()
        self.scheduler = Scheduler()
        self.metrics = Metrics(self.core, self.deliverer, self.intake, self.scheduler)
        self._targets_known = set(loaded.receivers)

    def _targets(self, notification: Notification) -> list[str]:
        return self.deliverer.targets(notification)

    async def start(self) -> None:
        """Recover, then take events, evaluate and deliver."""
        await asyncio.to_thread(self.core.start)
        gone = await asyncio.wrap_future(
            self.core.submit(lambda: outbox.fail_unknown(self.core.connection, self._targets_known, self.clock()))
        )
        for target in gone:
            _log.error("delivery.failed", target=target, error="no such receiver in the configuration any more")
        self.deliverer.start()
        self.scheduler.every(TICK_S, "evaluate", lambda: self.core.submit(self.core.tick))
        self.scheduler.every(SNAPSHOT_S, "snapshot", lambda: self.core.submit(self.core.snapshot))
        self.scheduler.every(PRUNE_S, "prune", lambda: self.core.submit(lambda: self.core.prune(keep_s=KEEP_S)))
        self.scheduler.start()

    async def stop(self) -> None:
        """Stop in order: no more timers, no more sends, the queue written, the state kept."""
        self.scheduler.stop()
        await self.deliverer.stop()
        await asyncio.to_thread(self.core.stop)

    def dead_parts(self) -> list[str]:
        """Return the parts that should run and do not."""
        parts = {"core": self.core.alive, "delivery": self.deliverer.alive}
        return [name for name, alive in parts.items() if not alive]


def create_app(service: Service, keys: tuple[KeyConfig, ...]) -> FastAPI:
    """Return the web application of a service; it starts and stops the service with itself."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        _log.info("service.started", url=service.settings.url, data=str(service.settings.data))
        yield
        await service.stop()
        _log.info("service.stopped")

    app = FastAPI(
        title="Claxon",
        summary="Alerting for applications that call the Claude API",
        version="0.1.0",
        lifespan=lifespan,
        redoc_url=None,
    )
    app.state.service = service
    app.state.keys = Keys(keys)
    app.add_middleware(SameOrigin, keys=app.state.keys)
    install_problems(app)
    for router in (events_api.router, alerts_api.router, status_api.router, page_api.router):
        app.include_router(router)
    page_api.mount_static(app)
    return app
