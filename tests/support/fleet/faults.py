"""The faults: what is killed, stopped or cut off, and for how long.

≠ what comes of it.
"""

from __future__ import annotations

import random
import time

import psutil

from service.storage.event_log import compress
from tests.support.fleet.fleet import Database, Fleet
from tests.support.fleet.rounds import Fault
from tests.support.fleet.supervised import Node
from tests.support.running import until

PAUSE_S = 15.0
CUT_S = 12.0
SLOW_S = 6.0
STOOD_S = 0.45
WENT_ON_S = 0.05
SENDING_S = 20.0
FULL_S = 8.0
POISON_S = 20.0
POISON = (b"no zstd", compress(b"no JSON"), compress(b'{"no": "array"}'))
"""Bodies of rows of the inbox."""


def _database(fleet: Fleet) -> Database:
    assert fleet.database is not None
    return fleet.database


def _one_of(nodes: list[Node], chance: random.Random) -> Node:
    return chance.choice(nodes)


# ── killed ────────────────────────────────────────────────────────────────────────────────────────


def kill_ingest(fleet: Fleet, chance: random.Random) -> None:
    """Kill one that takes events."""
    _one_of(fleet.of_role("ingest"), chance).kill9()


def kill_elected(fleet: Fleet, chance: random.Random) -> None:
    """Kill the node that decides."""
    del chance
    fleet.elected_now().kill9()


def kill_standby(fleet: Fleet, chance: random.Random) -> None:
    """Kill a node that would decide, if the one that does were gone."""
    del chance
    fleet.standby_now().kill9()


def kill_all(fleet: Fleet, chance: random.Random) -> None:
    """Kill every node at once."""
    del chance
    for node in fleet.nodes.values():
        node.kill9()


def kill_sending(fleet: Fleet, chance: random.Random) -> None:
    """Kill whoever sends the next page, before the receiver has read it."""
    del chance
    killed: list[Node] = []

    def kill(port: int) -> bool:
        fleet.receiver.before_reading = None
        sender = _sender(fleet, port)
        sender.kill9()
        killed.append(sender)
        return True

    fleet.receiver.before_reading = kill
    assert until(lambda: killed, SENDING_S), fleet.said()


def _sender(fleet: Fleet, port: int) -> Node:
    """Return the node that has a connection with a port of its own side."""
    for node in fleet.nodes.values():
        if node.pid is not None and port in _ports(node.pid):
            return node
    raise AssertionError(f"port {port}: of no node")


def _ports(pid: int) -> set[int]:
    return {link.laddr.port for link in psutil.Process(pid).net_connections("tcp4") if link.laddr}


# ── stopped ───────────────────────────────────────────────────────────────────────────────────────


def pause_elected(fleet: Fleet, chance: random.Random) -> None:
    """Have the elected node stand still for so long that another is elected, and wake up."""
    del chance
    node = fleet.elected_now()
    node.pause()
    time.sleep(PAUSE_S)
    node.go_on()


def _pause_shortly(fleet: Fleet, chance: random.Random) -> None:
    node = fleet.elected_now()
    node.pause()
    time.sleep(chance.uniform(1.0, 3.0))
    node.go_on()


def slow_elected(fleet: Fleet, chance: random.Random) -> None:
    """Leave the elected node a tenth of the time, so that what it has to decide piles up."""
    del chance
    node = fleet.elected_now()
    until_s = time.monotonic() + SLOW_S
    while time.monotonic() < until_s:
        node.pause()
        time.sleep(STOOD_S)
        node.go_on()
        time.sleep(WENT_ON_S)


# ── the database ──────────────────────────────────────────────────────────────────────────────────


def restart_database(fleet: Fleet, chance: random.Random) -> None:
    """Kill the server as a crash does, and start it."""
    del chance
    server = _database(fleet).server
    server.kill9()
    server.start()


def fill_disk(fleet: Fleet, chance: random.Random) -> None:
    """Fill the disk of the server, and make room again; it may have ended meanwhile."""
    del chance
    database = _database(fleet)
    assert database.disk is not None
    pid = database.server.pid
    database.disk.leave(0, to=pid)
    try:
        time.sleep(FULL_S)
    finally:
        database.disk.free(pid)
    if not database.server.is_running:
        database.server.start()


def fail_over(fleet: Fleet, chance: random.Random) -> None:
    """Kill the server, and have its standby take over."""
    del chance
    database = _database(fleet)
    database.server.kill9()
    copy = database.copies.pop()
    copy.promote()
    database.lead_to(copy)


def have_copy(fleet: Fleet) -> None:
    """Have a standby that follows."""
    database = _database(fleet)
    database.copies.append(database.copy())


def _poison(fleet: Fleet, chance: random.Random) -> None:
    """Put rows into the inbox of which nobody can make a batch; they have to be gone from it soon."""
    before = _count(fleet, "inbox_poison")
    for body in POISON:
        columns = "form, received_at, app, n, claims, refusals, spans, client_dropped, node, body"
        values = f"1, {time.time()}, 'poison', {chance.randint(1, 9)}, '', '', 0, 0, 'nobody', '\\x{body.hex()}'"
        _database(fleet).sql(f"INSERT INTO inbox ({columns}) VALUES ({values})")
    assert until(lambda: _count(fleet, "inbox_poison") == before + len(POISON), POISON_S), fleet.said()


def _count(fleet: Fleet, table: str) -> int:
    return int(_database(fleet).sql(f"SELECT count(*) FROM {table}"))


# ── cut off ───────────────────────────────────────────────────────────────────────────────────────


def _cut_off(fleet: Fleet, node: Node) -> None:
    database = _database(fleet)
    database.cut_off(node.name)
    time.sleep(CUT_S)
    database.mend(node.name)


def _cut_elected(fleet: Fleet, chance: random.Random) -> None:
    del chance
    _cut_off(fleet, fleet.elected_now())


def _cut_ingest(fleet: Fleet, chance: random.Random) -> None:
    _cut_off(fleet, _one_of(fleet.of_role("ingest"), chance))


def _cut_deliver(fleet: Fleet, chance: random.Random) -> None:
    _cut_off(fleet, _one_of(fleet.of_role("deliver"), chance))


ONE_NODE = (
    Fault(name="one-kill", title="kill -9 of the only node", strike=kill_elected),
    Fault(name="one-kill-sending", title="kill -9 of the only node in the middle of a send", strike=kill_sending),
    Fault(name="one-pause", title="the only node stands still for 1 to 3 s", strike=_pause_shortly),
)

SEVERAL_NODES = (
    Fault(name="kill-ingest", title="kill -9 of an ingest node", strike=kill_ingest),
    Fault(name="kill-elected", title="kill -9 of the elected node", strike=kill_elected),
    Fault(name="kill-standby", title="kill -9 of a standby", strike=kill_standby),
    Fault(name="kill-sending", title="kill -9 of a deliver node in the middle of a send", strike=kill_sending),
    Fault(name="kill-all", title="kill -9 of all nodes at once", strike=kill_all),
    Fault(name="pause-elected", title="the elected node stands still for 15 s, and wakes up", strike=pause_elected),
    Fault(name="slow-elected", title="the elected node gets a tenth of the time for 6 s", strike=slow_elected),
    Fault(name="poison", title="rows in the inbox that nobody can read", strike=_poison),
    Fault(name="restart-database", title="PostgreSQL crashes and starts again", strike=restart_database),
    Fault(name="fail-over", title="PostgreSQL is gone; its standby is promoted", strike=fail_over, before=have_copy),
    Fault(name="cut-elected", title="the elected node is cut off from PostgreSQL for 12 s", strike=_cut_elected),
    Fault(name="cut-ingest", title="an ingest node is cut off from PostgreSQL for 12 s", strike=_cut_ingest),
    Fault(name="cut-deliver", title="a deliver node is cut off from PostgreSQL for 12 s", strike=_cut_deliver),
)

SMALL_DISK = (Fault(name="full-disk", title="the disk of PostgreSQL is full for 8 s", strike=fill_disk),)
