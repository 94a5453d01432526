"""The topic: there, or created, and what of it may lose what was acknowledged.

≠ what is in it.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic, ResourceType

from ..clock import monotonic
from .errors import StorageError, UnreachableError
from .kafka_client import Troubles, said_of, settings_of
from .kafka_url import KafkaUrl

PARTITIONS = 12
"""Of a topic that is created: so many nodes can evaluate at once."""

REPLICAS = 3
IN_SYNC = 2
"""So many brokers have what was acknowledged: any one of them may be lost."""

_ANSWER_S = 5.0
_LOOK_S = 0.05
_RETENTION_MS = 7 * 86_400_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """What it is like.

    Attributes:
        partitions: How many.
        replicas: Of the partition that has the fewest.
        in_sync: How many must have what is acknowledged.
        unclean: Whether a broker that lacks some of it may lead.
    """

    partitions: int
    replicas: int
    in_sync: int
    unclean: bool

    def doubts(self) -> list[str]:
        """Return why what was acknowledged might be lost with one broker, each as *what: remedy*."""
        found = []
        if self.replicas < REPLICAS:
            found.append(f"replication factor {self.replicas}: a broker that is lost may take events along: use 3")
        if self.in_sync < IN_SYNC:
            found.append(f"min.insync.replicas={self.in_sync}: one broker alone acknowledges: set it to 2")
        if self.replicas <= self.in_sync:
            found.append(f"min.insync.replicas={self.in_sync} of {self.replicas}: no broker may be down: set one less")
        if self.unclean:
            found.append("unclean.leader.election.enable=true: a broker without the newest may lead: set it to false")
        return found


def prepare(url: KafkaUrl, *, node: str = "") -> Topic:
    """Return what the topic is like, created where it is not there; what is doubtful about it is logged.

    Raises:
        UnreachableError: No broker answers.
        StorageError: They refuse us, or there is no topic and we may create none.
    """
    troubles = Troubles(url)
    settings = {**settings_of(url, node=node), "log_level": 0, "error_cb": troubles.note}
    admin: AdminClient | None = None
    try:
        admin = AdminClient(settings)
        topic = _look(admin, url)
    except KafkaException as fault:
        if admin is not None:
            admin.poll(0)  # has what went wrong with the brokers noted
        raise _refused(url, fault, troubles.newest) from fault
    for doubt in topic.doubts():
        _log.warning("log.not_durable", log=str(url), error=doubt)
    return topic


def _look(admin: AdminClient, url: KafkaUrl) -> Topic:
    """Return what the topic is like once all brokers that are asked know of it: that takes a moment when it is new."""
    brokers = len(admin.list_topics(timeout=_ANSWER_S).brokers)
    found = _described(admin, url)
    if found is not None:
        return found
    _create(admin, url, brokers)
    deadline = monotonic() + _ANSWER_S
    while (found := _described(admin, url)) is None:
        if monotonic() > deadline:
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        threading.Event().wait(_LOOK_S)
    return found


def _described(admin: AdminClient, url: KafkaUrl) -> Topic | None:
    """Return what the topic is like; None where there is none, or who is asked does not know all of it yet."""
    found = admin.list_topics(url.topic, timeout=_ANSWER_S).topics[url.topic]
    resource = ConfigResource(ResourceType.TOPIC, url.topic)
    try:
        if found.error is not None:
            raise KafkaException(found.error)
        config = admin.describe_configs([resource])[resource].result(timeout=_ANSWER_S)
    except KafkaException as fault:
        if fault.args[0].code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.LEADER_NOT_AVAILABLE):
            return None
        raise
    return Topic(
        partitions=len(found.partitions),
        replicas=min((len(part.replicas) for part in found.partitions.values()), default=0),
        in_sync=int(config["min.insync.replicas"].value),
        unclean=config["unclean.leader.election.enable"].value == "true",
    )


def _create(admin: AdminClient, url: KafkaUrl, brokers: int) -> None:
    replicas = url.replicas or min(REPLICAS, brokers)
    config = {
        "min.insync.replicas": str(max(1, min(IN_SYNC, replicas - 1))),
        "retention.ms": str(_RETENTION_MS),
        "cleanup.policy": "delete",
        "compression.type": "producer",
        # Of the brokers' clocks: a node whose clock is wrong must not have the log keep events for ever, or not at all.
        "message.timestamp.type": "LogAppendTime",
        "unclean.leader.election.enable": "false",
    }
    partitions = url.partitions or PARTITIONS
    topic = NewTopic(url.topic, num_partitions=partitions, replication_factor=replicas, config=config)
    try:
        admin.create_topics([topic], operation_timeout=_ANSWER_S)[url.topic].result(timeout=_ANSWER_S)
    except KafkaException as fault:
        if fault.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # another node was sooner
            raise
    else:
        _log.info("log.created", log=str(url), partitions=partitions, replicas=replicas)


def _refused(url: KafkaUrl, fault: KafkaException, why: str) -> StorageError:
    error = fault.args[0]
    said = said_of(fault)
    if not isinstance(error, KafkaError):
        return StorageError(f"{url}: {said}: see librdkafka's settings")
    if error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.CLUSTER_AUTHORIZATION_FAILED):
        return StorageError(f"{url}: {said}: create the topic, or let this user describe and create it")
    if error.code() in (KafkaError.INVALID_REPLICATION_FACTOR, KafkaError.POLICY_VIOLATION):
        return StorageError(f"{url}: {said}: create the topic, or say ?partitions= and replicas=")
    # "Broker transport failure" is a wrong password, too.
    return UnreachableError(f"{url}: {why or said}")
