"""A whole Claxon: nodes by role, the engines they stand on, apps that post to it and the receiver of its pages.

≠ what goes wrong in it.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from service.storage.places import Place, PostgresUrl
from tests.support.fleet.judging import Log
from tests.support.fleet.receiver import Receiver
from tests.support.fleet.sending import RECEIVERS, Senders
from tests.support.fleet.supervised import Node
from tests.support.fleet.topic import Topic, start_topic
from tests.support.namespaces import require_root
from tests.support.netfault import Mode, Wire, Wires, lay_wires
from tests.support.postgres import Postgres, start_postgres, url_of
from tests.support.running import until
from tests.support.small_disk import SmallDisk, small_disk

WELL_S = 60.0
DISK_MB = 512


class Database:
    """PostgreSQL, with two places where it may be, and two wires from each node: one to each place.

    Attributes:
        server: Who takes writes now.
        name: Of the database.
        copies: Standbys that follow it.
        disk: What it is on, if that can be filled.
    """

    def __init__(
        self, server: Postgres, wires: Wires, exits: contextlib.ExitStack, disk: SmallDisk | None = None
    ) -> None:
        """Make an empty database."""
        self.server = server
        self.disk = disk
        self.name = server.create_database()
        self.copies: list[Postgres] = []
        self._wires = wires
        self._exits = exits
        self._here = 0
        self._ways: dict[str, tuple[Wire, Wire]] = {}

    @property
    def place(self) -> PostgresUrl:
        """Where it is now, past all wires."""
        return PostgresUrl(self.server.url(self.name))

    def sql(self, statement: str) -> str:
        """Run a statement at the server, past all wires, and return what it prints."""
        return self.server.sql(statement, self.name)

    def url_for(self, node: str) -> str:
        """Lay a node's own wires; return where it finds the database, at whichever place takes writes."""
        ways = (self._wires.wire(self.server.port), self._wires.wire(self.server.port))
        self._ways[node] = ways
        ways[1].mode = Mode.REFUSE
        return url_of(*(way.port for way in ways), database=self.name)

    def cut_off(self, node: str) -> None:
        """Lose all that goes to or comes from a node, and say so to nobody."""
        for way in self._ways[node]:
            way.mode = Mode.BLACKHOLE

    def mend(self, node: str) -> None:
        """Have a node reach the database again: where it is now, and nobody at the other place."""
        for i, way in enumerate(self._ways[node]):
            way.to = ("127.0.0.1", self.server.port)
            way.mode = Mode.PASS if i == self._here else Mode.REFUSE

    def copy(self) -> Postgres:
        """Have a standby follow, at the other place, for which each commit waits."""
        return self._exits.enter_context(self.server.standby(synchronous=True))

    def lead_to(self, server: Postgres) -> None:
        """Have nodes find another server at the other place."""
        self._here = 1 - self._here
        self.server = server
        for node in self._ways:
            self.mend(node)


@dataclass(kw_only=True)
class Fleet:
    """All of it.

    Attributes:
        folder: Logs and configuration.
        nodes: All of them, by name.
        senders: The apps.
        receiver: Of all pages.
        data: A folder, where there is no server.
        database: The server; None: there is a folder.
        topic: Of Kafka, where the log is; None: it is in the database.
        log: What was read of the log.
    """

    folder: Path
    nodes: dict[str, Node]
    senders: Senders
    receiver: Receiver
    data: Path
    database: Database | None = None
    topic: Topic | None = None
    log: Log = field(default_factory=Log)

    @property
    def place(self) -> Place:
        """Where its database is now."""
        return self.database.place if self.database is not None else self.data

    def of_role(self, role: str) -> list[Node]:
        """Return the nodes that have a role."""
        return [node for node in self.nodes.values() if role in node.roles.split(",") or node.roles == "all"]

    def elected(self) -> Node | None:
        """Return the node that decides; None while nobody does."""
        for node in self.of_role("evaluate"):
            if node.is_elected() if self.database is not None else node.is_ready():
                return node
        return None

    def elected_now(self) -> Node:
        """Return the node that decides, as soon as there is one.

        Raises:
            AssertionError: There is none, for a minute.
        """
        found: list[Node] = []
        assert until(lambda: found.extend(filter(None, [self.elected()])) or found, WELL_S), self.said()
        return found[0]

    def standby_now(self) -> Node:
        """Return a node that would decide, if the one that does were gone."""
        elected = self.elected_now()
        return next(node for node in self.of_role("evaluate") if node is not elected)

    def is_well(self) -> bool:
        """Whether each node can do its work, and one decides."""
        return all(node.is_ready() for node in self.nodes.values()) and self.elected() is not None

    def unwell(self) -> list[str]:
        """Return which nodes are not ready, and what they say of it."""
        answers = {node.name: node.ask("/-/ready") for node in self.nodes.values()}
        elected = self.elected()
        said = [f"{name}: {status}: {body}" for name, (status, body) in answers.items() if status != 200]
        return [*said, *([] if elected is not None else ["nobody is elected"])]

    def said(self) -> str:
        """Return what the nodes said last."""
        return "\n".join(f"── {node.name}\n{node.said()}" for node in self.nodes.values())

    def start(self) -> None:
        """Start all nodes, and wait until they are well.

        Raises:
            AssertionError: They are not, after a minute.
        """
        for node in self.nodes.values():
            node.start()
        assert until(self.is_well, WELL_S), self.said()

    def close(self) -> None:
        """End all nodes."""
        for node in self.nodes.values():
            node.close()
        self.log.close()


@contextlib.contextmanager
def one_node() -> Iterator[Fleet]:
    """Run one node on SQLite until the block ends."""
    with _folder() as folder, Receiver() as receiver:
        config = _config(folder, receiver)
        node = Node("all", roles="all", data=str(folder / "data"), folder=folder, config=config)
        with Senders([node.port]) as senders:
            fleet = Fleet(folder=folder, nodes={"all": node}, senders=senders, receiver=receiver, data=folder / "data")
            with _started(fleet):
                yield fleet


ROLES = ("ingest", "ingest", "evaluate", "evaluate", "deliver", "deliver")
LARGE_ROLES = ("ingest", "ingest", "evaluate,deliver", "evaluate,deliver")


@contextlib.contextmanager
def several_nodes(roles: Sequence[str] = ROLES) -> Iterator[Fleet]:
    """Run nodes on one PostgreSQL until the block ends; skips the test where there is none."""
    with start_postgres() as server, lay_wires() as wires, contextlib.ExitStack() as exits:
        database = Database(server, wires, exits)
        with _nodes(_named(roles), database) as fleet:
            yield fleet


@contextlib.contextmanager
def nodes_on_a_small_disk(roles: Sequence[str] = ROLES) -> Iterator[Fleet]:
    """Run nodes on a PostgreSQL whose disk can be filled until the block ends; skips the test where none is mounted."""
    with contextlib.ExitStack() as exits:
        require_root()
        folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="claxon-disk-")))
        disk = exits.enter_context(small_disk(folder, megabytes=DISK_MB, files=100_000))
        assert disk.mounted, "mount: no disk of our own: run as root, where that may mount"
        folder.chmod(0o755)
        settings = {"min_wal_size": "32MB", "max_wal_size": "64MB"}
        server = exits.enter_context(start_postgres(on=folder, settings=settings))
        wires = exits.enter_context(lay_wires())
        with _nodes(_named(roles), Database(server, wires, exits, disk)) as fleet:
            yield fleet


@contextlib.contextmanager
def large_nodes(roles: Sequence[str] = LARGE_ROLES) -> Iterator[Fleet]:
    """Run nodes on one PostgreSQL and three brokers until the block ends; skips the test where there are none."""
    with start_postgres() as server, lay_wires() as wires, contextlib.ExitStack() as exits:
        database = Database(server, wires, exits)
        named = _named(roles)
        with start_topic(list(named), wires) as topic, _nodes(named, database, topic) as fleet:
            yield fleet


def _log(topic: Topic | None) -> Log:
    if topic is None:
        return Log()
    # It needs what speaks to Kafka.
    from tests.support.fleet.shard_log import ShardLog

    return ShardLog(topic)


def _named(roles: Sequence[str]) -> dict[str, str]:
    """Return the roles of nodes by their names."""
    return {f"{role.replace(',', '-')}-{roles[:i].count(role) + 1}": role for i, role in enumerate(roles)}


@contextlib.contextmanager
def _nodes(roles: Mapping[str, str], database: Database, topic: Topic | None = None) -> Iterator[Fleet]:
    with _folder() as folder, Receiver() as receiver:
        config = _config(folder, receiver)
        nodes: dict[str, Node] = {}
        for name, role in roles.items():
            log = ["--log", topic.url_for(name)] if topic is not None else []
            nodes[name] = Node(
                name,
                roles=role,
                data=database.url_for(name),
                folder=folder,
                config=config,
                arguments=["--role", role, *log],
            )
        ports = [node.port for node in nodes.values() if node.roles == "all" or "ingest" in node.roles]
        with Senders(ports) as senders:
            fleet = Fleet(
                folder=folder,
                nodes=nodes,
                senders=senders,
                receiver=receiver,
                data=folder,
                database=database,
                topic=topic,
                log=_log(topic),
            )
            with _started(fleet):
                yield fleet


@contextlib.contextmanager
def _started(fleet: Fleet) -> Iterator[None]:
    try:
        fleet.start()
        yield
    finally:
        fleet.close()


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="claxon-fleet-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def _config(folder: Path, receiver: Receiver) -> Path:
    """Write a configuration with many receivers in one place: over 20 alerts a minute come as one to one of them."""
    names = [f"on-call-{n}" for n in range(RECEIVERS)]
    routes = [{"receiver": name, "matchers": [f'app=~".*-r{n}"']} for n, name in enumerate(names)]
    receivers = [{"name": name, "webhook_configs": [{"url": receiver.url}]} for name in names]
    path = folder / "claxon.yml"
    path.write_text(json.dumps({"route": {"receiver": names[0], "routes": routes}, "receivers": receivers}))
    return path
