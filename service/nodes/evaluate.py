"""The part of a node that evaluates partitions, elected or not: its share of the log, each partition by a shard.

≠ who is elected, what follows from what is decided.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI

from .. import clock as clocks
from ..metrics.exposition import Family
from ..metrics.measured import MeasuredSample
from ..metrics.partitions import PartitionSample
from ..roles import Role
from ..settings import Settings
from ..shards.in_force import InForce
from ..shards.past import PastOf
from ..shards.shard import EngineShard, ShardTally
from ..storage.connecting import Connection
from ..storage.database import open_beside
from ..storage.errors import DatabaseError, StorageError
from ..storage.kafka_url import KafkaUrl
from ..storage.partitions import Tenure
from ..storage.topics import Given, Group, Taken, open_group, open_past, prepare
from .measuring import Measuring
from .measuring import families as measured_families
from .partition_metrics import families, take
from .partition_owner import PartitionOwner

if TYPE_CHECKING:
    from ..app import Service

AGAIN_S = 1.0

_logger = structlog.get_logger(__name__)


class EvaluatePart:
    """Its thread owns partitions, and has their shards evaluate them.

    Attributes:
        tally: What those did.
        owner: Who owns them.
    """

    role = Role.EVALUATE

    def __init__(self, settings: Settings, log: KafkaUrl) -> None:
        """Take where the database and the log are."""
        node = settings.address

        def connect() -> Connection:
            return open_beside(settings.data)

        def open_member(*, given: Given, taken: Taken) -> Group:
            return open_group(log, node=node, given=given, taken=taken)

        self.tally = ShardTally()
        self._measuring = Measuring()
        self._past = PastOf(lambda: open_past(log, node=node))
        self._in_force = InForce(steady=clocks.monotonic)
        self._open_member = open_member
        self._connect = connect
        self._node = node
        self._log = log
        self._why = "log: not joined yet"
        self._tasks: list[asyncio.Task[None]] = []
        self.owner: PartitionOwner | None = None

    def install(self, app: FastAPI) -> None:
        """Add nothing."""

    async def start(self) -> None:
        """Begin to own partitions, as soon as the topic is there."""
        self._tasks.append(asyncio.create_task(self._join(), name="join the log"))

    async def _join(self) -> None:
        while True:
            try:
                await asyncio.to_thread(prepare, self._log, node=self._node)
                owner = await asyncio.to_thread(
                    PartitionOwner, self._open_member, self._connect, self._make_shard, node=self._node
                )
            except (StorageError, DatabaseError) as fault:
                if self._why != str(fault):
                    _logger.warning("log.not_joined", error=str(fault))
                self._why = str(fault)
                await asyncio.sleep(AGAIN_S)
                continue
            self.owner = owner
            owner.start()
            return

    def _make_shard(self, tenure: Tenure) -> EngineShard:
        return EngineShard(
            tenure,
            self._past,
            self._in_force,
            self.tally,
            steady=clocks.monotonic,
            measure=self._measuring.take,
        )

    def families(self) -> Iterator[Family]:
        """Return what is counted here."""
        return chain(families(self._sample()), measured_families(self._measured()))

    def _measured(self) -> MeasuredSample:
        return self._measuring.sample(clocks.now())

    def _sample(self) -> PartitionSample:
        return take(self.owner, self.tally)

    def unready(self) -> str:
        """Return why no partition can be evaluated now; "" if it can."""
        if self.owner is None:
            return self._why
        if not self.owner.alive:
            return "partitions: their thread has ended: restart this node"
        return self.owner.why

    async def lead(self, service: Service) -> None:
        """Have the service show what this node owns; it gathers what all report."""
        service.metrics.partitions = self._sample
        service.metrics.measured = self._measured

    async def stop(self) -> None:
        """Let all partitions go, for others go on with them at once."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.owner is not None:
            await asyncio.to_thread(self.owner.stop)
        await asyncio.to_thread(self._past.close)
