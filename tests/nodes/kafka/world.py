"""Nodes over a real Kafka and PostgreSQL: two that evaluate and deliver, and a door.

≠ what they do.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Self

from service.storage.kafka_url import KafkaUrl
from tests.support.nodes import Node
from tests.support.postgres import Postgres
from tests.support.running import until

EVALUATE = ["--role", "evaluate,deliver"]
INGEST = ["--role", "ingest"]
APPS = [f"app{n}" for n in range(8)]
WITHIN_S = 60.0


class World:
    """Two nodes that evaluate, of which one is elected, and one that takes events."""

    def __init__(self, folder: Path, server: Postgres, log: KafkaUrl, *, config: str) -> None:
        self.log = f"{log}"
        self._server = server
        self._database = server.create_database()
        self._environment = environment = {"CLAXON_LOG": self.log}
        self.evaluating = [self._node(folder, EVALUATE, config, environment) for _ in range(2)]
        self.door = self._node(folder, INGEST, config, environment)
        self._nodes = contextlib.ExitStack()

    def _node(self, folder: Path, arguments: list[str], config: str, environment: dict[str, str]) -> Node:
        return Node(folder, self.database, config=config, arguments=arguments, environment=environment)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as nodes:
            for node in (*self.evaluating, self.door):
                nodes.enter_context(node)
            assert until(lambda: isinstance(self.door.roles, dict), WITHIN_S), self.door.log
            assert until(lambda: self.owned() == 6, WITHIN_S), self.evaluating[0].log
            self._nodes = nodes.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._nodes.close()
        self._server.drop_database(self._database)

    def one_more(self, folder: Path, environment: dict[str, str]) -> Node:
        """Return another node, not started, that evaluates and does nothing else."""
        return self._node(folder, ["--role", "evaluate"], "", self._environment | environment)

    @property
    def database(self) -> str:
        """Its URL."""
        return self._server.url(self._database)

    def sql(self, query: str) -> str:
        return self._server.sql(query, self._database)

    def owned(self) -> int:
        """Return how many partitions are evaluated, as of now."""
        recent = time.time() - 3
        return int(self.sql(f"SELECT count(*) FROM partitions WHERE at > {recent}"))

    def post(self, *, status: int, n: int = 1) -> None:
        """Post an event of each app, with an id of its own."""
        events = [
            {"model": "m", "app": app, "status": status, "event_id": f"{status}-{app}-{i}"}
            for app in APPS
            for i in range(n)
        ]
        answer, body, _ = self.door.post(events)
        assert answer == 202, body

    def counted(self, metric: str) -> float:
        """Return what all nodes that evaluate count together, elected or not."""
        return sum(node.metric(metric) for node in self.evaluating)

    @property
    def elected(self) -> Node:
        [found] = [node for node in self.evaluating if node.is_elected]
        return found

    @property
    def other(self) -> Node:
        [found] = [node for node in self.evaluating if not node.is_elected]
        return found
