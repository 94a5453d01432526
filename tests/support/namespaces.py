"""A network of a node's own: it reaches the engines through doors, and a door that is shut loses packets in silence.

What a wire of netfault.py cannot do: a connection that is made meanwhile hangs at its first packet, as when a cable is
cut. The node runs in a network namespace, linked to a second one by a pair of virtual devices for each door; from there
relays go through Unix sockets, which know no networks, to the engines on 127.0.0.1. Neither the machine's own network
nor its addresses are touched. Root is not needed where users may make namespaces.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import pytest

from tests.support.netfault import Wires, lay_wires
from tests.support.peers import PeerError, require
from tests.support.repository import ROOT

READY_S = 20

NODES = "10.203.0.0/16"
"""Where the nodes are, as those see them that are behind the doors."""

_NOBODY = "02:00:00:00:00:00"
"""A device that is nowhere."""


class Door:
    """A node's way to some ports.

    Attributes:
        host: The address at which the node finds them; the ports are the same as on 127.0.0.1.
    """

    def __init__(self, network: Network, number: int) -> None:
        """Link the node's namespace to the other by a pair of devices."""
        self.host = f"10.203.{number}.1"
        self._network = network
        self._device = f"door{number}"
        node = f"10.203.{number}.2"
        self._neighbours = ((node, False), (self.host, True))
        network.configure("link", "add", self._device, "type", "veth", "peer", "name", "out", "netns", network.node)
        network.configure("addr", "add", f"{self.host}/30", "dev", self._device)
        network.configure("link", "set", self._device, "up")
        network.configure("link", "set", "out", "name", self._device, inside=True)
        network.configure("addr", "add", f"{node}/30", "dev", self._device, inside=True)
        network.configure("link", "set", self._device, "up", inside=True)

    def shut(self) -> None:
        """Lose every packet from now on, both ways, and say so to nobody.

        Each side takes the other for a device that is not there. Its own is up and has a route, as when a cable is cut
        far away: a device that is down is an error to who sends, and TCP does not count that as an answer that is due.
        """
        for host, inside in self._neighbours:
            where = ("to", host, "lladdr", _NOBODY, "dev", self._device, "nud", "permanent")
            self._network.configure("neigh", "replace", *where, inside=inside)

    def open(self) -> None:
        """Carry packets again; connections that waited go on when TCP next tries."""
        for host, inside in self._neighbours:
            self._network.configure("neigh", "del", "to", host, "dev", self._device, inside=inside)


class Network:
    """The two namespaces: `node`, where a node runs, and the one behind its doors.

    Attributes:
        node: The process that holds the node's namespace.
    """

    def __init__(self, wires: Wires, folder: Path, exits: contextlib.ExitStack) -> None:
        """Make both."""
        self._wires = wires
        self._folder = folder
        self._exits = exits
        self._doors = 0
        self._behind = self._hold(_unshare())
        self.node = self._hold([*_enter(self._behind), "unshare", "--net"])
        for inside in (False, True):
            self.configure("link", "set", "lo", "up", inside=inside)

    def door(self, *ports: int) -> Door:
        """Let the node reach some ports of 127.0.0.1, through a door of their own; without any, what runs behind it."""
        self._doors += 1
        door = Door(self, self._doors)
        paths = [self._folder / f"{self._doors}-{port}" for port in ports]
        for port, path in zip(ports, paths, strict=True):
            self._wires.wire(port, at=path)
        if not ports:  # the engine itself is behind it
            return door
        relays = [part for port, path in zip(ports, paths, strict=True) for part in (str(port), str(path))]
        command = [sys.executable, "-m", "tests.support.relay", door.host, *relays]
        relay = self._start(self.behind(*command), cwd=ROOT)
        assert relay.stdout is not None
        if relay.stdout.readline() != b"ready\n":
            raise PeerError(f"namespaces: {' '.join(command)}: did not start")
        return door

    def command(self, *command: str | Path) -> list[str]:
        """Return a command that runs another as the node: it reaches its doors and nothing else."""
        return [*_enter(self.node), *map(str, command)]

    def behind(self, *command: str | Path) -> list[str]:
        """Return a command that runs another behind the doors, as an engine: each door has its host there."""
        return [*_enter(self._behind), *map(str, command)]

    def configure(self, *arguments: str, inside: bool = False) -> None:
        """Run `ip` behind the doors, or inside the node's namespace."""
        command = (self.command if inside else self.behind)(require("namespaces"), *arguments)
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=READY_S)
        if done.returncode != 0:
            raise PeerError(f"namespaces: {' '.join(command)}: {done.stderr.strip()}")

    def _hold(self, command: Sequence[str]) -> str:
        """Make a namespace and keep it by a process that waits for us; return that process."""
        mine = os.readlink("/proc/self/ns/net")
        holder = self._start([*command, "sh", "-c", "echo ready; exec cat"])
        assert holder.stdout is not None
        if holder.stdout.readline() != b"ready\n":
            raise PeerError(f"namespaces: {' '.join(command)}: did not start")
        assert os.readlink(f"/proc/{holder.pid}/ns/net") != mine
        return str(holder.pid)

    def _start(self, command: Sequence[str], *, cwd: Path | None = None) -> subprocess.Popen[bytes]:
        """Start what ends when its standard input does, also when the tests are killed."""
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cwd)
        self._exits.callback(_end, process)
        return process


@contextlib.contextmanager
def network_of_its_own() -> Iterator[Network]:
    """Have a node's own network until the block ends; skips the test, or in CI fails it, where none may be made."""
    require_namespaces()
    with (
        lay_wires() as wires,
        tempfile.TemporaryDirectory(prefix="claxon-net-") as folder,
        contextlib.ExitStack() as exits,
    ):
        yield Network(wires, Path(folder), exits)


def require_namespaces() -> None:
    """Skip the test where this user may make no network, and in CI fail it.

    Raises:
        PeerError: In CI.
    """
    require("namespaces")
    done = subprocess.run([*_unshare(), "true"], capture_output=True, text=True, check=False, timeout=READY_S)
    if done.returncode == 0:
        return
    why = (
        f"namespaces: {' '.join(_unshare())}: {done.stderr.strip()}: run the tests as root, or allow users to make some"
    )
    if os.environ.get("CI") == "true":
        raise PeerError(why)
    pytest.skip(f"peer {why}")


def require_root() -> None:
    """Skip the test where it does not run as root, and in CI fail it: PostgreSQL refuses to be a namespace's own root.

    Raises:
        PeerError: In CI.
    """
    if os.geteuid() != 0:
        _give_up("namespaces: an engine behind the doors: only root may run it as somebody else: run the tests as root")


def _give_up(why: str) -> None:
    if os.environ.get("CI") == "true":
        raise PeerError(why)
    pytest.skip(f"peer {why}")


def _unshare() -> list[str]:
    return ["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--net"]


def _enter(holder: str) -> list[str]:
    as_its_user = [] if os.geteuid() == 0 else ["--user", "--preserve-credentials"]
    return ["nsenter", "--target", holder, *as_its_user, "--net"]


def _end(process: subprocess.Popen[bytes]) -> None:
    pipes: tuple[IO[bytes] | None, ...] = (process.stdin, process.stdout)
    for pipe in pipes:
        if pipe is not None:
            pipe.close()
    try:
        process.wait(timeout=READY_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=READY_S)
