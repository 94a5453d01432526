"""Wires between a node and an engine that can be faulty: a TCP proxy of our own, one port a wire.

A wire does what its mode says at once, to the connections that are there and to those that come. The proxy runs in a
thread with an event loop of its own, so that a test may turn a mode from anywhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from tests.support.ports import lasting_port

Address = tuple[str, int] | Path
"""A host and a port, or the path of a Unix socket."""

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closed with an RST, whatever waits to be sent
_TURN_S = 30


class Mode(StrEnum):
    """What a wire does with bytes and with callers."""

    PASS = "pass"
    """Carries everything both ways."""
    REFUSE = "refuse"
    """Nobody listens: connections are reset, and new ones refused."""
    BLACKHOLE = "blackhole"
    """Takes connections, carries nothing, and hides that one was closed; what waits goes on when it is over."""
    MUTE = "mute"
    """Carries what is asked and no answers: the engine did it, and its client cannot know."""


_CARRIES_QUESTIONS = {Mode.PASS, Mode.MUTE}


class Wire:
    """One way to one engine.

    Attributes:
        address: Where a node connects to.
        delay_s: How long each piece of what is said takes, each way.
        taken: How many connections were made.
    """

    def __init__(self, wires: Wires, to: Address, *, at: Address) -> None:
        """Take where it leads, and where it listens."""
        self.address = at
        self.delay_s = 0.0
        self.taken = 0
        self.to = to
        self._wires = wires
        self._mode = Mode.PASS
        # One that nobody reads is known to nobody else: it would be collected, and never closed.
        self.transports: set[asyncio.Transport] = set()
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None
        self._held: socket.socket | None = None

    @property
    def port(self) -> int:
        """The port of 127.0.0.1 where a node connects to."""
        assert isinstance(self.address, tuple)
        return self.address[1]

    @property
    def mode(self) -> Mode:
        """What it does now."""
        return self._mode

    @mode.setter
    def mode(self, mode: Mode) -> None:
        self._wires.run(self._turn(mode))

    @property
    def open(self) -> int:
        """How many connections there are."""
        return len(self._links)

    def cut(self) -> None:
        """Reset the connections that are there; new ones are taken as the mode says."""
        self._wires.run(self._cut())

    def drop(self, link: _Link) -> None:
        """Forget a connection that ended."""
        self._links.discard(link)

    async def listen(self) -> None:
        """Take connections."""
        loop = asyncio.get_running_loop()
        if isinstance(self.address, Path):
            self._server = await loop.create_unix_server(self._take, self.address)
            return
        held = self._held or _bound(self.address)
        self._held = None
        self._server = await loop.create_server(self._take, sock=held, backlog=128)

    async def close(self) -> None:
        """End it and all of its connections."""
        self._unlisten()
        # What was taken in the last moment is connected in the next ones.
        for _ in range(4):
            await self._cut()
            for transport in list(self.transports):
                transport.abort()
        await asyncio.sleep(0)

    async def _turn(self, mode: Mode) -> None:
        self._mode = mode
        if mode is Mode.REFUSE:
            if self._server is not None:
                self._unlisten()
                # The port stays ours: bound, and nobody listens.
                self._held = None if isinstance(self.address, Path) else _bound(self.address)
            await self._cut()
        elif self._server is None:
            await self.listen()
        for link in list(self._links):
            link.settle()

    async def _cut(self) -> None:
        for link in list(self._links):
            link.reset()
        await asyncio.sleep(0)  # the transports close

    def _unlisten(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._held is not None:
            self._held.close()
            self._held = None
        if isinstance(self.address, Path):
            self.address.unlink(missing_ok=True)

    def _take(self) -> asyncio.Protocol:
        self.taken += 1
        link = _Link(self)
        self._links.add(link)
        return link.near


def _bound(address: tuple[str, int]) -> socket.socket:
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind(address)
    return held


class _Link:
    """A connection of a node, `near`, and the one that goes on to the engine, `far`."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.near = _End(self)
        self.far = _End(self)
        self._going: asyncio.Task[None] | None = None
        self._over = False

    def other(self, end: _End) -> _End:
        return self.far if end is self.near else self.near

    def settle(self) -> None:
        """Connect on where that is due, and read from each end what may be carried now."""
        if self._over:  # reset while a connection was being made
            self.reset()
            return
        questions = self.wire.mode in _CARRIES_QUESTIONS
        if questions and self._going is None:
            self._going = asyncio.get_running_loop().create_task(self._go_on())
        self.near.read(questions and self.far.takes)
        self.far.read(self.wire.mode is Mode.PASS and self.near.takes)

    def end_if_both_did(self) -> None:
        """Close both connections when each end has said its last."""
        if self.near.ended and self.far.ended:
            self.near.end()
            self.far.end()

    def reset(self) -> None:
        """End both connections with an RST."""
        self._over = True
        self.wire.drop(self)
        if self._going is not None:
            self._going.cancel()
        self.near.reset()
        self.far.reset()

    async def _go_on(self) -> None:
        loop, to = asyncio.get_running_loop(), self.wire.to
        try:
            if isinstance(to, Path):
                await loop.create_unix_connection(lambda: self.far, str(to))
            else:
                await loop.create_connection(lambda: self.far, *to)
        except OSError:
            self.reset()


class _End(asyncio.Protocol):
    """One end of a link: what it reads is said at the other end, as late as the wire is slow."""

    def __init__(self, link: _Link) -> None:
        self._link = link
        self._transport: asyncio.Transport | None = None
        self._early: list[bytes] = []
        self._full = False
        self._ended = False
        self._due = 0.0

    @property
    def takes(self) -> bool:
        """Whether more can be said to it."""
        return self._transport is not None and not self._full

    def read(self, wanted: bool) -> None:
        """Read on, or leave what comes to the kernel."""
        transport = self._transport
        if transport is None or transport.is_closing() or transport.is_reading() is wanted:
            return
        (transport.resume_reading if wanted else transport.pause_reading)()

    def say(self, said: bytes) -> None:
        """Send bytes on; none at all is the end. What comes before it is connected waits."""
        if self._transport is None:
            self._early.append(said)
            return
        if self._transport.is_closing():
            return
        if said:
            self._transport.write(said)
        else:
            self._transport.write_eof()
            self._ended = True
            self._link.end_if_both_did()

    @property
    def gone(self) -> bool:
        """Whether it is not connected, or no more."""
        return self._transport is None

    @property
    def ended(self) -> bool:
        """Whether it was told that nothing more comes."""
        return self._ended

    def reset(self) -> None:
        """Close it with an RST."""
        if self._transport is not None:
            link = self._transport.get_extra_info("socket")
            with contextlib.suppress(OSError):
                link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._link.wire.transports.add(transport)
        # Some versions of asyncio read a first piece of a connection that was paused when it was made.
        for said in self._early:
            self.say(said)
        self._link.settle()

    def data_received(self, data: bytes) -> None:
        self._carry(data)

    def eof_received(self) -> bool:
        self._carry(b"")
        return True  # the other direction goes on

    def pause_writing(self) -> None:
        self._full = True
        self._link.settle()

    def resume_writing(self) -> None:
        self._full = False
        self._link.settle()

    def connection_lost(self, exc: Exception | None) -> None:
        other = self._link.other(self)
        if exc is not None:
            self._link.reset()
        if self._transport is not None:
            self._link.wire.transports.discard(self._transport)
        self._transport = None
        other.end()
        if other.gone:
            self._link.wire.drop(self._link)

    def end(self) -> None:
        """Close it when all was said."""
        if self._transport is not None:
            self._transport.close()

    def _carry(self, said: bytes) -> None:
        loop, onward = asyncio.get_running_loop(), self._link.other(self)
        # In order, even where the wire got faster meanwhile.
        self._due = max(self._due, loop.time() + self._link.wire.delay_s)
        if self._due <= loop.time():
            onward.say(said)
        else:
            loop.call_at(self._due, onward.say, said)


class Wires:
    """The thread that all wires of a test run in."""

    def __init__(self) -> None:
        """Start it."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wires", daemon=True)
        self._thread.start()
        self._wires: list[Wire] = []

    def wire(self, to: Address | int, *, at: Address | None = None) -> Wire:
        """Lay a wire to an address, or to a port of 127.0.0.1; without `at` it gets a port of its own."""
        target = ("127.0.0.1", to) if isinstance(to, int) else to
        wire = Wire(self, target, at=at or ("127.0.0.1", lasting_port()))
        self.run(wire.listen())
        self._wires.append(wire)
        return wire

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something in the wires' thread and wait for it."""
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=_TURN_S)

    def close(self) -> None:
        """End all of them, and the thread."""
        self.run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=_TURN_S)
        self._loop.close()

    async def _end(self) -> None:
        for wire in self._wires:
            await wire.close()
        # Connections that were being made: their tasks end first, then what they made.
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for wire in self._wires:
            await wire.close()


@contextlib.contextmanager
def lay_wires() -> Iterator[Wires]:
    """Have wires until the block ends."""
    wires = Wires()
    try:
        yield wires
    finally:
        wires.close()
