"""What all clients of Kafka have in common: how they reach it, and how what went wrong is said.

≠ what they are for.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from ..clock import monotonic
from .kafka_url import KafkaUrl

Setting = str | int | bool | Callable[..., None] | logging.Logger

CONNECT_S = 3.0
"""A broker that does not answer for so long is hung, or cut off: another one is asked."""

_log = structlog.get_logger(__name__)


def settings_of(url: KafkaUrl, *, node: str) -> dict[str, Setting]:
    """Return librdkafka's settings of a client."""
    return {
        "bootstrap.servers": url.brokers,
        **dict(url.options),
        "client.id": f"claxon {node}".strip(),
        "socket.keepalive.enable": True,
        "socket.connection.setup.timeout.ms": int(CONNECT_S * 1000),
        "reconnect.backoff.max.ms": 1_000,
        # A leader that hangs says nothing, so who leads is asked now and then, too.
        "topic.metadata.refresh.interval.ms": 3_000,
        # What matters comes as a fault; each broker that is down is said there, too.
        "log_level": 2,
        "logger": logging.getLogger("librdkafka"),
    }


class Troubles:
    """Notes what librdkafka says that went wrong, and logs it when it is news.

    Attributes:
        newest: Of all brokers, or of who we are; "" once something went well again.
        fatal: The client can do nothing more, and another one is to be made.
    """

    def __init__(self, url: KafkaUrl) -> None:
        """Take whose troubles they are."""
        self.newest = ""
        self.fatal = False
        self._url = url

    def note(self, fault: KafkaError) -> None:
        """Take what librdkafka calls back with."""
        if fault.fatal():
            self.fatal = True
        elif fault.code() not in _GRAVE:
            return  # one broker is gone, or slow: it tries another
        elif fault.code() == KafkaError._ALL_BROKERS_DOWN and self.newest:  # noqa: SLF001
            return  # what was said before is why
        said = said_of(fault)
        if said != self.newest:
            _log.warning("log.troubled", log=str(self._url), error=said)
        self.newest = said

    def over(self) -> None:
        """Take note that something went well."""
        if self.newest and not self.fatal:
            _log.info("log.recovered", log=str(self._url))
            self.newest = ""


def ends_of(consumer: Consumer, topic: str, partition: int, *, within_s: float) -> tuple[int, int]:
    """Return the offset of a partition's first message, and that of its next one.

    Who was asked may not lead any more, and librdkafka says so in place of asking who does: it is asked again.

    Raises:
        KafkaException: Nobody answers within that time.
    """
    place, end = TopicPartition(topic, partition), monotonic() + within_s
    while True:
        try:
            low, high = consumer.get_watermark_offsets(place, timeout=max(_ASK_AGAIN_S, end - monotonic()))
        except KafkaException as fault:
            if fault.args[0].code() not in _MOVED or monotonic() > end:
                raise
            threading.Event().wait(_ASK_AGAIN_S)
        else:
            return int(low), int(high)


_MOVED = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.REPLICA_NOT_AVAILABLE,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError.UNKNOWN_LEADER_EPOCH,
)
_ASK_AGAIN_S = 0.1

_GRAVE = (
    KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 — how confluent_kafka names librdkafka's own
    KafkaError._AUTHENTICATION,  # noqa: SLF001
    KafkaError._SSL,  # noqa: SLF001
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
)


def said_of(fault: KafkaError | KafkaException) -> str:
    """Return what a fault says, in a line."""
    error = fault.args[0] if isinstance(fault, KafkaException) else fault
    return " ".join(str(error.str() if isinstance(error, KafkaError) else error).split())
