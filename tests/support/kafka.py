"""Apache Kafka of the tests' own: three brokers in KRaft mode, each a broker and a controller, on 127.0.0.1.

Replication 3, `min.insync.replicas=2`, no unclean election: with `acks=all` what was acknowledged survives any one
broker. As Kafka does by default, a broker does not wait for its disk; the copies are what makes it last.
"""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support.drivers import driver
from tests.support.kafka_jars import SOURCE, java, require_kafka
from tests.support.peers import PeerError
from tests.support.ports import lasting_port
from tests.support.process_tree import continue_tree, kill_tree, pause_tree

NODES = (1, 2, 3)
READY_S = 90
STOP_S = 30
POLL_S = 0.05

Advertise = Callable[[int], tuple[str, int]]
"""Of a port of a broker: the host and port that its clients are told, as of a wire to it."""

_JVM = (
    "-Xms64m",
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # starts in half the time
    "-XX:+ExitOnOutOfMemoryError",
    f"-Dlog4j2.configurationFile={SOURCE / 'log4j2.properties'}",
)

_SETTINGS = {
    "process.roles": "broker,controller",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "BROKER",
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "unclean.leader.election.enable": "false",
    "auto.create.topics.enable": "false",
    # A dead broker is noticed sooner than by default, which is 9 s.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    "replica.lag.time.max.ms": "3000",
    "controller.quorum.election.timeout.ms": "500",
    "controller.quorum.fetch.timeout.ms": "1500",
    # Small: three of them share a machine with what is tested.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.num.partitions": "3",
    "log.cleaner.dedupe.buffer.size": "4194304",
    "log.segment.bytes": "67108864",
    "group.initial.rebalance.delay.ms": "0",
    "group.consumer.min.heartbeat.interval.ms": "500",
    "group.consumer.min.session.timeout.ms": "1000",
    "group.min.session.timeout.ms": "1000",
}


class Broker:
    """One node of a cluster.

    Attributes:
        node: Its number.
        ports: Of each of its listeners; the same after a restart.
        folder: Its configuration, its log of what it did, and its data.
    """

    def __init__(self, node: int, folder: Path, *, listeners: tuple[str, ...]) -> None:
        """Give it ports."""
        self.node = node
        self.folder = folder
        self.ports = {listener: lasting_port() for listener in listeners}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process.

        Raises:
            PeerError: It does not run.
        """
        if not self.is_running or self._process is None:
            raise PeerError(f"kafka: broker {self.node}: does not run: {self.said()}")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the process is there, paused or not."""
        return self._process is not None and self._process.poll() is None

    def run(self) -> None:
        """Start its process; it takes a while to answer."""
        self._process = self._java("kafka.Kafka", str(self.folder / "server.properties"))

    def format(self, cluster: str) -> subprocess.Popen[bytes]:
        """Prepare its folder for a cluster of that name; the caller waits for the process."""
        where = str(self.folder / "server.properties")
        return self._java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", where)

    def terminate(self) -> None:
        """End it as an administrator does: it hands its partitions over first, if somebody takes them."""
        if self._process is None:
            return
        continue_tree(self._process.pid)
        self._process.terminate()
        try:
            self._process.wait(timeout=STOP_S)
        except subprocess.TimeoutExpired:
            self.kill9()

    def kill9(self) -> None:
        """Kill it as `kill -9` does."""
        pid, process = self.pid, self._process
        assert process is not None
        kill_tree(pid)
        process.wait(timeout=STOP_S)

    def answers(self) -> bool:
        """Whether it takes connections of clients."""
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.ports["CLIENT"]), timeout=1):
            return True
        return False

    def said(self) -> str:
        """Return the end of its log."""
        path = self.folder / "log"
        return path.read_text(encoding="utf-8", errors="replace")[-2000:] if path.exists() else ""

    def _java(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [str(java()), *_JVM, "-cp", f"{require_kafka()}/*", *arguments]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                start_new_session=True,  # Ctrl-C ends the tests, and they end it
            )


class Kafka:
    """A cluster.

    Attributes:
        brokers: By number.
    """

    def __init__(
        self, folder: Path, *, doors: Mapping[str, Advertise], secured: Collection[str], settings: Mapping[str, str]
    ) -> None:
        """Lay out its folders; nothing runs yet."""
        self._doors = {door: f"DOOR{n}" for n, door in enumerate(doors)}
        self._secured = {self._doors[door] for door in secured}
        listeners = ("CONTROLLER", "BROKER", "CLIENT", *self._doors.values())
        self.brokers = {node: Broker(node, folder / str(node), listeners=listeners) for node in NODES}
        self._advertised: dict[str, dict[int, tuple[str, int]]] = {
            listener: {node: ("127.0.0.1", broker.ports[listener]) for node, broker in self.brokers.items()}
            for listener in listeners
        }
        for door, advertise in doors.items():
            for node, broker in self.brokers.items():
                self._advertised[self._doors[door]][node] = advertise(broker.ports[self._doors[door]])
        for broker in self.brokers.values():
            broker.folder.mkdir(parents=True)
            text = "".join(f"{key}={value}\n" for key, value in self._properties(broker, settings).items())
            (broker.folder / "server.properties").write_text(text)

    def bootstrap(self, door: str = "") -> str:
        """Return the addresses of all brokers; of a door, those that it advertises."""
        places = self._advertised[self._doors[door] if door else "CLIENT"]
        return ",".join(f"{host}:{port}" for host, port in places.values())

    def start(self) -> None:
        """Format and start all of them; return when each knows of all."""
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        formatting = {broker.node: broker.format(cluster) for broker in self.brokers.values()}
        for node, process in formatting.items():
            if process.wait(timeout=READY_S) != 0:
                raise PeerError(f"kafka: broker {node}: not formatted: {self.brokers[node].said()}")
        for broker in self.brokers.values():
            broker.run()
        self._wait("all brokers are known", lambda: len(self._metadata().brokers) == len(NODES))

    def stop(self, *nodes: int) -> None:
        """End some brokers, or all."""
        for node in nodes or NODES:
            self.brokers[node].terminate()

    def kill9(self, node: int) -> None:
        """Kill one broker as `kill -9` does; return when it is gone, long before the others notice."""
        self.brokers[node].kill9()

    def restart(self, node: int) -> None:
        """Start one broker again, ended before or not; return when it is part of the cluster."""
        if self.brokers[node].is_running:
            self.stop(node)
        self.brokers[node].run()
        self._wait(f"broker {node} is back", lambda: self.brokers[node].answers() and node in self._metadata().brokers)

    def pause(self, node: int) -> None:
        """Have one broker hang: its connections stay open, and nothing is answered."""
        pause_tree(self.brokers[node].pid)

    def cont(self, node: int) -> None:
        """Let it go on after a pause."""
        continue_tree(self.brokers[node].pid)

    def create_topic(self, name: str, *, partitions: int = 1, **settings: str) -> None:
        """Make a topic of three replicas; return when each partition has a leader and all of its replicas."""
        new = driver("confluent_kafka.admin").NewTopic
        topic = new(name, num_partitions=partitions, replication_factor=len(NODES), config=settings)
        admin = self._admin()  # kept until it has answered
        admin.create_topics([topic])[name].result(timeout=READY_S)
        self.wait_until_whole(name)

    def leader(self, topic: str, partition: int = 0) -> int:
        """Return which broker leads a partition now; -1 while none does, or who was asked does not know of it yet."""
        found = self._metadata(topic).topics[topic].partitions.get(partition)
        return -1 if found is None else int(found.leader)

    def controller(self) -> int:
        """Return which node the controllers elected, by the newest note of their vote."""
        notes = [json.loads(path.read_text()) for path in self._votes() if path.exists()]
        return int(max(notes, key=lambda note: note["leaderEpoch"])["leaderId"])

    def elect_preferred(self, topic: str, partition: int) -> None:
        """Have the first of its replicas lead a partition, as Kafka does by itself some minutes after a restart."""
        driver_ = driver("confluent_kafka")
        admin = self._admin()  # kept until it has answered
        place = driver_.TopicPartition(topic, partition)
        admin.elect_leaders(driver_.ElectionType.PREFERRED, [place]).result(timeout=READY_S)

    def wait_until_whole(self, topic: str) -> None:
        """Return when each partition of a topic has a leader and all of its replicas in sync."""
        self._wait(f"{topic}: in sync", lambda: self._in_sync(topic) == {len(NODES)})

    def wait_until_led_by_another(self, topic: str, partition: int, *, than: int) -> None:
        """Return when another broker leads a partition."""
        self._wait(f"{topic}: another leader", lambda: self.leader(topic, partition) not in (-1, than))

    def _in_sync(self, topic: str) -> set[int]:
        found = self._metadata(topic).topics[topic]
        return {len(part.isrs) if part.leader in part.isrs else 0 for part in found.partitions.values()} or {0}

    def _votes(self) -> Iterator[Path]:
        for broker in self.brokers.values():
            yield broker.folder / "data" / "__cluster_metadata-0" / "quorum-state"

    def _metadata(self, topic: str | None = None) -> Any:
        return self._admin().list_topics(topic=topic, timeout=5)

    def _admin(self) -> Any:
        # A new one each time: an old one may still believe in a broker that is gone. It is quiet about those.
        quiet = {"log_level": 0, "socket.connection.setup.timeout.ms": 2000}
        return driver("confluent_kafka.admin").AdminClient({"bootstrap.servers": self.bootstrap(), **quiet})

    def _wait(self, what: str, holds: Callable[[], bool]) -> None:
        errors = driver("confluent_kafka")
        deadline = time.monotonic() + READY_S
        while True:
            with contextlib.suppress(errors.KafkaException):
                if holds():
                    return
            if time.monotonic() > deadline:
                said = "\n".join(f"broker {node}: {broker.said()}" for node, broker in self.brokers.items())
                raise PeerError(f"kafka: {what}: not after {READY_S} s: {said}")
            time.sleep(POLL_S)

    def _properties(self, broker: Broker, settings: Mapping[str, str]) -> dict[str, str]:
        voters = (f"{node}@127.0.0.1:{other.ports['CONTROLLER']}" for node, other in self.brokers.items())
        advertised = {name: places[broker.node] for name, places in self._advertised.items() if name != "CONTROLLER"}
        return {
            **_SETTINGS,
            **settings,
            "node.id": str(broker.node),
            "log.dirs": str(broker.folder / "data"),
            "controller.quorum.voters": ",".join(voters),
            "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in broker.ports.items()),
            "advertised.listeners": ",".join(f"{name}://{host}:{port}" for name, (host, port) in advertised.items()),
            "listener.security.protocol.map": ",".join(
                f"{name}:{'SASL_SSL' if name in self._secured else 'PLAINTEXT'}" for name in broker.ports
            ),
        }


@contextlib.contextmanager
def start_kafka(
    *,
    doors: Mapping[str, Advertise] | None = None,
    secured: Collection[str] = (),
    settings: Mapping[str, str] | None = None,
) -> Iterator[Kafka]:
    """Run a cluster until the block ends; skips the test, or in CI fetches Kafka, where it is missing.

    Args:
        doors: Listeners besides, by name: whoever comes in by one is told the addresses that it advertises, such as
            those of wires, so that it can be cut off from the cluster alone.
        secured: Those of the doors that speak TLS and ask for a user; how, `settings` say for `listener.name.doorN`.
        settings: More of `server.properties`, for all brokers.
    """
    require_kafka()
    folder = Path(tempfile.mkdtemp(prefix="claxon-kafka-"))
    cluster = Kafka(folder, doors=doors or {}, secured=secured, settings=settings or {})
    try:
        cluster.start()
        yield cluster
    finally:
        for broker in cluster.brokers.values():
            if broker.is_running:
                broker.kill9()
        shutil.rmtree(folder, ignore_errors=True)
