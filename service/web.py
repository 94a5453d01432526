"""The web application of a service: what it answers at which address, and that it begins and ends with it.

≠ how anything is answered: service/api.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import structlog
from fastapi import FastAPI

from alerts.config import KeyConfig

from . import __version__
from .api import acknowledge_link as link_api
from .api import alerts as alerts_api
from .api import audit as audit_api
from .api import by_labels as by_labels_api
from .api import docs as docs_api
from .api import drill as drill_api
from .api import event_query as event_query_api
from .api import keys as keys_api
from .api import live as live_api
from .api import login as login_api
from .api import loki as loki_api
from .api import otlp as otlp_api
from .api import page as page_api
from .api import pagerduty as pagerduty_api
from .api import pages_delivery as pages_delivery_api
from .api import pages_rules as pages_rules_api
from .api import previews as previews_api
from .api import rejects as rejects_api
from .api import silences_page as silences_api
from .api import status as status_api
from .api import top as top_api
from .api.auth import SameOrigin
from .api.events import install_events
from .api.openapi import describe, operation_id
from .api.problems import install_problems
from .api.v2 import router as api_v2
from .api.visit import Visits
from .app import Service
from .reloading import ReloadError

_log = structlog.get_logger(__name__)


def create_app(service: Service, keys: tuple[KeyConfig, ...]) -> FastAPI:
    """Return the web application of a service; it starts and stops the service with itself."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        stop_listening = reload_on_hangup(service)
        _log.info("service.started", url=service.settings.url, data=str(service.settings.data))
        yield
        stop_listening()
        await service.stop()
        _log.info("service.stopped")

    app = FastAPI(
        title="Claxon",
        summary="Alerting for applications that call the Claude API",
        version=__version__,
        lifespan=lifespan,
        # FastAPI's own runs scripts from elsewhere where a browser has a session: api/docs.py has ours.
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=operation_id,
    )
    app.state.service = service
    app.state.keys = service.keys
    service.keys.replace(keys)
    service.configuration.use_keys(keys, on_keys=service.keys.replace, others=service.keys.stored_alive)
    app.add_middleware(Visits, forms=service.forms, sessions=service.sessions)
    app.add_middleware(SameOrigin, keys=app.state.keys)
    install_problems(app)
    login_api.install_pages(app)
    parts = (
        otlp_api,
        loki_api,
        event_query_api,
        alerts_api,
        drill_api,
        status_api,
        top_api,
        page_api,
        by_labels_api,
        pages_delivery_api,
        pages_rules_api,
        link_api,
        login_api,
        live_api,
        silences_api,
        keys_api,
        audit_api,
        previews_api,
        docs_api,
        pagerduty_api,
        rejects_api,
    )
    for router in (*(part.router for part in parts), api_v2):
        app.include_router(router)
    install_events(app, service)
    page_api.mount_static(app)
    describe(app)
    return app


class Reloaded(Protocol):
    """What goes by the configuration."""

    async def reload(self) -> object:
        """Read it again.

        Raises:
            ReloadError: Something is wrong, and nothing has changed.
        """


def reload_on_hangup(service: Reloaded) -> Callable[[], None]:
    """Reload at each SIGHUP from now on; return what ends that. Only the main thread hears signals."""
    loop = asyncio.get_running_loop()
    running: set[asyncio.Task[None]] = set()

    async def reload() -> None:
        # What is wrong is in the log already.
        with contextlib.suppress(ReloadError):
            await service.reload()

    def begin() -> None:
        task = loop.create_task(reload())
        running.add(task)
        task.add_done_callback(running.discard)

    try:
        loop.add_signal_handler(signal.SIGHUP, begin)
    except (ValueError, RuntimeError):
        return lambda: None

    def end() -> None:
        loop.remove_signal_handler(signal.SIGHUP)

    return end
