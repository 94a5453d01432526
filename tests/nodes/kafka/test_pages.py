"""From an event at an ingest node to a page, over a real Kafka and PostgreSQL, whoever dies on the way."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from service.storage.kafka_url import KafkaUrl
from tests.nodes.conftest import CONFIG, RULES
from tests.support.kafka import Kafka
from tests.support.nodes import Node
from tests.support.pager import Pager
from tests.support.postgres import Postgres
from tests.support.running import until

pytestmark = [pytest.mark.peer("postgres"), pytest.mark.peer("kafka")]

EVALUATE = ["--role", "evaluate,deliver"]
INGEST = ["--role", "ingest"]
APPS = [f"app{n}" for n in range(8)]
WITHIN_S = 60.0


class World:
    """Two nodes that evaluate, of which one is elected, and one that takes events."""

    def __init__(self, folder: Path, server: Postgres, log: KafkaUrl, *, config: str) -> None:
        self._server = server
        self._database = server.create_database()
        self._environment = environment = {"CLAXON_LOG": f"{log}"}
        self.evaluating = [self._node(folder, EVALUATE, config, environment) for _ in range(2)]
        self.door = self._node(folder, INGEST, config, environment)
        self._nodes = contextlib.ExitStack()

    def _node(self, folder: Path, arguments: list[str], config: str, environment: dict[str, str]) -> Node:
        url = self._server.url(self._database)
        return Node(folder, url, config=config, arguments=arguments, environment=environment)

    def __enter__(self) -> Self:
        for node in (*self.evaluating, self.door):
            self._nodes.enter_context(node)
        assert until(lambda: isinstance(self.door.roles, dict), WITHIN_S), self.door.log
        assert until(lambda: self.owned() == 6, WITHIN_S), self.evaluating[0].log
        return self

    def __exit__(self, *_: object) -> None:
        self._nodes.close()
        self._server.drop_database(self._database)

    def one_more(self, folder: Path, environment: dict[str, str]) -> Node:
        """Return another node, not started, that evaluates and does nothing else."""
        return self._node(folder, ["--role", "evaluate"], "", self._environment | environment)

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


@pytest.fixture
def pager() -> Iterator[Pager]:
    with Pager() as receiver:
        yield receiver


@pytest.fixture
def world(tmp_path: Path, server: Postgres, cluster: Kafka, log: KafkaUrl, pager: Pager) -> Iterator[World]:
    assert cluster
    (tmp_path / "rules.yml").write_text(RULES)
    with World(tmp_path, server, log, config=CONFIG.format(rules=tmp_path / "rules.yml", url=pager.url)) as world:
        yield world


def paged(pager: Pager) -> Counter[tuple[str, str]]:
    """Return how often each app's alert was told of, by status."""
    return Counter(
        (alert["labels"]["app"], alert["status"]) for one in list(pager.received) for alert in one.json["alerts"]
    )


def told_once(pager: Pager, status: str) -> bool:
    return {key: n for key, n in paged(pager).items() if key[1] == status} == dict.fromkeys(
        [(a, status) for a in APPS], 1
    )


def test_an_event_at_an_ingest_node_pages_once_and_its_end_too(world: World, pager: Pager) -> None:
    world.post(status=401)
    assert until(lambda: told_once(pager, "firing"), WITHIN_S), world.elected.log
    world.post(status=200)
    assert until(lambda: told_once(pager, "resolved"), WITHIN_S), world.elected.log
    assert paged(pager) == Counter({(app, status): 1 for app in APPS for status in ("firing", "resolved")})
    assert int(world.sql("SELECT count(*) FROM transitions")) == 0
    assert world.counted("claxon_partitions_owned") == 6
    assert world.counted("claxon_partition_events_total") == 2 * len(APPS)
    assert world.counted("claxon_partition_waiting_messages") == 0


def test_a_node_that_only_evaluates_says_what_it_owns_to_who_may_know(world: World, tmp_path: Path) -> None:
    key = "r" * 24
    with world.one_more(tmp_path, {"CLAXON_READ_KEY": key}) as node:

        def owned() -> int:
            said = node.request("GET", "/metrics", None, {"Authorization": f"Bearer {key}"})[1]
            lines = [line for line in str(said).splitlines() if line.startswith("claxon_partitions_owned ")]
            return int(float(lines[0].split()[1])) if lines else 0

        assert until(lambda: owned() == 2, WITHIN_S), node.log
        assert node.request("GET", "/metrics")[0] == 401


def test_the_page_comes_once_when_an_evaluator_that_is_not_elected_is_killed(world: World, pager: Pager) -> None:
    world.post(status=200, n=20)
    world.other.kill()
    world.post(status=401)

    assert until(lambda: told_once(pager, "firing"), WITHIN_S), world.evaluating[0].log
    assert until(lambda: world.owned() == 6, WITHIN_S)
    world.post(status=401)
    time.sleep(3)
    assert told_once(pager, "firing")


def test_the_page_comes_once_when_the_elected_node_is_killed(world: World, pager: Pager) -> None:
    elected, other = world.elected, world.other
    world.post(status=401)
    elected.kill()

    other.elect()
    assert until(lambda: told_once(pager, "firing"), WITHIN_S), other.log
    world.post(status=200)
    assert until(lambda: told_once(pager, "resolved"), WITHIN_S), other.log
    assert told_once(pager, "firing")
