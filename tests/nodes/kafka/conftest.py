"""Three brokers and a PostgreSQL for each file of this folder; each test has a topic and a database of its own."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.storage.database import open_database
from service.storage.kafka_url import KafkaUrl, parse_kafka_url
from service.storage.places import PostgresUrl
from tests.support.counting import TABLE, Counted
from tests.support.kafka import Kafka, start_kafka
from tests.support.netfault import Wire, Wires, lay_wires
from tests.support.owning import Owners, Sender
from tests.support.postgres import Postgres, start_postgres


@pytest.fixture(scope="module")
def wires() -> Iterator[Wires]:
    with lay_wires() as laid:
        yield laid


@pytest.fixture(scope="module")
def brokers_wires() -> list[Wire]:
    """The ways of one node, `wired`, to the brokers; laid when those start."""
    return []


@pytest.fixture(scope="module")
def cluster(wires: Wires, brokers_wires: list[Wire]) -> Iterator[Kafka]:
    def advertise(port: int) -> tuple[str, int]:
        brokers_wires.append(wires.wire(port))
        return "127.0.0.1", brokers_wires[-1].port

    with start_kafka(doors={"node": advertise}) as started:
        yield started


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    with start_postgres() as started:
        yield started


@pytest.fixture
def log(cluster: Kafka) -> KafkaUrl:
    """An empty topic of six partitions."""
    name = f"claxon-{uuid.uuid4().hex[:12]}"
    cluster.create_topic(name, partitions=6)
    return parse_kafka_url(f"kafka://{cluster.bootstrap()}/{name}")


@pytest.fixture(scope="module")
def template(server: Postgres) -> str:
    """A database of the present schema, and a table to count in."""
    name = server.create_database()
    open_database(PostgresUrl(server.url(name))).close()
    server.sql(TABLE, name)
    return name


@pytest.fixture
def counted(server: Postgres, template: str) -> Iterator[Counted]:
    name = server.create_database(template=template)
    yield Counted(server, name)
    server.drop_database(name)


@pytest.fixture
def sender(log: KafkaUrl) -> Iterator[Sender]:
    found = Sender(log)
    yield found
    found.close()


@pytest.fixture
def owners(log: KafkaUrl, counted: Counted, tmp_path: Path) -> Iterator[Owners]:
    with contextlib.ExitStack() as stack:
        yield Owners(log, counted, tmp_path, stack)
