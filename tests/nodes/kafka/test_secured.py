"""Brokers that speak TLS and ask who is there: the options of the URL, and the file of them, do what they say."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
import structlog

from service.storage.errors import StorageError
from service.storage.kafka_url import KafkaUrl, parse_kafka_url
from service.storage.topics import Group, LogError, open_group, open_producer, prepare
from tests.support.certificates import Authority, authority
from tests.support.counting import until
from tests.support.kafka import Kafka, start_kafka

pytestmark = [pytest.mark.peer("kafka"), pytest.mark.peer("openssl")]

USER, PASSWORD = "claxon", "hunter2-of-the-brokers"
_LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def cluster(trusted: Authority) -> Iterator[Kafka]:
    """Brokers with a door that has a certificate of an authority of our own, and lets one user in."""
    one = trusted.sign("broker", alternative="IP:127.0.0.1")
    both = trusted.folder / "broker-both.pem"
    both.write_text(one.key.read_text() + one.cert.read_text())
    settings = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(both),
        "listener.name.door0.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.door0.plain.sasl.jaas.config": f'{_LOGIN} required user_{USER}="{PASSWORD}";',
    }
    with start_kafka(doors={"tls": lambda port: ("127.0.0.1", port)}, secured=["tls"], settings=settings) as started:
        yield started


def url(
    cluster: Kafka, folder: Path, authority: Authority, *, password: str = PASSWORD, trust: bool = True
) -> KafkaUrl:
    """Return a topic by the secured door; what is secret is in a file."""
    said = {
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "PLAIN",
        "sasl.username": USER,
        "sasl.password": password,
        **({"ssl.ca.location": str(authority.own.cert)} if trust else {}),
    }
    named = folder / "kafka.properties"
    named.write_text("# of the brokers\n" + "".join(f"{name}={value}\n" for name, value in said.items()))
    return parse_kafka_url(f"kafka://{cluster.bootstrap('tls')}/{uuid.uuid4().hex}?properties={named}&partitions=1")


def read(log: KafkaUrl) -> bytes | None:
    """Return the first message of a topic of one partition, by who reads it with others."""
    found: list[bytes | None] = []
    groups: list[Group] = []
    group = open_group(log, given=lambda many: [groups[0].read_from(one, 0) for one in many], taken=lambda *_: None)
    groups.append(group)

    def came() -> bool:
        found.extend(message.value for message in group.poll(10, 0.1).messages)
        return bool(found)

    until(came)
    group.close()
    return found[0]


def test_who_has_the_password_and_knows_the_authority_writes_and_reads(
    cluster: Kafka, trusted: Authority, tmp_path: Path
) -> None:
    log = url(cluster, tmp_path, trusted)
    with structlog.testing.capture_logs() as said:
        assert prepare(log) == 1
    producer = open_producer(log)
    answer: Future[LogError | None] = Future()
    producer.send(b"k", b"a secret between us", answer.set_result)

    assert answer.result(timeout=30) is None
    assert read(log) == b"a secret between us"
    producer.close()
    assert PASSWORD not in f"{log} {log!r} {said}"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"password": "a wrong one"}, "(?i)authentication"), ({"trust": False}, "(?i)ssl|certificate")],
    ids=["password", "authority"],
)
def test_who_is_not_let_in_is_told_why_without_the_password(
    cluster: Kafka, trusted: Authority, tmp_path: Path, wrong: dict[str, str | bool], says: str
) -> None:
    log = url(cluster, tmp_path, trusted, **wrong)  # type: ignore[arg-type]

    with pytest.raises(StorageError, match=says) as refused:
        prepare(log)

    assert PASSWORD not in str(refused.value)
    assert "a wrong one" not in str(refused.value)


def test_what_goes_over_the_wire_is_not_plain(cluster: Kafka) -> None:
    host, _, port = cluster.bootstrap("tls").partition(",")[0].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as wire:
        # A request for versions, as who speaks plain text begins.
        wire.sendall(bytes.fromhex("0000000e 0012 0000 00000001 0004 74657374".replace(" ", "")))
        wire.settimeout(10)
        answer = wire.recv(100)

    assert answer == b"" or answer[0] == 0x15, answer  # an alert of TLS, or the end
