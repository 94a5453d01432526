"""The part of a node that takes events: all doors, open whether or not anybody is elected.

Elected, the node has its service's doors; what is on its way through these is answered all the same.

≠ what is behind the inbox.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from fastapi import FastAPI

from alerts.config import KeyConfig

from .. import clock as clocks
from ..api import loki, otlp
from ..api.auth import Receive, SameOrigin, Scope, Send
from ..api.bodies import Budget
from ..api.events import PATH as EVENTS
from ..api.events import install_events
from ..api.problems import Problem, problem_response
from ..intake import Intake
from ..keys.in_force import Keys
from ..metrics.exposition import Family
from ..rejects import Rejects
from ..roles import Role
from ..settings import Settings
from ..storage.connecting import Connection
from ..storage.database import open_beside
from ..storage.topics import open_producer, prepare
from .inbox_writer import InboxWriter
from .ingest_metrics import families, take
from .kafka_writer import KafkaWriter
from .rounds import MOST_BYTES, Rounds
from .switch import Application

if TYPE_CHECKING:
    from ..app import Service

DOORS = (EVENTS, "/v1/traces", "/v1/logs", "/loki/api/v1/push")
"""The paths by which events come."""

METRICS = "/metrics"


class IngestPart:
    """The doors of a node, its writer, and its rounds; what the doors use is here, as `Doors` names it."""

    role = Role.INGEST

    def __init__(self, settings: Settings, keys: tuple[KeyConfig, ...], intake: Intake) -> None:
        """Take the settings over.

        Args:
            settings: Of this run.
            keys: Those of the environment and the configuration.
            intake: What is counted of what comes in.
        """

        def connect() -> Connection:
            return open_beside(settings.data)

        self.clock = clocks.now
        self.intake = intake
        self.bodies = Budget()
        self.rejects = Rejects(clock=self.clock)
        self.keys = Keys(keys, exposed=not settings.loopback, clock=self.clock)
        self.taker = _writer(settings, connect)
        self.rounds = Rounds(
            connect,
            self.taker,
            self.keys,
            self.rejects,
            intake,
            clock=self.clock,
            most_bytes=settings.inbox_size or MOST_BYTES,
        )

    def install(self, app: FastAPI) -> None:
        """Open the doors of an application."""
        app.state.service = self
        app.state.keys = self.keys
        app.add_middleware(SameOrigin, keys=self.keys)
        app.add_middleware(_OnceKeysAreKnown, part=self)
        app.include_router(otlp.router)
        app.include_router(loki.router)
        install_events(app, self)

    async def start(self) -> None:
        """Begin to write."""
        self.taker.start()
        self.rounds.start()

    def unready(self) -> str:
        """Return why nothing can be taken now; "" if it can."""
        return self.taker.refusal or ("" if self.rounds.knows_keys else "keys: not read yet")

    async def lead(self, service: Service) -> None:
        """Have the doors of the service write to the topic, where there is one; else it writes a log of its own."""
        if service.settings.log is not None:
            service.taker = self.taker

    async def stop(self) -> None:
        """Write what is on its way, and end."""
        await asyncio.to_thread(self.taker.stop)
        await asyncio.to_thread(self.rounds.stop)

    def families(self) -> Iterator[Family]:
        """Return what is counted here."""
        return families(
            take(
                self.intake,
                self.keys,
                self.taker.tally,
                self.rounds.tally,
                keys_age_s=self.rounds.keys_age_s,
                now=self.clock(),
            )
        )


def _writer(settings: Settings, connect: Callable[[], Connection]) -> InboxWriter | KafkaWriter:
    """Return who writes: to the topic, where there is one, or to the inbox."""
    log, node = settings.log, settings.address
    if log is None:
        return InboxWriter(connect, node=node)
    return KafkaWriter(open_producer(log, node=node), node=node, prepare=partial(prepare, log, node=node))


class _OnceKeysAreKnown:
    """Lets nobody in before it is known who may."""

    def __init__(self, app: Application, *, part: IngestPart) -> None:
        self._app = app
        self._part = part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = scope["type"] == "http" and scope["path"] in (*DOORS, METRICS)
        if not asked or self._part.rounds.knows_keys:
            await self._app(scope, receive, send)
            return
        said = f"keys: not read yet: {self._part.taker.refusal or 'in a moment'}: send again later"
        await problem_response(Problem(503, said, headers={"Retry-After": "1"}))(scope, receive, send)
