"""Node: one of several on one database. It stands by until it is elected; then it is the service, to its end.

≠ what the service is, how an election goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable

import structlog
from fastapi import FastAPI

from alerts.config import KeyConfig

from ..app import Service
from ..config_file import ConfigFileError, Loaded, load_config
from ..intake import Intake
from ..keys.in_force import Keys
from ..leaving import LOOK_S, LOST
from ..roles import Role
from ..settings import Settings, SettingsError, check_retention
from ..storage.connecting import Connection
from ..storage.database import leader, open_database
from ..storage.errors import InUseError, LostError, StorageError, UnreachableError
from ..storage.upgrading import run_pre
from ..tls import Certificate
from ..web import create_app
from .parts import parts_of
from .presence import Presence
from .standby import create_standby
from .standing import Stage, Standing
from .switch import Switch

EVERY_S = 1.0
"""How often a node stands for election."""

STOP_S = 10.0
"""So long a node that is not elected waits, when it is told to end, for what it has asked of the database."""

NOT_STARTED = 2
"""The exit status of a node that was elected and may not be, or cannot."""

_log = structlog.get_logger(__name__)


class Node:
    """Call `stand` once, then have a server run `switch`.

    Attributes:
        switch: What it answers.
        intake: Counts what comes in, elected or not.
        settings, certificate: As given.
        service: The service, once the node is elected.
        leave: What ends this process at once, with a status.
    """

    def __init__(
        self,
        settings: Settings,
        loaded: Loaded,
        keys: tuple[KeyConfig, ...],
        *,
        certificate: Certificate | None,
        check_exposure: Callable[[Settings, tuple[KeyConfig, ...]], None],
    ) -> None:
        """Take the settings over.

        Args:
            settings: Of this run.
            loaded: The configuration; that of the present is read once the node is elected.
            keys: Those of the environment.
            certificate: To speak HTTPS with.
            check_exposure: Refuses to be reached from elsewhere without keys.
        """
        self.intake = Intake()
        self.service: Service | None = None
        self.leave: Callable[[int], object] = os._exit
        self.settings = settings
        self.certificate = certificate
        self._loaded = loaded
        self._keys = keys
        self._check_exposure = check_exposure
        self._standing = Standing(settings.roles, parts_of(settings, loaded, keys, self.intake))
        self._connection: Connection | None = None
        readers = Keys((*keys, *loaded.config.keys), exposed=not settings.loopback)
        self._presence = presence = Presence(settings, readers)
        self._prepared = False
        self._ending = asyncio.Event()
        self._life: asyncio.Task[None] | None = None
        standby = create_standby(self._standing, readers, knows_keys=lambda: presence.knows_keys)
        self.switch = Switch(standby, start=self._start, stop=self._stop)

    def stand(self) -> None:
        """Stand for election once, before anything listens.

        Raises:
            StorageError: The database refuses us, and no waiting mends that.
        """
        self._connection = self._elected()

    def close_live(self) -> None:
        """End the requests that would not end by themselves."""
        if self.service is not None:
            self.service.live.close()

    # ── the election ──────────────────────────────────────────────────────────

    def _elected(self) -> Connection | None:
        """Stand for election; return the database where the node is elected, and take note of who is where it is not.

        Raises:
            StorageError: The database refuses us.
        """
        standing, place = self._standing, self.settings.data
        try:
            self._prepare()
            if Role.EVALUATE in self.settings.roles:
                with contextlib.suppress(InUseError):
                    return open_database(place, node=self.settings.address)
            found = leader(place)
        except UnreachableError as fault:
            if standing.why != str(fault):
                _log.warning("node.cut_off", error=str(fault))
            standing.why, standing.elected = str(fault), ""
            return None
        if standing.why or (found is not None and found.node != standing.elected):
            _log.info("node.stands_by", elected=found.node if found is not None else None)
        standing.why, standing.elected = "", found.node if found is not None else ""
        return None

    def _prepare(self) -> None:
        """Add to the schema what this version needs; nodes of the version before go on beside that."""
        if self._prepared:
            return
        taken = run_pre(self.settings.data)
        self._prepared = True
        if taken:
            _log.info("database.migrated", database=str(self.settings.data), steps=taken)

    async def _start(self) -> None:
        self._presence.start()
        for part in self._standing.parts:
            await part.start()
        self._life = asyncio.create_task(self._live(), name="stand by")

    async def _stop(self) -> None:
        self._ending.set()
        life, waited_s = self._life, 0.0
        # A server that says nothing must not keep a process that was told to end.
        while life is not None and not life.done():
            await asyncio.wait({life}, timeout=LOOK_S)
            waited_s += LOOK_S
            if self.service is not None:
                self.service.leaving.look()
            elif waited_s > STOP_S:
                _log.error("node.not_stopped", error="the database says nothing: it is not waited for")
                self.leave(LOST)
        await asyncio.to_thread(self._presence.stop)

    async def _live(self) -> None:
        try:
            connection = await self._wait_to_be_elected()
            if connection is not None:
                await self._lead(connection)
            else:
                await self._stop_parts()
        except LostError as fault:
            _log.critical("node.lost", error=f"{fault}: before it took over")
            self.leave(LOST)
        except SettingsError as fault:
            _log.critical("node.not_started", error=str(fault))
            self.leave(NOT_STARTED)
        except BaseException:
            _log.critical("node.faulted", exc_info=True)
            self.leave(1)
            raise

    async def _wait_to_be_elected(self) -> Connection | None:
        connection, self._connection = self._connection, None
        while connection is None and not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._ending.wait()
                    return None
            try:
                connection = await asyncio.to_thread(self._elected)
            except StorageError as fault:
                # It was let in before: what has changed may change again.
                _log.error("node.refused", error=str(fault))
                self._standing.why, self._standing.elected = str(fault), ""
        if connection is not None and self._ending.is_set():
            connection.close()
            return None
        return connection

    # ── elected ───────────────────────────────────────────────────────────────

    async def _lead(self, connection: Connection) -> None:
        """Be the service until the end."""
        standing, settings = self._standing, self.settings
        standing.stage, standing.why, standing.elected = Stage.STARTING, "", settings.address
        _log.info("node.elected", node=settings.address)
        watch = asyncio.create_task(self._watch(connection), name="watch the election")
        try:
            app = await asyncio.to_thread(self._build, connection)
        except BaseException:
            connection.close()
            raise
        service: Service = app.state.service
        async with app.router.lifespan_context(app):
            watch.cancel()
            for part in standing.parts:
                await part.lead(service)
            self.service, standing.stage = service, Stage.ELECTED
            self.switch.to(app)
            await self._ending.wait()
            await self._stop_parts()

    async def _watch(self, connection: Connection) -> None:
        """End the process if the database is lost while the service begins; later the service looks itself."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                connection.check()
            except LostError as fault:
                _log.critical("node.lost", error=f"{fault}: before it took over")
                self.leave(LOST)

    async def _stop_parts(self) -> None:
        for part in reversed(self._standing.parts):
            await part.stop()

    def _build(self, connection: Connection) -> FastAPI:
        """Return the application of the service.

        Raises:
            SettingsError: It would be reachable from elsewhere without keys.
        """
        loaded = self._loaded_now()
        service = Service(
            self.settings, loaded, certificate=self.certificate, connection=connection, intake=self.intake
        )
        keys = (*self._keys, *loaded.config.keys)
        self._check_exposure(self.settings, (*keys, *service.keys.stored_alive()))
        service.by_role = self._standing.by_role
        return create_app(service, keys)

    def _loaded_now(self) -> Loaded:
        """Return the configuration as it is by now: it may have changed since the node began to stand by."""
        try:
            loaded = load_config(self.settings.config)
            check_retention(self.settings, loaded.config.retention)
        except (ConfigFileError, SettingsError) as fault:
            _log.error("config.refused", error=f"{fault}: that of this node's start is in force")
            return self._loaded
        return loaded
