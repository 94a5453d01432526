"""Writes messages to the topic, each acknowledged by as many brokers as must have it, or refused within seconds.

The partition of a key is that of Java's producers (murmur2), so whoever else writes agrees.

≠ what a message holds.
"""

from __future__ import annotations

import threading

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from .kafka_client import Setting, Troubles, said_of, settings_of
from .kafka_url import KafkaUrl
from .topics import Done, LogError

DELIVERY_S = 8.0
"""A message is acknowledged within so long, or its sender is refused: it may be written all the same."""

MOST_BYTES = 128 * 1024 * 1024
"""Of messages that are not acknowledged yet."""

_POLL_S = 0.1
_log = structlog.get_logger(__name__)


class KafkaProducer:
    """Any thread may send."""

    def __init__(self, url: KafkaUrl, *, node: str = "", settings: dict[str, Setting] | None = None) -> None:
        """Begin to connect; no broker need be there yet.

        Args:
            url: The topic.
            node: Who writes; for the brokers' logs.
            settings: More of librdkafka's.

        Raises:
            LogError: librdkafka does not take the settings.
        """
        self._url = url
        self._troubles = Troubles(url)
        self._settings: dict[str, Setting] = {
            **settings_of(url, node=node),
            "acks": "all",
            "enable.idempotence": True,
            "compression.type": "none",  # bodies are compressed
            "partitioner": "murmur2_random",
            "linger.ms": 2,
            "delivery.timeout.ms": int(DELIVERY_S * 1000),
            "queue.buffering.max.kbytes": MOST_BYTES // 1024,
            **(settings or {}),
        }
        self._producer = self._make()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="claxon-kafka", daemon=True)
        self._thread.start()

    @property
    def unready(self) -> str:
        """Why nothing can be written now, as far as is known; "" if it can."""
        return self._troubles.newest

    def send(self, key: bytes, message: bytes, done: Done) -> None:
        """Have a message written, after all of its key that were sent before.

        Raises:
            LogError: It is not: too many wait, or it is too large. `done` is not called.
        """

        def delivered(fault: KafkaError | None, _: Message) -> None:
            if fault is None:
                self._troubles.over()
                done(None)
                return
            if fault.fatal() or fault.code() == KafkaError._FATAL:  # noqa: SLF001
                self._troubles.fatal = True
            done(LogError(f"{self._url}: {said_of(fault)}"))

        try:
            with self._lock:
                self._producer.produce(self._url.topic, message, key, on_delivery=delivered)
        except BufferError as fault:
            raise LogError(f"{self._url}: too much waits to be written") from fault
        except KafkaException as fault:
            raise LogError(f"{self._url}: {said_of(fault)}") from fault

    def close(self) -> None:
        """Wait for what was sent, as long as it may take."""
        self._closing.set()
        self._thread.join()
        self._producer.flush(DELIVERY_S)
        self._producer.purge()
        self._producer.flush(1.0)

    def _make(self) -> Producer:
        try:
            return Producer({**self._settings, "error_cb": self._troubles.note})
        except KafkaException as fault:
            raise LogError(f"{self._url}: {said_of(fault)}") from fault

    def _run(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(_POLL_S)
            if self._troubles.fatal:
                self._renew()

    def _renew(self) -> None:
        """Make another producer: brokers lost what this one wrote, and it may not go on as if they had not."""
        _log.error("log.producer_renewed", log=str(self._url), error=self._troubles.newest)
        with self._lock:
            old, self._producer = self._producer, self._make()
            self._troubles.fatal = False
        old.purge()
        old.flush(1.0)
